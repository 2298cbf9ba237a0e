"""The JSON of V2 inferences, and the parameters a client may send in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from gateway.dataplane.validation import MAX_RANK
from gateway.errors import BadRequest, Forbidden

Parameters = dict[str, Any] | None

# Before any arithmetic: multiplying a long list of dimensions out would keep every other request waiting.
Shape = Annotated[list[int], msgspec.Meta(max_length=MAX_RANK)]

# `gc=False`: messages come from JSON, which has no cycles, and tracking them would cost every request.


class InputMessage(msgspec.Struct, gc=False):
    """One input: `data`, or a `binary_data_size` among the parameters."""

    name: str
    shape: Shape
    datatype: str
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters = None


class OutputMessage(msgspec.Struct, gc=False):
    """One requested output."""

    name: str
    parameters: Parameters = None


class InferMessage(msgspec.Struct, gc=False):
    """The request; fields it does not name are ignored, as other V2 clients send some."""

    inputs: list[InputMessage]
    id: str | None = None
    outputs: list[OutputMessage] | None = None
    parameters: Parameters = None


class TensorMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """One output of the answer: `data`, or a `binary_data_size` among the parameters."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    data: Any = msgspec.UNSET


class AnswerMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """The answer."""

    model_name: str
    model_version: str
    outputs: list[TensorMessage]
    id: str = ""


def flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean parameter.

    Raises:
        BadRequest: it is something else.
    """
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise BadRequest(f"Parameter {name} must be true or false. Correct it.")
    return value


def integer(parameters: Mapping[str, Any], name: str) -> int | None:
    """Return an integer parameter, None without it.

    Raises:
        BadRequest: it is something else; booleans are no integers.
    """
    value = parameters.get(name)
    if name in parameters and type(value) is not int:
        raise BadRequest(f"Parameter {name} must be an integer. Correct it.")
    return value


def allow_only(parameters: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    """Return when every parameter is one this gateway understands there.

    Raises:
        Forbidden: shared memory, which has no meaning across a network.
        BadRequest: any other; silently dropping one could change what the client gets.
    """
    for name in parameters.keys() - allowed:
        if name.startswith("shared_memory_"):
            raise Forbidden("Shared memory is not available through the gateway. Send the data in the body.")
        known = ", ".join(sorted(allowed))
        raise BadRequest(f"Parameter {ascii(name)[:80]} is not supported {where}. Use only: {known}.")

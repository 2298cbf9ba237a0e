"""V1 `:predict` bytes to an `InferRequest`.

Row form, `instances`: a list with one item per batch element, each a value, nested lists, or an object
`{input: value}`. Columnar form, `inputs`: an object `{input: value with batch axis}`, or the bare value of
a model's only input. Bytes that are no text travel as `{"b64": "…"}` in both (TensorFlow Serving's form).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.api.tensor_values import flatten, pack
from gateway.errors import BadRequest
from gateway.types import InferRequest, ModelSpec, Tensor, TensorSpec, pack_elements


class _Message(msgspec.Struct):
    instances: list[Any] | msgspec.UnsetType = msgspec.UNSET
    inputs: Any = msgspec.UNSET


_DECODER = msgspec.json.Decoder(_Message)
_BASE64 = {"b64"}


def decode(body: bytes, spec: ModelSpec, version: str) -> tuple[InferRequest, int | None]:
    """Return the request, and the number of instances when it came in row form.

    Args:
        body: decompressed.
        spec: the contract of the version called.
        version: as the client asked for it.

    Raises:
        BadRequest: it cannot be understood.
    """
    try:
        message = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The request does not have the V1 form: {str(error)[:200]}. Correct it.") from None
    except (ValueError, RecursionError):
        raise BadRequest("The request's JSON is malformed. Send valid UTF-8 JSON.") from None
    rows = message.instances
    if (rows is msgspec.UNSET) == (message.inputs is msgspec.UNSET):
        raise BadRequest("Send either instances (one item per row) or inputs (whole tensors).")
    if isinstance(rows, list):
        columns, count = _columns(rows, spec), len(rows)
    else:
        columns, count = _whole(message.inputs, spec), None
    by_name = {tensor.name: tensor for tensor in spec.inputs}
    tensors = []
    for name, value in columns.items():
        if name not in by_name:
            known = ", ".join(by_name)
            raise BadRequest(f"Input {ascii(name)[:80]} is unknown. The model takes {known}.")
        tensors.append(_tensor(by_name[name], value, by_row=count is not None))
    return InferRequest(spec.model_version.model, version, "", tuple(tensors)), count


def _columns(rows: list[Any], spec: ModelSpec) -> Mapping[str, Any]:
    if not rows:
        raise BadRequest("instances is empty. Send at least one.")
    if not _named(rows[0]):
        return {_only_input(spec): rows}
    names = rows[0].keys()
    if any(type(row) is not dict or row.keys() != names for row in rows):
        raise BadRequest("The instances name different inputs. Give every instance the same names.")
    return {name: [row[name] for row in rows] for name in names}


def _whole(inputs: Any, spec: ModelSpec) -> Mapping[str, Any]:
    return inputs if _named(inputs) else {_only_input(spec): inputs}


def _named(value: Any) -> bool:
    return type(value) is dict and value.keys() != _BASE64


def _only_input(spec: ModelSpec) -> str:
    if len(spec.inputs) != 1:
        names = ", ".join(tensor.name for tensor in spec.inputs)
        raise BadRequest(f"The model has several inputs. Name them in an object: {names}.")
    return spec.inputs[0].name


def _tensor(expected: TensorSpec, value: Any, *, by_row: bool) -> Tensor:
    if type(value) is not list:
        raise BadRequest(f"Input {expected.name} is no list. Send its values with the batch axis first.")
    shape: list[int] = []
    inner: Any = value
    while type(inner) is list:
        shape.append(len(inner))
        inner = inner[0] if inner else None
    values = flatten(expected.name, value, shape)
    # An instance of a model that takes one number is naturally written as that number.
    if by_row and len(shape) == len(expected.shape) - 1 and expected.shape[-1] in (1, -1):
        shape.append(1)
    if expected.datatype == "BYTES":
        data = pack_elements([_element(expected.name, element) for element in values])
    else:
        data = pack(expected.name, expected.datatype, values)
    return Tensor(expected.name, expected.datatype, tuple(shape), data)


def _element(name: str, value: Any) -> bytes:
    try:
        if type(value) is str:
            return value.encode()
        if type(value) is dict and value.keys() == _BASE64:
            return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        pass
    raise BadRequest(
        f'Input {name} holds a value that is neither text nor {{"b64": "…"}}. Send one of these.'
    )

"""The values that travel between the gateway's layers: plain, frozen, protocol-neutral."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

TensorBytes: TypeAlias = bytes | bytearray | memoryview
ParameterValue: TypeAlias = str | int | float | bool

# Bytes per element of every fixed-size datatype of the V2 protocol (Triton adds BF16).
# BYTES is the one variable-size datatype: each element is a 4-byte little-endian length, then the bytes.
ITEM_SIZES: Mapping[str, int] = {
    "BOOL": 1,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "FP16": 2,
    "BF16": 2,
    "FP32": 4,
    "FP64": 8,
}
DATATYPES = frozenset({*ITEM_SIZES, "BYTES"})
_ELEMENT_LENGTH = struct.Struct("<I")


def pack_elements(elements: Iterable[bytes]) -> bytes:
    """Return the layout of the given elements, in order."""
    parts: list[bytes] = []
    for element in elements:
        parts.append(_ELEMENT_LENGTH.pack(len(element)))
        parts.append(element)
    return b"".join(parts)


def iterate_elements(data: TensorBytes) -> Iterator[bytes]:
    """Yield the elements of a BYTES tensor.

    Raises:
        ValueError: a length prefix is cut off or points past the end.
    """
    view, end, position = memoryview(data), len(data), 0
    while position < end:
        start = position + 4
        if start > end:
            raise ValueError("a length prefix is cut off")
        position = start + _ELEMENT_LENGTH.unpack_from(view, position)[0]
        if position > end:
            raise ValueError("an element's length points past the end of the data")
        yield bytes(view[start:position])


def count_elements(data: TensorBytes) -> int:
    """Return the number of elements of a BYTES tensor without copying any.

    Raises:
        ValueError: a length prefix is cut off or points past the end.
    """
    end, position, count = len(data), 0, 0
    while position < end:
        if position + 4 > end:
            raise ValueError("a length prefix is cut off")
        position += 4 + _ELEMENT_LENGTH.unpack_from(data, position)[0]
        count += 1
    if position > end:
        raise ValueError("an element's length points past the end of the data")
    return count


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """The pair a request is sent to.

    Attributes:
        model: name of the model in the Triton repository.
        version: its version, a positive integer in decimal.
    """

    model: str
    version: str


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says of one input or output.

    Attributes:
        name: the tensor's name.
        datatype: V2 name, one of `DATATYPES`.
        shape: full shape, -1 for a dynamic axis; includes the batch axis when the model batches.
        optional: whether a request may leave this input out.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The contract of one servable model version, as Triton states it.

    Attributes:
        model_version: which model and version this is.
        platform: Triton's platform string, e.g. `onnxruntime_onnx`.
        inputs: the inputs, in the model's order.
        outputs: the outputs, in the model's order.
        max_batch_size: 0 when the model does not batch; shapes then have no batch axis.
        instances: execution copies Triton keeps of it, at least 1.
        decoupled: whether a request may be answered by any number of responses.
        labels: whether at least one output has a label file.
    """

    model_version: ModelVersion
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    instances: int = 1
    decoupled: bool = False
    labels: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named array of a request or response.

    Attributes:
        name: the tensor's name.
        datatype: V2 name, one of `DATATYPES`.
        shape: full shape including the batch axis.
        data: the elements in the V2 binary layout: row-major, little-endian, BOOL one byte per element,
            BYTES as length-prefixed elements.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: TensorBytes

    @property
    def elements(self) -> int:
        """Number of elements the shape holds."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output the client asked for.

    Attributes:
        name: the output's name.
        classification: 0 for the plain tensor, n for the top n classes as BYTES.
    """

    name: str
    classification: int = 0


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One inference, protocol-neutral.

    Attributes:
        model: the name the client called.
        version: what the client asked for: "" for the default, else a number or an alias.
        id: the client's request id, or "".
        inputs: the input tensors, in the client's order.
        outputs: the outputs to return, in this order; empty for all.
        parameters: allow-listed request parameters that go on to Triton.
    """

    model: str
    version: str
    id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[RequestedOutput, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InferResponse:
    """The answer to an `InferRequest`.

    Attributes:
        model_version: which model version answered.
        id: the request's id, or "".
        outputs: the output tensors.
    """

    model_version: ModelVersion
    id: str
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller.

    Attributes:
        key_id: public id of the API key.
        project: name of the project that owns the key.
        scopes: what the key may do, from `gateway.types.SCOPES`.
        models: globs (`fnmatch`) of the model names it may reach.
    """

    key_id: str
    project: str
    scopes: frozenset[str]
    models: tuple[str, ...] = ("*",)


# infer: run inferences; read: see metadata and the catalog; deploy: change what is served;
# admin: everything, including keys and projects.
SCOPES = ("infer", "read", "deploy", "admin")


STABLE = "stable"
CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """Which versions of a model answer its requests.

    Attributes:
        model: name of the model; its endpoint has the same name.
        stable: the version that answers when a request names none.
        aliases: version by alias, `stable` included.
        admitted: versions that passed every step of a deployment; no other is ever served.
        rollout: id of the running rollout, "" when there is none.
        candidate: the version under trial in it, "" when there is none.
        weight: percent of the requests that name no version which the candidate answers, 0 to 100.
    """

    model: str
    stable: str
    aliases: Mapping[str, str]
    admitted: frozenset[str]
    rollout: str = ""
    candidate: str = ""
    weight: int = 0


# What the data plane asks for every request; None for a model without a stable version.
PolicyOf: TypeAlias = Callable[[str], RoutingPolicy | None]

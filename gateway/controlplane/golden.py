"""Golden requests: what a version must answer before it may serve.

`golden.json` lies in the version folder::

    {"format_version": 1,
     "requests": [{"inputs":  [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}],
                   "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 1], "data": [3.0]}],
                   "tolerance": {"atol": 1e-4, "rtol": 1e-3}}]}

Tensors are those of V2's JSON, their data flat and row-major. An output fits where
`|got - expected| <= atol + rtol * |expected|`, element by element; integers, booleans and BYTES must be
equal.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from gateway.types import InferRequest, Tensor, iterate_elements, pack_elements

FORMAT_VERSION = 1
_FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h",
    "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
Element: TypeAlias = bool | int | float | str


class _Tensor(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[Element, ...]


class _Tolerance(msgspec.Struct, frozen=True):
    atol: float = 1e-4
    rtol: float = 1e-3


class _Request(msgspec.Struct, frozen=True):
    inputs: tuple[_Tensor, ...]
    outputs: tuple[_Tensor, ...]
    tolerance: _Tolerance = _Tolerance()


class _Golden(msgspec.Struct, frozen=True):
    format_version: int
    requests: tuple[_Request, ...]


_DECODER = msgspec.json.Decoder(_Golden)


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """A request whose answer is known.

    Attributes:
        request: what to send.
        outputs: what must come back.
        atol: absolute tolerance.
        rtol: tolerance relative to the expected value.
    """

    request: InferRequest
    outputs: tuple[_Tensor, ...]
    atol: float
    rtol: float

    def difference(self, answer: Sequence[Tensor]) -> str | None:
        """Return the first way in which an answer does not fit, as a clause, or None when it fits."""
        got = {tensor.name: tensor for tensor in answer}
        for expected in self.outputs:
            tensor = got.get(expected.name)
            if tensor is None:
                return f"output {expected.name} is missing"
            if (tensor.datatype, tensor.shape) != (expected.datatype, expected.shape):
                return f"output {expected.name} has another datatype or shape"
            values = _unpack(tensor)
            for index, (value, wanted) in enumerate(zip(values, expected.data, strict=True)):
                if not self._fits(value, wanted, expected.datatype):
                    return f"element {index} of output {expected.name} is outside the tolerance"
        return None

    def _fits(self, value: Element, wanted: Element, datatype: str) -> bool:
        if datatype not in _FLOATS or isinstance(value, str) or isinstance(wanted, str):
            return value == wanted
        return math.isfinite(value) and abs(value - wanted) <= self.atol + self.rtol * abs(wanted)


def parse(content: bytes, model: str, version: str) -> tuple[GoldenRequest, ...]:
    """Return the golden requests of a version.

    Raises:
        ValueError: the content is not what the module's docstring describes.
    """
    try:
        golden = _DECODER.decode(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if golden.format_version != FORMAT_VERSION:
        raise ValueError("its format is not known")
    if not golden.requests:
        raise ValueError("it holds no request")
    return tuple(
        GoldenRequest(
            InferRequest(model, version, "", tuple(_pack(tensor) for tensor in request.inputs)),
            tuple(_checked(tensor) for tensor in request.outputs),
            request.tolerance.atol,
            request.tolerance.rtol,
        )
        for request in golden.requests
    )


def _checked(tensor: _Tensor) -> _Tensor:
    if any(dim < 0 for dim in tensor.shape) or math.prod(tensor.shape) != len(tensor.data):
        raise ValueError(f"tensor {tensor.name} has another number of elements than its shape")
    return tensor


def _pack(tensor: _Tensor) -> Tensor:
    _checked(tensor)
    if tensor.datatype == "BYTES":
        data = pack_elements(str(element).encode() for element in tensor.data)
    elif tensor.datatype in _FORMATS:
        try:
            data = struct.pack(f"<{len(tensor.data)}{_FORMATS[tensor.datatype]}", *tensor.data)
        except (struct.error, OverflowError) as error:
            raise ValueError(f"tensor {tensor.name} holds a value that is no {tensor.datatype}") from error
    else:
        raise ValueError(f"tensor {tensor.name} has a datatype that golden requests cannot hold")
    return Tensor(tensor.name, tensor.datatype, tensor.shape, data)


def _unpack(tensor: Tensor) -> tuple[Element, ...]:
    if tensor.datatype == "BYTES":
        return tuple(element.decode("utf-8", "replace") for element in iterate_elements(tensor.data))
    return struct.unpack(f"<{tensor.elements}{_FORMATS[tensor.datatype]}", tensor.data)

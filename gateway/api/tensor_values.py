"""JSON values to tensor data and back.

FP16 and BF16 do not travel in JSON, as in Triton. Nothing is coerced: a number out of the datatype's range,
a float where an integer belongs or a number where a boolean belongs is an error, never another value.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

from gateway.errors import BadRequest
from gateway.types import Tensor, iterate_elements, pack_elements

_CODES: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP32": "f",
    "FP64": "d",
}
_INTEGER = frozenset({int})
_NUMBER = frozenset({int, float})
_ACCEPTED: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "FP32": _NUMBER,
    "FP64": _NUMBER,
    "BYTES": frozenset({str}),
}
BINARY_ONLY = ("FP16", "BF16")


def pack(name: str, datatype: str, values: Sequence[Any]) -> bytes:
    """Return flat JSON values as tensor data.

    Args:
        name: the tensor's, for messages.
        datatype: a V2 datatype.
        values: as many as the shape holds, row-major.

    Raises:
        BadRequest: a value is not of the datatype, or the datatype does not travel in JSON.
    """
    if datatype in BINARY_ONLY:
        raise BadRequest(f"Input {name}: {datatype} does not travel in JSON. Send it as a binary tensor.")
    if not _ACCEPTED.get(datatype, _INTEGER).issuperset(map(type, values)):
        raise BadRequest(f"Input {name} holds a value that is no {datatype}. Send {datatype} values only.")
    if datatype == "BYTES":
        try:
            return pack_elements([value.encode() for value in values])
        except UnicodeEncodeError:
            raise BadRequest(f"Input {name} holds text that is not valid UTF-8. Send it as binary.") from None
    try:
        return struct.pack(f"<{len(values)}{_CODES[datatype]}", *values)
    except KeyError:
        raise BadRequest(
            f"Input {name} has an unknown datatype. Use the one in the model's metadata."
        ) from None
    except (struct.error, OverflowError):
        raise BadRequest(f"Input {name} holds a value out of {datatype}'s range. Correct it.") from None


def flatten(name: str, values: list[Any], shape: Sequence[int]) -> list[Any]:
    """Return values that are flat already, or nested exactly by `shape`, as one flat list.

    Raises:
        BadRequest: nested in another way than the shape says.
    """
    if not values or type(values[0]) is not list:
        return values
    level = values
    fits = len(shape) > 1 and len(level) == shape[0]
    for dim in shape[1:]:
        if not fits:
            break
        fits = all(type(row) is list and len(row) == dim for row in level)
        level = list(chain.from_iterable(level)) if fits else level
    if not fits:
        raise BadRequest(f"Input {name}: data is not nested as its shape says. Nest it so, or send it flat.")
    return level


def unpack(tensor: Tensor) -> Sequence[Any]:
    """Return a tensor's elements as flat JSON values; NaN and infinities will be encoded as null.

    Raises:
        BadRequest: the datatype, or a BYTES element that is not UTF-8, does not travel in JSON.
    """
    if tensor.datatype in BINARY_ONLY:
        raise BadRequest(
            f"Output {tensor.name}: {tensor.datatype} does not travel in JSON. Ask for it as a binary tensor."
        )
    if tensor.datatype == "BYTES":
        try:
            return [element.decode() for element in iterate_elements(tensor.data)]
        except UnicodeDecodeError:
            raise BadRequest(
                f"Output {tensor.name} holds bytes that are not UTF-8. Ask for it as a binary tensor."
            ) from None
    return struct.unpack(f"<{tensor.elements}{_CODES[tensor.datatype]}", tensor.data)


def nest(values: Sequence[Any], shape: Sequence[int]) -> Any:
    """Return flat values nested by `shape`; a single value for an empty shape."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    size = prod(shape[1:])
    return [nest(values[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]

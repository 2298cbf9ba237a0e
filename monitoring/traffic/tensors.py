"""Random tensors that fit a model's metadata, as JSON values and as V2 binary data."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.errors import UnsupportedInput

Value = float | int | bool | str

# What stands for a dimension the model leaves open, the batch excepted.
OPEN_DIMENSION = 4
MAX_BATCH = 4

# struct format by datatype; all little-endian (KServe V2, binary tensor extension).
FORMATS: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
WORDS = ("tide", "gate", "wave", "model", "tensor")


@dataclass(frozen=True)
class TensorSpec:
    """One input as `/v2/models/<model>` describes it; a dimension of -1 is open.

    Attributes:
        name: of the input.
        datatype: V2 name.
        shape: batch dimension included.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def batched(self) -> bool:
        """Whether the first dimension is open, as the batch's is."""
        return bool(self.shape) and self.shape[0] == -1

    @property
    def json_possible(self) -> bool:
        """Whether JSON may carry the values; FP16 has no JSON form in V2."""
        return self.datatype != "FP16"


@dataclass(frozen=True)
class Tensor:
    """Values, flat and row-major, of a concrete shape."""

    spec: TensorSpec
    shape: tuple[int, ...]
    values: Sequence[Value]

    def nested(self) -> Any:
        """Return the values as lists nested by shape."""
        return _nest(self.values, self.shape)

    def binary(self) -> bytes:
        """Return V2 binary data; BYTES elements carry their length as a little-endian uint32."""
        if self.spec.datatype == "BYTES":
            return b"".join(
                struct.pack("<I", len(text)) + text for text in (str(v).encode() for v in self.values)
            )
        return struct.pack(f"<{len(self.values)}{FORMATS[self.spec.datatype]}", *self.values)


def make_tensor(spec: TensorSpec, batch: int, dice: random.Random) -> Tensor:
    """Return a random tensor for `spec`.

    Raises:
        UnsupportedInput: for a datatype that is neither numeric, BOOL nor BYTES.
    """
    if spec.datatype not in FORMATS and spec.datatype != "BYTES":
        raise UnsupportedInput(
            f"Input {spec.name} takes {spec.datatype}, which the traffic cannot make; leave it out."
        )
    shape = tuple(
        dim if dim >= 0 else batch if position == 0 else OPEN_DIMENSION
        for position, dim in enumerate(spec.shape)
    )
    draw = _draw(spec.datatype, dice)
    return Tensor(spec, shape, [draw() for _ in range(math.prod(shape))])


def _draw(datatype: str, dice: random.Random) -> Callable[[], Value]:
    if datatype == "BYTES":
        return lambda: dice.choice(WORDS)
    if datatype == "BOOL":
        return lambda: dice.random() < 0.5
    if datatype.startswith("FP"):
        return dice.random
    # Small, since integers are mostly indices into something.
    return lambda: dice.randrange(2)


def _nest(values: Sequence[Value], shape: tuple[int, ...]) -> Any:
    if not shape:
        return values[0]
    if len(shape) == 1:
        return list(values)
    step = len(values) // shape[0] if shape[0] else 0
    return [_nest(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]

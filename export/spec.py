"""The export spec: one YAML file per model, checked before anything is imported or run.

`docs/reference/spec.md` holds the table of fields; a test compares it with the models here.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
    model_validator,
)

from export.datatypes import DATATYPES, LIMITS
from export.names import is_model_name

Dim = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(strict=True, ge=1, le=1024)]
Number = Annotated[float, Field(allow_inf_nan=False)]
TensorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")]
ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tensor(_Section):
    """One input or output; `dims` leave out the batch, as in `config.pbtxt`."""

    name: TensorName
    datatype: str
    dims: tuple[Dim, ...]

    @field_validator("datatype")
    @classmethod
    def _known_datatype(cls, value: str) -> str:
        if value not in DATATYPES:
            raise ValueError(f"{value!r} is not a datatype; allowed: {', '.join(DATATYPES)}")
        return value


class Input(Tensor):
    """An input; `range` bounds the random values that the parity gate feeds it."""

    range: tuple[Number, Number] | None = None

    @model_validator(mode="after")
    def _range_fits(self) -> "Input":
        kind = DATATYPES[self.datatype].kind
        if kind == "integer" and self.range is None:
            raise ValueError("an integer input needs `range: [low, high]`, the values the model accepts")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("`range` is [low, high] with low below high")
        if kind == "integer" and self.range is not None:
            low, high = LIMITS[self.datatype]
            if not all(value.is_integer() and low <= value <= high for value in self.range):
                raise ValueError(
                    f"`range` of an {self.datatype} input holds two whole numbers, {low} to {high}"
                )
        return self


class Output(Tensor):
    """An output; `labels` is a text file with one class name per line."""

    labels: Path | None = None


class Tolerance(_Section):
    """Accepted difference to PyTorch: |artifact - torch| <= atol + rtol * |torch|, element by element."""

    atol: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-5
    rtol: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4


class Batching(_Section):
    """Triton's dynamic batcher; queue and timeout are finite so that overload is refused, not piled up."""

    max_queue_delay_microseconds: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = 500
    preferred_batch_size: tuple[Count, ...] = ()
    max_queue_size: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 256
    timeout_microseconds: Annotated[int, Field(strict=True, ge=1000, le=3_600_000_000)] = 5_000_000


class Instances(_Section):
    """Execution copies of the model."""

    count: Annotated[int, Field(strict=True, ge=1, le=64)] = 1


class Threads(_Section):
    """Threads of one instance; 0 lets the server share the cores among the instances."""

    intra_op_thread_count: Annotated[int, Field(strict=True, ge=0, le=256)] = 1


class Spec(_Section):
    """One model: what to export, how to check it, how to serve it."""

    model: str
    architecture: ImportPath
    arguments: dict[str, Any] = {}
    checkpoint: str
    training: str | None = None
    inputs: Annotated[tuple[Input, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)]
    max_batch_size: Count
    target: Literal["onnx"] = "onnx"
    precision: Literal["fp32"] = "fp32"
    tolerance: Tolerance = Tolerance()
    batching: Batching = Batching()
    instances: Instances = Instances()
    threads: Threads = Threads()
    warm_up: StrictBool = True
    seed: Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)] = 0

    @field_validator("model")
    @classmethod
    def _safe_name(cls, value: str) -> str:
        if not is_model_name(value):
            raise ValueError(
                f"{value!r} is not a model name; use 1 to 128 of A-Z a-z 0-9 _ . - "
                "and start with a letter or digit"
            )
        return value

    @model_validator(mode="after")
    def _tensors_and_batches_agree(self) -> "Spec":
        names = [tensor.name for tensor in (*self.inputs, *self.outputs)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"tensor names must be unique; {', '.join(repeated)} is used more than once")
        too_large = [size for size in self.batching.preferred_batch_size if size > self.max_batch_size]
        if too_large:
            raise ValueError(
                f"batching.preferred_batch_size {too_large[0]} is above max_batch_size {self.max_batch_size}"
            )
        return self

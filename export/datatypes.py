"""Triton datatypes that an exported tensor may have, and their names elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Datatype:
    """One datatype.

    Attributes:
        name: in the protocol and in the spec.
        config: in `config.pbtxt`.
        numpy: name of the numpy dtype; `torch` has the same names.
        onnx: name of `onnx.TensorProto`'s member.
        kind: `float`, `integer` or `bool`.
    """

    name: str
    config: str
    numpy: str
    onnx: str
    kind: str


DATATYPES: Mapping[str, Datatype] = MappingProxyType(
    {
        "BOOL": Datatype("BOOL", "TYPE_BOOL", "bool", "BOOL", "bool"),
        "UINT8": Datatype("UINT8", "TYPE_UINT8", "uint8", "UINT8", "integer"),
        "INT8": Datatype("INT8", "TYPE_INT8", "int8", "INT8", "integer"),
        "INT16": Datatype("INT16", "TYPE_INT16", "int16", "INT16", "integer"),
        "INT32": Datatype("INT32", "TYPE_INT32", "int32", "INT32", "integer"),
        "INT64": Datatype("INT64", "TYPE_INT64", "int64", "INT64", "integer"),
        "FP16": Datatype("FP16", "TYPE_FP16", "float16", "FLOAT16", "float"),
        "FP32": Datatype("FP32", "TYPE_FP32", "float32", "FLOAT", "float"),
        "FP64": Datatype("FP64", "TYPE_FP64", "float64", "DOUBLE", "float"),
    }
)

LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "UINT8": (0, 2**8 - 1),
        "INT8": (-(2**7), 2**7 - 1),
        "INT16": (-(2**15), 2**15 - 1),
        "INT32": (-(2**31), 2**31 - 1),
        "INT64": (-(2**63), 2**63 - 1),
    }
)
"""Lowest and highest value of the integer datatypes."""

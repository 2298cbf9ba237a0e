"""From a trained PyTorch model to a proven version in the model repository.

This package imports without torch, onnx, numpy and pydantic: whoever only reads the repository pays for
none of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from export.errors import ExportError, ToolError, UserError
from export.exporter import STEPS, ExportResult, export_model
from export.repository import ModelRepository, Problem
from export.target import Target

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "onnx": Target(
            name="onnx",
            convert="export.to_onnx:to_onnx",
            check="export.check_onnx:check_onnx",
            parity="export.parity:check_parity",
        ),
    }
)

PRECISIONS = ("fp32",)

__all__ = [
    "PRECISIONS",
    "STEPS",
    "TARGETS",
    "ExportError",
    "ExportResult",
    "ModelRepository",
    "Problem",
    "Target",
    "ToolError",
    "UserError",
    "export_model",
]

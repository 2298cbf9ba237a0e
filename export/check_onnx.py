"""The check gate: the saved ONNX file is valid, old enough for every supported Triton, and as in the spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from export.datatypes import DATATYPES
from export.errors import GateError
from export.spec import Spec, Tensor

# ONNX Runtime 1.19.2, in the oldest Triton supported, reads no newer ones.
MAX_OPSET = 20
MAX_IR = 10
_DOMAINS = ("", "ai.onnx")


def check_onnx(path: Path, spec: Spec) -> dict[str, Any]:
    """Check the file as saved, not the program in memory.

    Returns:
        Opset, IR version, producer and number of nodes, for the manifest.

    Raises:
        GateError: with what was found and what is allowed.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise GateError(f"the check gate refused {path.name}: {error}; simplify the architecture") from error
    model = onnx.load(str(path), load_external_data=False)
    opset = _check_versions(model)
    _check_tensors("input", model.graph.input, spec.inputs)
    _check_tensors("output", model.graph.output, spec.outputs)
    return {
        "opset": opset,
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "nodes": len(model.graph.node),
    }


def _check_versions(model: onnx.ModelProto) -> int:
    foreign = sorted({entry.domain for entry in model.opset_import} - set(_DOMAINS))
    used = sorted({node.domain for node in model.graph.node if node.domain in foreign})
    if used:
        raise GateError(
            f"the check gate refused the graph: it uses operators of {', '.join(used)}, which Triton's "
            "ONNX Runtime does not have; use standard operators"
        )
    opset: int = max(entry.version for entry in model.opset_import if entry.domain in _DOMAINS)
    for what, found, limit in (("opset", opset, MAX_OPSET), ("IR version", model.ir_version, MAX_IR)):
        if found > limit:
            raise GateError(
                f"the check gate refused the graph: {what} {found}, allowed up to {limit}; "
                "export with the pinned torch version"
            )
    return opset


def _check_tensors(kind: str, values: Sequence[onnx.ValueInfoProto], wanted: Sequence[Tensor]) -> None:
    names, expected = [value.name for value in values], [tensor.name for tensor in wanted]
    if names != expected:
        raise GateError(
            f"the check gate refused the graph: its {kind}s are {names}, the spec has {expected}; "
            f"an input the model never uses disappears, so correct `{kind}s` or the architecture"
        )
    for value, tensor in zip(values, wanted, strict=True):
        _check_tensor(kind, value, tensor)


def _check_tensor(kind: str, value: onnx.ValueInfoProto, tensor: Tensor) -> None:
    found = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if found != DATATYPES[tensor.datatype].onnx:
        raise GateError(
            f"the check gate refused {kind} {tensor.name}: the model has {found}, the spec "
            f"{tensor.datatype}; correct `datatype`"
        )
    batch, *dims = value.type.tensor_type.shape.dim
    if not batch.dim_param:
        raise GateError(
            f"the check gate refused {kind} {tensor.name}: its batch is fixed at {batch.dim_value}; "
            "the first axis of every input and output must be the batch, and its size must not decide what "
            "Python code runs"
        )
    shape = [dim.dim_param or dim.dim_value for dim in dims]
    if shape != list(tensor.dims):
        raise GateError(
            f"the check gate refused {kind} {tensor.name}: the model has dims {shape}, "
            f"the spec {list(tensor.dims)}; correct `dims` (they leave out the batch)"
        )

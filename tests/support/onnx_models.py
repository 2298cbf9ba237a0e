"""Small ONNX models and their configurations, written as a model repository for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2 as mc

OPSET, IR_VERSION = 20, 10

# config.pbtxt datatype → ONNX element type, for everything ONNX and the embedded Triton share.
ELEMENT_TYPES: dict[str, int] = {
    "TYPE_BOOL": TensorProto.BOOL,
    "TYPE_UINT8": TensorProto.UINT8,
    "TYPE_UINT16": TensorProto.UINT16,
    "TYPE_UINT32": TensorProto.UINT32,
    "TYPE_UINT64": TensorProto.UINT64,
    "TYPE_INT8": TensorProto.INT8,
    "TYPE_INT16": TensorProto.INT16,
    "TYPE_INT32": TensorProto.INT32,
    "TYPE_INT64": TensorProto.INT64,
    "TYPE_FP16": TensorProto.FLOAT16,
    "TYPE_FP32": TensorProto.FLOAT,
    "TYPE_FP64": TensorProto.DOUBLE,
    "TYPE_STRING": TensorProto.STRING,
}

Dims = Sequence[int | str | None]
Tensor = tuple[str, str, Sequence[int]]
"""Name, `TYPE_…` and dims as they stand in config.pbtxt."""


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, str, Dims]],
    outputs: Sequence[tuple[str, str, Dims]],
    initializers: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """A checked model from its nodes; a dimension given as a string is dynamic."""
    built = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(n, ELEMENT_TYPES.get(t, TensorProto.BFLOAT16), s)
            for n, t, s in inputs
        ],
        [
            helper.make_tensor_value_info(n, ELEMENT_TYPES.get(t, TensorProto.BFLOAT16), s)
            for n, t, s in outputs
        ],
        list(initializers),
    )
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def config(
    name: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    *,
    max_batch_size: int = 8,
    instances: int = 1,
    dynamic_batching: bool = True,
    max_queue_delay_us: int = 0,
    parameters: Mapping[str, str] | None = None,
    edit: Callable[[Any], None] | None = None,
) -> Any:
    """A complete `ModelConfig`; `edit` may change the message further."""
    message = mc.ModelConfig(name=name, backend="onnxruntime", max_batch_size=max_batch_size)
    for tensor_name, data_type, dims in inputs:
        message.input.add(name=tensor_name, data_type=mc.DataType.Value(data_type), dims=list(dims))
    for tensor_name, data_type, dims in outputs:
        message.output.add(name=tensor_name, data_type=mc.DataType.Value(data_type), dims=list(dims))
    message.instance_group.add(count=instances)
    if dynamic_batching and max_batch_size:
        message.dynamic_batching.max_queue_delay_microseconds = max_queue_delay_us
    for key, value in (parameters or {}).items():
        message.parameters[key].string_value = value
    if edit is not None:
        edit(message)
    return message


def write_config(directory: Path, message: Any) -> None:
    """Write a model's `config.pbtxt`."""
    (directory / "config.pbtxt").write_text(text_format.MessageToString(message))


def write_model(repository: Path, message: Any, model: onnx.ModelProto, version: int = 1) -> Path:
    """Write one version of a model and its configuration; returns the model's directory."""
    directory: Path = repository / str(message.name)
    (directory / str(version)).mkdir(parents=True)
    write_config(directory, message)
    onnx.save(model, directory / str(version) / "model.onnx")
    return directory


def write_identity(
    repository: Path, name: str = "identity", data_type: str = "TYPE_FP32", width: int = -1, **options: Any
) -> Path:
    """`y = x`, shape [batch, width]."""
    dim: int | str = "width" if width == -1 else width
    shape: Dims = ["batch", dim]
    # Identity would be optimised away on paths we want exercised; it still copies input to output.
    model = graph(
        [helper.make_node("Identity", ["x"], ["y"])], [("x", data_type, shape)], [("y", data_type, shape)]
    )
    message = config(name, [("x", data_type, [width])], [("y", data_type, [width])], **options)
    return write_model(repository, message, model)


def write_two_by_two(repository: Path, name: str = "two_by_two", **options: Any) -> Path:
    """`sum = a + b`, `difference = a - b`, FP32 [batch, 4]."""
    shape: Dims = ["batch", 4]
    model = graph(
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])],
        [("a", "TYPE_FP32", shape), ("b", "TYPE_FP32", shape)],
        [("sum", "TYPE_FP32", shape), ("difference", "TYPE_FP32", shape)],
    )
    fp32: Callable[[str], Tensor] = lambda tensor: (tensor, "TYPE_FP32", [4])  # noqa: E731
    message = config(name, [fp32("a"), fp32("b")], [fp32("sum"), fp32("difference")], **options)
    return write_model(repository, message, model)


def write_gather(repository: Path, name: str = "gather", **options: Any) -> Path:
    """`y = table[idx]` over a table of 5 rows [10·i … 10·i+3]: an index outside -5…4 fails the run."""
    table = np.arange(5, dtype=np.float32)[:, None] * 10 + np.arange(4, dtype=np.float32)
    model = graph(
        [helper.make_node("Gather", ["table", "idx"], ["y"], axis=0)],
        [("idx", "TYPE_INT64", ["batch", "length"])],
        [("y", "TYPE_FP32", ["batch", "length", 4])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    message = config(name, [("idx", "TYPE_INT64", [-1])], [("y", "TYPE_FP32", [-1, 4])], **options)
    return write_model(repository, message, model)


def write_slow(
    repository: Path, name: str = "slow", rounds: int = 400, size: int = 256, **options: Any
) -> Path:
    """`y = x` after `rounds` multiplications of [size, size] matrices: tens of milliseconds and more."""
    weight = np.eye(size, dtype=np.float32)
    nodes = [
        helper.make_node(
            "Constant", [], ["zero"], value=onnx.numpy_helper.from_array(np.zeros(1, np.float32))
        )
    ]
    nodes.append(helper.make_node("MatMul", ["weight", "weight"], ["p0"]))
    # Depends on the input, or the optimiser would compute it once at load.
    nodes.append(helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["p0", "s"], ["m0"]))
    for i in range(rounds):
        nodes.append(helper.make_node("MatMul", [f"m{i}", "weight"], [f"m{i + 1}"]))
    nodes.append(helper.make_node("ReduceSum", [f"m{rounds}"], ["total"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["total", "zero"], ["nothing"]))
    nodes.append(helper.make_node("Add", ["x", "nothing"], ["y"]))
    shape: Dims = ["batch", 1]
    model = graph(
        nodes,
        [("x", "TYPE_FP32", shape)],
        [("y", "TYPE_FP32", shape)],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    message = config(name, [("x", "TYPE_FP32", [1])], [("y", "TYPE_FP32", [1])], **options)
    return write_model(repository, message, model)

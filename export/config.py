"""`config.pbtxt`, built as a protobuf message and never as text.

One file serves NVIDIA's ONNX Runtime backend on a GPU and the embedded one on the CPU, so it holds only
fields that Triton 2.51.0 knows, no `runtime`, and no instance kind: KIND_AUTO is the default and takes the
GPU where there is one.
"""

from collections.abc import Mapping
from typing import Any

from export.datatypes import DATATYPES
from export.spec import Spec, Tensor

BACKENDS = {"onnx": "onnxruntime"}


def config_text(spec: Spec, label_files: Mapping[str, str]) -> str:
    """The text of `config.pbtxt`.

    Args:
        spec: the checked spec.
        label_files: output name to the name of its labels file in the model directory.
    """
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig(
        name=spec.model, backend=BACKENDS[spec.target], max_batch_size=spec.max_batch_size
    )
    for tensor in spec.inputs:
        _fill(config.input.add(), tensor)
    for output in spec.outputs:
        row = config.output.add()
        _fill(row, output)
        row.label_filename = label_files.get(output.name, "")
    # Without a count, Triton starts two instances of this backend on a CPU.
    config.instance_group.add().count = spec.instances.count
    _fill_batching(config.dynamic_batching, spec)
    if spec.warm_up:
        for batch_size in sorted({1, spec.max_batch_size}):
            _fill_warm_up(config.model_warmup.add(), spec, batch_size)
    config.parameters["intra_op_thread_count"].string_value = str(spec.threads.intra_op_thread_count)
    return str(text_format.MessageToString(config))


def _fill(row: Any, tensor: Tensor) -> None:
    row.name = tensor.name
    row.data_type = _data_type(tensor)
    row.dims.extend(tensor.dims)


def _fill_batching(batching: Any, spec: Spec) -> None:
    batching.max_queue_delay_microseconds = spec.batching.max_queue_delay_microseconds
    batching.preferred_batch_size.extend(spec.batching.preferred_batch_size)
    policy = batching.default_queue_policy
    policy.max_queue_size = spec.batching.max_queue_size
    policy.default_timeout_microseconds = spec.batching.timeout_microseconds
    # A caller may ask for a shorter wait, never for a longer one: that is all Triton's override allows.
    policy.allow_timeout_override = True


def _fill_warm_up(warm_up: Any, spec: Spec, batch_size: int) -> None:
    warm_up.name = f"batch_{batch_size}"
    warm_up.batch_size = batch_size
    for tensor in spec.inputs:
        sample = warm_up.inputs[tensor.name]
        sample.data_type = _data_type(tensor)
        sample.dims.extend(tensor.dims)
        sample.zero_data = True


def _data_type(tensor: Tensor) -> int:
    from tritonclient.grpc import model_config_pb2

    return int(model_config_pb2.DataType.Value(DATATYPES[tensor.datatype].config))

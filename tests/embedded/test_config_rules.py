"""A config.pbtxt that does not fit its model is refused at load, in words that say what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest
from onnx import helper
from tritonclient.grpc import model_config_pb2 as mc

from tests.support import onnx_models
from tests.support.triton import RunningTriton

Edit = Callable[[Any], None]


def _optional(message: Any) -> None:
    message.input[0].optional = True


def _ragged(message: Any) -> None:
    message.input[0].allow_ragged_batch = True


def _no_outputs(message: Any) -> None:
    del message.output[:]


def _decoupled(message: Any) -> None:
    message.ClearField("dynamic_batching")
    message.model_transaction_policy.decoupled = True


def _sequences(message: Any) -> None:
    message.sequence_batching.direct.SetInParent()


def _openvino(message: Any) -> None:
    message.optimization.execution_accelerators.cpu_execution_accelerator.add(name="openvino")


def _graph_level(message: Any) -> None:
    message.optimization.graph.level = 7


def _parameter(key: str, value: str) -> Edit:
    def edit(message: Any) -> None:
        message.parameters[key].string_value = value

    return edit


def _rename(kind: str, name: str) -> Edit:
    def edit(message: Any) -> None:
        getattr(message, kind)[0].name = name

    return edit


def _datatype(kind: str, data_type: str) -> Edit:
    def edit(message: Any) -> None:
        getattr(message, kind)[0].data_type = mc.DataType.Value(data_type)

    return edit


def _dims(kind: str, *dims: int) -> Edit:
    def edit(message: Any) -> None:
        getattr(message, kind)[0].dims[:] = dims

    return edit


def _extra_input(message: Any) -> None:
    message.input.add(name="bias", data_type=mc.DataType.Value("TYPE_FP32"), dims=[4])


REFUSED: dict[str, tuple[Edit, str]] = {
    "input name": (_rename("input", "z"), "config.pbtxt leaves out 'x'; list every input"),
    "extra input": (_extra_input, "input 'bias' of config.pbtxt is not in the model, which has 'x'"),
    "output name": (_rename("output", "z"), "output 'z' of config.pbtxt is not in the model, which has 'y'"),
    "input datatype": (_datatype("input", "TYPE_INT64"), "model has TYPE_FP32; write data_type: TYPE_FP32"),
    "output datatype": (
        _datatype("output", "TYPE_FP16"),
        "output 'y': config.pbtxt says data_type TYPE_FP16",
    ),
    "input dims": (_dims("input", 5), "input 'x' has dims [5] in config.pbtxt"),
    "input rank": (_dims("input", 2, 2), "input 'x' has 2 dims [2, 2] in config.pbtxt"),
    "output dims": (_dims("output", -1), "output 'y' has dims [-1] in config.pbtxt"),
    "no outputs": (_no_outputs, "must list every input and output"),
    "optional": (_optional, "input 'x' cannot be optional while max_batch_size is 8"),
    "ragged": (_ragged, "does not support allow_ragged_batch"),
    "decoupled": (_decoupled, "cannot be decoupled"),
    "sequence batching": (_sequences, "does not support sequence_batching"),
    "accelerator": (_openvino, "has no CPU execution accelerator 'openvino'"),
    "graph level": (_graph_level, "optimization graph level 7 does not exist"),
    "threads": (_parameter("intra_op_thread_count", "many"), "intra_op_thread_count is 'many'"),
    "execution mode": (_parameter("execution_mode", "2"), "execution_mode is '2'"),
    "arena": (_parameter("enable_mem_arena", "yes"), "enable_mem_arena is 'yes'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(triton: RunningTriton, case: str) -> None:
    edit, expected = REFUSED[case]
    name = "refused_" + case.replace(" ", "_")
    # _sequences and _decoupled need the batcher out of their way, as config.pbtxt allows one scheduler.
    onnx_models.write_identity(triton.model_repository, name, width=4, dynamic_batching=False, edit=edit)

    answer = triton.load(name)

    assert answer.status_code == 400, answer.text
    assert f"model '{name}' version 1: " in answer.text or "no outputs" in case
    assert expected in answer.json()["error"]


def load_model(triton: RunningTriton, name: str, model: onnx.ModelProto, config: Any) -> str:
    onnx_models.write_model(triton.model_repository, config, model)
    answer = triton.load(name)
    return "" if answer.status_code == 200 else str(answer.json()["error"])


def test_a_fixed_first_dimension_cannot_be_batched(triton: RunningTriton) -> None:
    model = onnx_models.graph(
        [helper.make_node("Neg", ["x"], ["y"])], [("x", "TYPE_FP32", [1, 4])], [("y", "TYPE_FP32", [1, 4])]
    )
    config = onnx_models.config("fixed_batch", [("x", "TYPE_FP32", [4])], [("y", "TYPE_FP32", [4])])
    assert "whose first dimension is not dynamic" in load_model(triton, "fixed_batch", model, config)


def test_bf16_is_refused_with_a_way_out(triton: RunningTriton) -> None:
    model = onnx_models.graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        [("x", "TYPE_BF16", ["batch", 4])],
        [("y", "TYPE_BF16", ["batch", 4])],
    )
    config = onnx_models.config("bf16", [("x", "TYPE_BF16", [4])], [("y", "TYPE_BF16", [4])])
    error = load_model(triton, "bf16", model, config)
    assert "input 'x' is BF16" in error
    assert "FP32 or FP16" in error


def test_an_input_may_be_narrower_than_the_model_allows(triton: RunningTriton) -> None:
    model = onnx_models.graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        [("x", "TYPE_FP32", ["batch", "width"])],
        [("y", "TYPE_FP32", ["batch", "width"])],
    )
    config = onnx_models.config("narrow", [("x", "TYPE_FP32", [4])], [("y", "TYPE_FP32", [-1])])
    assert load_model(triton, "narrow", model, config) == ""


def test_gpu_accelerators_and_unknown_parameters_are_ignored(triton: RunningTriton) -> None:
    def tensorrt(message: Any) -> None:
        accelerator = message.optimization.execution_accelerators.gpu_execution_accelerator.add(
            name="tensorrt"
        )
        accelerator.parameters["trt_engine_cache_enable"] = "1"
        message.parameters["of_somebody_else"].string_value = "x"

    onnx_models.write_identity(triton.model_repository, "for_gpus_too", width=4, edit=tensorrt)
    assert triton.load("for_gpus_too").status_code == 200


def test_a_failed_load_does_not_make_the_server_unready(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "broken", width=4, edit=_rename("input", "z"))
    assert triton.load("broken").status_code == 400
    assert triton.get("/v2/health/ready").status_code == 200

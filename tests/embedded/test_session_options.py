"""What config.pbtxt says about the session reaches ONNX Runtime."""

from __future__ import annotations

from typing import Any

import onnxruntime as ort
import pytest

from embedded.backends.onnxruntime.errors import UnservableModelError, public_text
from embedded.backends.onnxruntime.model_config import read_config
from embedded.backends.onnxruntime.session import available_processors, run_options, session_options


def config(**fields: Any) -> Any:
    tensor = {"name": "x", "data_type": "TYPE_FP32", "dims": ["4"]}
    return read_config({"name": "m", "max_batch_size": 8, "input": [tensor], "output": [tensor], **fields})


def parameters(**values: str) -> dict[str, Any]:
    return {key.replace("__", "."): {"string_value": value} for key, value in values.items()}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, ort.GraphOptimizationLevel.ORT_ENABLE_ALL),
        (-1, ort.GraphOptimizationLevel.ORT_ENABLE_BASIC),
        (1, ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED),
        (2, ort.GraphOptimizationLevel.ORT_DISABLE_ALL),
    ],
)
def test_graph_levels_mean_what_they_mean_natively(level: int, expected: Any) -> None:
    options = session_options(config(optimization={"graph": {"level": level}}))
    assert options.graph_optimization_level == expected


def test_instances_share_the_processors() -> None:
    processors = available_processors()
    assert session_options(config()).intra_op_num_threads == processors
    many = config(instance_group=[{"count": 2 * processors}])
    assert session_options(many).intra_op_num_threads == 1


def test_explicit_threads_and_modes_are_obeyed() -> None:
    values = parameters(
        intra_op_thread_count="3", inter_op_thread_count="2", execution_mode="1", enable_mem_arena="0",
        enable_mem_pattern="0",
    )  # fmt: skip
    options = session_options(config(parameters=values))
    assert options.intra_op_num_threads == 3
    assert options.inter_op_num_threads == 2
    assert options.execution_mode == ort.ExecutionMode.ORT_PARALLEL
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern


def test_arena_shrinkage_is_passed_to_every_run() -> None:
    assert run_options(config()) is None
    assert run_options(config(parameters=parameters(memory__enable_memory_arena_shrinkage="gpu:0"))) is None
    options = run_options(config(parameters=parameters(memory__enable_memory_arena_shrinkage="cpu:0;gpu:0")))
    assert options is not None
    assert options.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"


def test_a_negative_thread_count_is_refused() -> None:
    with pytest.raises(UnservableModelError, match="write a whole number"):
        session_options(config(parameters=parameters(intra_op_thread_count="-1")))


@pytest.mark.parametrize(
    ("raw", "public"),
    [
        (
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather "
            "node. Name:'' Status Message: idx=100 must be within [-5,4]",
            "idx=100 must be within [-5,4]",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from /srv/models/m/1/model.onnx failed:bad",
            "Load model from failed:bad",
        ),
        ("Status Message: /build/onnxruntime/core/reshape.h:45 cannot reshape {2,3}", "cannot reshape {2,3}"),
    ],
)
def test_error_texts_carry_no_paths(raw: str, public: str) -> None:
    assert public_text(RuntimeError(raw)) == public

"""Models of every kind, served by a real Triton through our backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
import tritonclient.http
from onnx import helper, numpy_helper

from tests.support import onnx_models
from tests.support.triton import RunningTriton

NUMBERS: dict[str, Any] = {
    "TYPE_UINT8": np.array([0, 1, 255], np.uint8),
    "TYPE_UINT16": np.array([0, 1, 65535], np.uint16),
    "TYPE_UINT32": np.array([0, 1, 2**32 - 1], np.uint32),
    "TYPE_UINT64": np.array([0, 1, 2**64 - 1], np.uint64),
    "TYPE_INT8": np.array([-128, 0, 127], np.int8),
    "TYPE_INT16": np.array([-(2**15), 0, 2**15 - 1], np.int16),
    "TYPE_INT32": np.array([-(2**31), 0, 2**31 - 1], np.int32),
    "TYPE_INT64": np.array([-(2**63), 0, 2**63 - 1], np.int64),
    "TYPE_FP16": np.array([-65504, 0.5, 6e-8], np.float16),
    "TYPE_FP32": np.array([-3.4e38, 0.1, np.inf], np.float32),
    "TYPE_FP64": np.array([-1.7e308, 0.1, 5e-324], np.float64),
    "TYPE_BOOL": np.array([True, False, True], np.bool_),
}


def infer(triton: RunningTriton, model: str, datatype: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Send one binary tensor `x` with the public client and return `y`."""
    with tritonclient.http.InferenceServerClient(triton.http_url.removeprefix("http://")) as client:
        tensor = tritonclient.http.InferInput("x", list(array.shape), datatype.removeprefix("TYPE_"))
        tensor.set_data_from_numpy(array)
        result: npt.NDArray[Any] = client.infer(model, [tensor]).as_numpy("y")
        return result


@pytest.mark.parametrize("data_type", NUMBERS)
def test_every_numeric_datatype_comes_back_bit_for_bit(triton: RunningTriton, data_type: str) -> None:
    name = f"identity_{data_type.lower()}"
    onnx_models.write_identity(triton.model_repository, name, data_type)
    assert triton.load(name).status_code == 200
    sent = np.stack([NUMBERS[data_type], NUMBERS[data_type][::-1]])

    answered = infer(triton, name, data_type, sent)

    assert answered.dtype == sent.dtype
    assert answered.tobytes() == sent.tobytes()


def test_text_comes_back_as_sent(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "text", "TYPE_STRING")
    assert triton.load("text").status_code == 200
    sent = np.array([["plain", "", "Größe"], ["日本", "a\0b\0", "line\nbreak"]], dtype=object)

    answered = infer(triton, "text", "BYTES", sent)

    assert [item.decode() for item in answered.ravel()] == list(sent.ravel())
    assert answered.shape == sent.shape


def test_text_that_is_not_utf8_is_refused_by_name(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "latin", "TYPE_STRING")
    assert triton.load("latin").status_code == 200

    with pytest.raises(
        tritonclient.http.InferenceServerException, match="'x' has an element that is not UTF-8"
    ):
        infer(triton, "latin", "BYTES", np.array([[b"\xff\xfe"]], dtype=object))


def test_a_batch_of_zero_wide_rows_is_served(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "empty_rows")
    assert triton.load("empty_rows").status_code == 200
    assert infer(triton, "empty_rows", "FP32", np.empty((2, 0), np.float32)).shape == (2, 0)


def test_several_inputs_and_outputs(triton: RunningTriton) -> None:
    onnx_models.write_two_by_two(triton.model_repository)
    assert triton.load("two_by_two").status_code == 200

    answer = triton.infer(
        "two_by_two", ("b", "FP32", [1, 4], [4, 3, 2, 1]), ("a", "FP32", [1, 4], [1, 2, 3, 4])
    )

    data = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert data == {"sum": [5, 5, 5, 5], "difference": [-3, -1, 1, 3]}


def test_only_the_requested_output_is_returned(triton: RunningTriton) -> None:
    onnx_models.write_two_by_two(triton.model_repository, "one_of_two")
    assert triton.load("one_of_two").status_code == 200
    tensors = [{"name": n, "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]} for n in "ab"]

    body = {"inputs": tensors, "outputs": [{"name": "difference"}]}
    answer = triton.post("/v2/models/one_of_two/infer", body)

    assert [output["name"] for output in answer.json()["outputs"]] == ["difference"]


def test_whole_shapes_without_batching(triton: RunningTriton) -> None:
    model = onnx_models.graph(
        [helper.make_node("Neg", ["x"], ["y"])], [("x", "TYPE_FP32", [2, 3])], [("y", "TYPE_FP32", [2, 3])]
    )
    config = onnx_models.config(
        "unbatched", [("x", "TYPE_FP32", [2, 3])], [("y", "TYPE_FP32", [2, 3])], max_batch_size=0
    )
    onnx_models.write_model(triton.model_repository, config, model)
    assert triton.load("unbatched").status_code == 200

    answer = triton.infer("unbatched", ("x", "FP32", [2, 3], range(6)))

    assert answer.json()["outputs"][0]["data"] == [0, -1, -2, -3, -4, -5]


def test_a_scalar_per_row_through_reshape(triton: RunningTriton) -> None:
    model = onnx_models.graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        [("x", "TYPE_FP32", ["batch"])],
        [("y", "TYPE_FP32", ["batch"])],
    )

    def scalars(message: Any) -> None:
        for tensor in (message.input[0], message.output[0]):
            tensor.reshape.SetInParent()

    config = onnx_models.config("scalar", [("x", "TYPE_FP32", [1])], [("y", "TYPE_FP32", [1])], edit=scalars)
    onnx_models.write_model(triton.model_repository, config, model)
    assert triton.load("scalar").status_code == 200, triton.load("scalar").text

    answer = triton.infer("scalar", ("x", "FP32", [3, 1], [1, 2, 3]))

    assert answer.json()["outputs"][0] == {
        "name": "y", "datatype": "FP32", "shape": [3, 1], "data": [-1, -2, -3],
    }  # fmt: skip


def test_an_optional_input_takes_the_models_default(triton: RunningTriton) -> None:
    default = numpy_helper.from_array(np.array([10.0], np.float32), "bias")
    model = onnx_models.graph(
        [helper.make_node("Add", ["x", "bias"], ["y"])],
        [("x", "TYPE_FP32", [2]), ("bias", "TYPE_FP32", [1])],
        [("y", "TYPE_FP32", [2])],
        [default],
    )

    def optional(message: Any) -> None:
        message.input[1].optional = True

    config = onnx_models.config(
        "with_default",
        [("x", "TYPE_FP32", [2]), ("bias", "TYPE_FP32", [1])],
        [("y", "TYPE_FP32", [2])],
        max_batch_size=0,
        edit=optional,
    )
    onnx_models.write_model(triton.model_repository, config, model)
    answer = triton.load("with_default")
    assert answer.status_code == 200, answer.text

    without = triton.infer("with_default", ("x", "FP32", [2], [1, 2]))
    given = triton.infer("with_default", ("x", "FP32", [2], [1, 2]), ("bias", "FP32", [1], [5]))

    assert without.json()["outputs"][0]["data"] == [11, 12]
    assert given.json()["outputs"][0]["data"] == [6, 7]


def test_models_report_nothing_to_anybody(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "private", width=4)
    assert triton.load("private").status_code == 200
    processes = [p for p in psutil.Process(triton.pid).children() if p.status() != psutil.STATUS_ZOMBIE]
    (process,) = [p for p in processes if "/private/" in p.cmdline()[1]]
    assert process.environ()["ORT_DISABLE_TELEMETRY"] == "1"
    # Where ONNX Runtime queues what it would send.
    assert "onnxruntime.db" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_a_tensor_larger_than_the_shared_memory_pool(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "large")
    assert triton.load("large").status_code == 200
    sent = np.arange(4 * 1024 * 1024, dtype=np.float32).reshape(1, -1)  # 16 MiB; the pool starts with 4
    assert np.array_equal(infer(triton, "large", "FP32", sent), sent)

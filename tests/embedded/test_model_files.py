"""Where the model file may be, what it may bring along, and what happens around loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from tritonclient.grpc import model_config_pb2 as mc

from tests.support import onnx_models
from tests.support.triton import RunningTriton


def write_external(directory: Path) -> None:
    """A model `y = x + 1000 weights` whose weights lie in a file of their own."""
    weights = onnx.numpy_helper.from_array(np.arange(1000, dtype=np.float32), "weights")
    model = onnx_models.graph(
        [helper.make_node("Add", ["x", "weights"], ["y"])],
        [("x", "TYPE_FP32", ["batch", 1000])],
        [("y", "TYPE_FP32", ["batch", 1000])],
        [weights],
    )
    directory.mkdir(parents=True)
    onnx.save(
        model,
        directory / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    assert (directory / "model.onnx.data").stat().st_size >= 4000


def write_config(model: Path, **options: Any) -> None:
    message = onnx_models.config(
        model.name, [("x", "TYPE_FP32", [1000])], [("y", "TYPE_FP32", [1000])], **options
    )
    onnx_models.write_config(model, message)


def last_value(triton: RunningTriton, model: str) -> float:
    answer = triton.infer(model, ("x", "FP32", [1, 1000], [0.5] * 1000))
    assert answer.status_code == 200, answer.text
    return float(answer.json()["outputs"][0]["data"][-1])


def test_external_data_beside_the_model(triton: RunningTriton) -> None:
    model = triton.model_repository / "external"
    write_external(model / "1")
    write_config(model)
    assert triton.load("external").status_code == 200
    assert last_value(triton, "external") == 999.5


def test_a_folder_named_model_onnx(triton: RunningTriton) -> None:
    model = triton.model_repository / "folder"
    write_external(model / "1" / "model.onnx")
    write_config(model)
    assert triton.load("folder").status_code == 200
    assert last_value(triton, "folder") == 999.5


def test_another_file_name(triton: RunningTriton) -> None:
    def named(message: Any) -> None:
        message.default_model_filename = "weights.onnx"

    directory = onnx_models.write_identity(triton.model_repository, "renamed", width=4, edit=named)
    (directory / "1" / "model.onnx").rename(directory / "1" / "weights.onnx")
    assert triton.load("renamed").status_code == 200


def test_a_missing_file_is_named(triton: RunningTriton) -> None:
    directory = onnx_models.write_identity(triton.model_repository, "fileless", width=4)
    (directory / "1" / "model.onnx").unlink()
    error = triton.load("fileless").json()["error"]
    assert "version 1 has no file model.onnx" in error


def test_a_damaged_file_is_refused(triton: RunningTriton) -> None:
    directory = onnx_models.write_identity(triton.model_repository, "damaged", width=4)
    (directory / "1" / "model.onnx").write_bytes(b"not a model")
    error = triton.load("damaged").json()["error"]
    assert "cannot load the model" in error


def test_a_second_version_takes_over_and_the_first_can_be_kept(triton: RunningTriton) -> None:
    def both(message: Any) -> None:
        message.version_policy.specific.versions.extend([1, 2])

    directory = onnx_models.write_identity(triton.model_repository, "versions", width=4, edit=both)
    (directory / "2").mkdir()
    (directory / "2" / "model.onnx").write_bytes((directory / "1" / "model.onnx").read_bytes())
    assert triton.load("versions").status_code == 200
    for version in (1, 2):
        assert triton.get(f"/v2/models/versions/versions/{version}/ready").status_code == 200


def _warmup(data_type: str, dims: list[int], name: str = "x") -> Any:
    def edit(message: Any) -> None:
        sample = message.model_warmup.add(name="sample", batch_size=4)
        tensor = sample.inputs[name]
        tensor.data_type = mc.DataType.Value(data_type)
        tensor.dims.extend(dims)
        tensor.zero_data = True

    return edit


def test_warmup_runs_before_the_model_is_ready(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "warm", width=4, edit=_warmup("TYPE_FP32", [4]))
    assert triton.load("warm").status_code == 200
    stats = triton.get("/v2/models/warm/stats", admin=True).json()["model_stats"][0]
    assert stats["inference_count"] == 4


def test_a_warmup_that_cannot_run_fails_the_load(triton: RunningTriton) -> None:
    onnx_models.write_identity(triton.model_repository, "cold", width=4, edit=_warmup("TYPE_FP32", [4], "z"))
    assert triton.load("cold").status_code == 400

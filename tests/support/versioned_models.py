"""Published versions of a model that tells which version answered: version n gives `y = n * x`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf import text_format
from onnx import helper

from tests.support import onnx_models

NAME = "scale"
WIDTH = 2


def publish(
    repository: Path, version: int, *, factor: float | None = None, golden: bool = True, name: str = NAME
) -> Path:
    """Publish a version the way `export` does: whole, with manifest and golden request, by one rename.

    Args:
        repository: the model repository.
        version: the version.
        factor: what it multiplies by; the version's number by default.
        golden: whether it has a golden request, which expects `y = version * x`.
        name: of the model.
    """
    staged = repository / f".staging-{name}-{version}"
    staged.mkdir(parents=True)
    onnx.save(_model(float(version) if factor is None else factor), staged / "model.onnx")
    if golden:
        (staged / "golden.json").write_text(json.dumps(_golden(version)))
    write_manifest(staged, name, version)
    folder = repository / name
    folder.mkdir(exist_ok=True)
    tensor = ("TYPE_FP32", [WIDTH])
    message = onnx_models.config(name, [("x", *tensor)], [("y", *tensor)], max_batch_size=8)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(message))
    staged.rename(folder / str(version))
    return folder / str(version)


def write_manifest(folder: Path, name: str, version: int) -> None:
    """Write the manifest of what lies in a version folder now."""
    files = {}
    for path in folder.iterdir():
        if path.name != "manifest.json":
            content = path.read_bytes()
            files[path.name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest = {"format_version": 1, "model": name, "version": version, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def publish_corrupt(repository: Path, version: int, name: str = NAME) -> Path:
    """Publish a version whose manifest is true and whose model Triton cannot load."""
    folder = publish(repository, version, name=name)
    (folder / "model.onnx").write_bytes(b"this is no model")
    write_manifest(folder, name, version)
    return folder


def publish_tampered(repository: Path, version: int, name: str = NAME) -> Path:
    """Publish a version of which a byte changed afterwards."""
    folder = publish(repository, version, name=name)
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\xff")
    return folder


def publish_half(repository: Path, version: int, name: str = NAME) -> Path:
    """Leave a version as a copy that was cut off: the manifest is there, the model is not."""
    folder = publish(repository, version, name=name)
    (folder / "model.onnx").unlink()
    return folder


def publish_empty(repository: Path, version: int, name: str = NAME) -> Path:
    """Leave an empty version folder."""
    folder = publish(repository, version, name=name)
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def request(value: float = 1.0) -> dict[str, Any]:
    """Return a V2 request whose answer is `version * value`, twice."""
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [value] * WIDTH}]}


def _golden(version: int) -> dict[str, Any]:
    def tensor(name: str, values: list[float]) -> dict[str, Any]:
        return {"name": name, "datatype": "FP32", "shape": [1, WIDTH], "data": values}

    return {
        "format_version": 1,
        "requests": [
            {
                "inputs": [tensor("x", [1.0, -2.0])],
                "outputs": [tensor("y", [version * 1.0, version * -2.0])],
                "tolerance": {"atol": 1e-4, "rtol": 1e-3},
            }
        ],
    }


def _model(factor: float) -> onnx.ModelProto:
    shape: onnx_models.Dims = ["batch", WIDTH]
    return onnx_models.graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        [("x", "TYPE_FP32", shape)],
        [("y", "TYPE_FP32", shape)],
        [onnx.numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )

"""Which file of a version folder is the model."""

from __future__ import annotations

from pathlib import Path

from .errors import UnservableModelError


def locate(version_dir: Path, filename: str) -> Path:
    """Return the ONNX file of a version.

    It is `<version>/<filename>`, or, when that is a folder (a model with external data), the file
    `model.onnx` inside it; the same rule as the native backend's.

    Args:
        version_dir: `<model>/<version>`.
        filename: `default_model_filename` of the configuration.

    Raises:
        UnservableModelError: there is no such file.
    """
    path = version_dir / filename
    if path.is_dir():
        path = path / "model.onnx"
    if not path.is_file():
        raise UnservableModelError(
            f"version {version_dir.name} has no file {path.relative_to(version_dir)}; publish the version "
            "again, or name its file in default_model_filename"
        )
    return path

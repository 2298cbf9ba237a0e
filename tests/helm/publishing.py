"""A small model in a volume, published as an export job does: with a manifest the gateway verifies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.helm.load import MODEL
from tests.support.onnx_models import write_two_by_two


def publish_model(repository: Path) -> None:
    """Write version 1 of the model of `load` into a model repository."""
    version = write_two_by_two(repository, MODEL) / "1"
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        for file in version.iterdir()
    }
    manifest = {"format_version": 1, "model": MODEL, "version": 1, "files": files}
    (version / "manifest.json").write_text(json.dumps(manifest))

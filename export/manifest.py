"""The manifest: where a version comes from, what was measured, and the hash of every file in it."""

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.conversion import Conversion
from export.repository import MANIFEST, file_record
from export.spec_file import SpecFile

FORMAT_VERSION = 1


def manifest_writer(folder: Path, source: SpecFile, conversion: Conversion) -> Callable[[int], bytes]:
    """Hash and collect everything now, so that only the version is left to fill in under the lock.

    Args:
        folder: the staged version, complete but for its manifest.
        source: the spec it was exported from.
        conversion: what was measured.

    Returns:
        A function from the version to the content of `manifest.json`.
    """
    spec = source.spec
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    content = {
        "format_version": FORMAT_VERSION,
        "model": spec.model,
        "version": 0,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": spec.target,
        "precision": spec.precision,
        "seed": spec.seed,
        "graph": dict(conversion.graph),
        "parity": conversion.as_dict()["parity"],
        "checkpoint": dict(conversion.checkpoint),
        "training": _training(source),
        "tools": _tools(conversion),
        "source": _git(source.path.parent),
        "spec": {"file": source.path.name, "content": spec.model_dump(mode="json"), "text": source.text},
        "files": {str(path.relative_to(folder)): file_record(path) for path in files},
    }
    return lambda version: json.dumps({**content, "version": version}, indent=2).encode() + b"\n"


def _training(source: SpecFile) -> Any:
    """The training metadata: the file the spec names, else `<checkpoint>.training.json`, else None."""
    path = source.training or source.checkpoint.with_suffix(".training.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _tools(conversion: Conversion) -> dict[str, str]:
    try:
        own = importlib.metadata.version("tidegate")
    except importlib.metadata.PackageNotFoundError:
        own = "unknown"
    return {"tidegate": own, "python": platform.python_version(), **conversion.versions}


def _git(folder: Path) -> dict[str, object] | None:
    """Commit of the repository that holds the spec, and whether its folder differs from it."""
    commit = _git_output(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"git_commit": commit, "modified": bool(_git_output(folder, "status", "--porcelain", "--", "."))}


def _git_output(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""Checkpoints of the samples on disk: weights and, beside them, how they came to be."""

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

from samples.sample import Sample, Trained

METADATA_FORMAT = 1
_LIBRARIES = ("torch", "numpy", "scikit-learn", "safetensors")


def checkpoint_paths(checkpoint_dir: Path, name: str) -> tuple[Path, Path]:
    """The weights and the training metadata of a sample."""
    return checkpoint_dir / f"{name}.safetensors", checkpoint_dir / f"{name}.training.json"


def source_digest(sample: Sample) -> str:
    """SHA-256 over the Python files that decide the weights of a sample."""
    files = [*sample.spec.parent.glob("*.py"), Path(__file__).with_name("reproducible.py")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_current(sample: Sample, checkpoint_dir: Path) -> dict[str, Any] | None:
    """The training metadata, if checkpoint, seed, epochs and sources all still belong together."""
    weights, metadata = checkpoint_paths(checkpoint_dir, sample.name)
    try:
        recorded: dict[str, Any] = json.loads(metadata.read_text(encoding="utf-8"))
        current = {
            "format_version": METADATA_FORMAT,
            "source_sha256": source_digest(sample),
            "seed": sample.seed,
            "epochs": sample.epochs,
            "checkpoint_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        }
        return recorded if all(recorded.get(key) == value for key, value in current.items()) else None
    except (OSError, ValueError, AttributeError):
        return None


def write_checkpoint(sample: Sample, trained: Trained, seconds: float, checkpoint_dir: Path) -> None:
    """Write weights and metadata; the metadata comes last and vouches for the weights by their hash."""
    from safetensors.torch import save

    weights, metadata = checkpoint_paths(checkpoint_dir, sample.name)
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    payload = save(dict(trained.weights))
    record = {
        "format_version": METADATA_FORMAT,
        "sample": sample.name,
        "trainer": sample.trainer,
        "seed": sample.seed,
        "epochs": sample.epochs,
        "data": dict(trained.data),
        "held_out": {trained.score_name: trained.score, **trained.metrics},
        "score_name": trained.score_name,
        "seconds": round(seconds, 3),
        "source_sha256": source_digest(sample),
        "checkpoint_sha256": hashlib.sha256(payload).hexdigest(),
        "versions": {
            "python": platform.python_version(),
            **{library: importlib.metadata.version(library) for library in _LIBRARIES},
        },
    }
    _replace(weights, payload)
    _replace(metadata, json.dumps(record, indent=2).encode() + b"\n")


def _replace(path: Path, payload: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(payload)
    temporary.replace(path)

"""The model repository: Triton's own layout, plus a manifest and a config in every version.

::

    <repository>/<model>/config.pbtxt                  what Triton reads; a copy of the highest version's
    <repository>/<model>/<output>.<hash>.labels.txt    class names, named after their content
    <repository>/<model>/<version>/model.onnx          the artifact
    <repository>/<model>/<version>/config.pbtxt        the config the version was published with
    <repository>/<model>/<version>/golden.json         requests with PyTorch's answers
    <repository>/<model>/<version>/manifest.json       provenance and SHA-256 of every other file

A version never changes once it is there.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.durable import disk_errors, sync, write_new
from export.errors import NotFoundError, RepositoryError
from export.locks import repository_lock
from export.names import is_model_name, is_version
from export.staging import staging

CONFIG = "config.pbtxt"
MANIFEST = "manifest.json"
LABELS_SUFFIX = ".labels.txt"


@dataclass(frozen=True)
class Problem:
    """Something in a version that is not as its manifest says.

    Attributes:
        model: name of the model.
        version: the version looked at.
        file: path relative to the version directory.
        what: one clause, such as `is missing`.
    """

    model: str
    version: int
    file: str
    what: str


class ModelRepository:
    """A model repository on disk. Reading never creates or changes anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def models(self) -> tuple[str, ...]:
        """Names of the models that have at least one version, sorted."""
        return tuple(sorted(name for name in self._folders(self.path) if self.versions(name)))

    def versions(self, model: str) -> tuple[int, ...]:
        """Versions of a model, ascending; empty when there is no such model."""
        if not is_model_name(model):
            return ()
        return tuple(sorted(int(name) for name in self._folders(self.path / model) if is_version(name)))

    def next_version(self, model: str) -> int:
        """The version after the highest one."""
        return max(self.versions(model), default=0) + 1

    def manifest(self, model: str, version: int) -> dict[str, Any]:
        """The manifest of a version.

        Raises:
            NotFoundError: no such model or version, or one that `export` did not publish.
            RepositoryError: the manifest cannot be read.
        """
        path = self.version_path(model, version) / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise NotFoundError(
                f"{model} version {version} has no manifest; only versions published by `tidegate export` do"
            ) from error
        except (OSError, ValueError) as error:
            raise RepositoryError(f"cannot read {path}: {error}; export the model again") from error
        if not isinstance(content, dict):
            raise RepositoryError(f"{path} is not a manifest; export the model again")
        return content

    def version_path(self, model: str, version: int) -> Path:
        """The directory of a version.

        Raises:
            NotFoundError: no such model or version.
        """
        known = self.versions(model)
        if version not in known:
            there = f"it has {', '.join(map(str, known))}" if known else "there is no such model"
            raise NotFoundError(f"{model} has no version {version} in {self.path}; {there}")
        return self.path / model / str(version)

    def verify(self, model: str, version: int) -> tuple[Problem, ...]:
        """Hash a version's files again and compare them with its manifest.

        Returns:
            What is wrong; empty when every file is there, unchanged and the only one.
        """
        folder = self.version_path(model, version)
        recorded = self.manifest(model, version)["files"]
        present = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
        problems = [
            Problem(model, version, name, what)
            for name, entry in recorded.items()
            if (what := _difference(folder / name, entry)) is not None
        ]
        foreign = present - set(recorded) - {MANIFEST}
        return (
            *problems,
            *(Problem(model, version, name, "is not in the manifest") for name in sorted(foreign)),
        )

    def repair(self, model: str | None = None) -> tuple[str, ...]:
        """Finish what a dead publisher left: the config and labels of the highest version win.

        Args:
            model: only this one; every model otherwise.

        Returns:
            Names of the models that were changed; empty when nothing was to be done.
        """
        behind = [name for name in ((model,) if model else self.models()) if self._behind(name)]
        if not behind:
            return ()
        with staging(self.path) as stage, repository_lock(self.path):
            return tuple(name for name in behind if self.restore_config(name, stage.root))

    def restore_config(self, model: str, scratch: Path) -> bool:
        """What `repair` does to one model, for a caller that holds the repository lock.

        Args:
            model: name of the model.
            scratch: a directory on the same file system.

        Returns:
            Whether anything had to be done.

        Raises:
            RepositoryWriteError: the disk refused.
        """
        folder, behind = self.path / model, self._behind(model)
        with disk_errors(folder):
            for source in behind:
                self._put(scratch / f"{source.name}.new", folder / source.name, source.read_bytes())
        return bool(behind)

    def _behind(self, model: str) -> tuple[Path, ...]:
        """Labels and config of the highest version that the model directory lacks or has otherwise.

        Labels come first: a config must never name a file that is not there yet.
        """
        versions = self.versions(model)
        if not versions:
            return ()
        folder, newest = self.path / model, self.path / model / str(versions[-1])
        sources = (*sorted(newest.glob(f"*{LABELS_SUFFIX}")), newest / CONFIG)
        return tuple(
            source
            for source in sources
            if source.is_file() and not _same_content(source, folder / source.name)
        )

    @staticmethod
    def _put(temporary: Path, destination: Path, payload: bytes) -> None:
        write_new(temporary, payload)
        temporary.replace(destination)
        sync(destination.parent)

    @staticmethod
    def _folders(parent: Path) -> Iterator[str]:
        if parent.is_dir():
            yield from (entry.name for entry in parent.iterdir() if entry.is_dir() and not entry.is_symlink())


def file_record(path: Path) -> dict[str, object]:
    """SHA-256 and size in bytes, as a manifest holds them."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def _same_content(first: Path, second: Path) -> bool:
    return second.is_file() and first.read_bytes() == second.read_bytes()


def _difference(path: Path, entry: dict[str, object]) -> str | None:
    if path.is_symlink() or not path.is_file():
        return "is missing or not a regular file"
    if path.stat().st_size != entry["bytes"]:
        return f"has {path.stat().st_size} bytes instead of {entry['bytes']}"
    if file_record(path)["sha256"] != entry["sha256"]:
        return "has another SHA-256 than the manifest"
    return None

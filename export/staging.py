"""Staging inside the model repository, so that publishing is a rename within one file system.

::

    <repository>/.staging/lock            held while a stage is made or swept
    <repository>/.staging/<id>.lock       held by the owner of a stage for as long as it lives
    <repository>/.staging/<id>/version/   the files of the version to be
    <repository>/.staging/<model>.model   held by whoever publishes or repairs that model
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.durable import disk_errors
from export.locks import locked, try_lock

STAGING = ".staging"


@dataclass(frozen=True)
class Stage:
    """A private folder of one publisher.

    Attributes:
        root: the folder.
        version: becomes the version directory.
    """

    root: Path

    @property
    def version(self) -> Path:
        """The folder that becomes the version directory."""
        return self.root / "version"


@contextmanager
def staging(repository: Path) -> Iterator[Stage]:
    """A fresh stage; it is gone afterwards, and what dead publishers left goes with it."""
    folder = repository / STAGING
    root = folder / uuid.uuid4().hex
    lock = folder / f"{root.name}.lock"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            _sweep(folder)
            held = try_lock(lock)
            root.mkdir()
            (root / "version").mkdir()
    try:
        yield Stage(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        lock.unlink(missing_ok=True)
        if held is not None:
            os.close(held)


@contextmanager
def model_lock(repository: Path, model: str) -> Iterator[None]:
    """Serialise everything that changes one model; different models go on in parallel."""
    folder = repository / STAGING
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f"{model}.model"):
        yield


def _sweep(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        held = try_lock(lock)
        if held is None:
            continue
        shutil.rmtree(folder / lock.stem, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(held)

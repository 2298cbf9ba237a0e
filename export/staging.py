"""Staging inside the model repository, so that publishing is a rename within one file system.

::

    <repository>/.lock                    held by whoever changes the repository
    <repository>/.staging/<id>/owner      held by the owner of a stage for as long as it lives
    <repository>/.staging/<id>/version/   the files of the version to be

`.staging` is there only while somebody exports: Triton lists every directory as a model.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.durable import disk_errors
from export.errors import RepositoryWriteError
from export.locks import repository_lock, try_lock

STAGING = ".staging"
_OWNER = "owner"


@dataclass(frozen=True)
class Stage:
    """A private folder of one publisher.

    Attributes:
        root: the folder, free for scratch files.
        version: becomes the version directory.
    """

    root: Path
    version: Path


@contextmanager
def staging(repository: Path) -> Iterator[Stage]:
    """A fresh stage; it is gone afterwards, and what dead publishers left goes with it.

    Not to be entered while holding the repository lock.

    Raises:
        RepositoryWriteError: the disk refused.
    """
    with disk_errors(repository):
        repository.mkdir(parents=True, exist_ok=True)
    stages = repository / STAGING
    root = stages / uuid.uuid4().hex
    with repository_lock(repository), disk_errors(repository):
        sweep(repository)
        (root / "version").mkdir(parents=True)
        owner = try_lock(root / _OWNER)
    try:
        yield Stage(root, root / "version")
    finally:
        # Whatever was published is published: failing to clean up must not look like a failure. The next
        # stage sweeps this one once its owner lock is gone.
        with contextlib.suppress(RepositoryWriteError), repository_lock(repository):
            shutil.rmtree(root, ignore_errors=True)
            _remove_if_empty(stages)
        if owner is not None:
            os.close(owner)


def sweep(repository: Path) -> None:
    """Remove the stages of dead publishers, for a caller that holds the repository lock."""
    stages = repository / STAGING
    for root in stages.iterdir() if stages.is_dir() else ():
        # A publisher killed while it made its stage left no owner file; the lock says that none is at it now.
        owner = try_lock(root / _OWNER) if root.is_dir() else None
        if owner is not None:
            shutil.rmtree(root, ignore_errors=True)
            os.close(owner)
    _remove_if_empty(stages)


def _remove_if_empty(stages: Path) -> None:
    with contextlib.suppress(OSError):
        stages.rmdir()

"""Advisory locks between processes; the kernel drops them when their owner dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.durable import disk_errors

REPOSITORY_LOCK = ".lock"


@contextmanager
def repository_lock(repository: Path) -> Iterator[None]:
    """Wait for and hold the lock of a model repository.

    One lock for all models: it is held for a few renames only, and Triton takes every further directory in
    the repository for a model. The file stays: deleting it would let a third process lock a new file of the
    same name while a second one still waits for the old.
    """
    with disk_errors(repository):
        descriptor = _open(repository / REPOSITORY_LOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """The descriptor of the lock file `path`, now held, or None when somebody else holds it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)

"""Files and directories that are on the disk once a call returns, and disk errors as sentences."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import RepositoryWriteError

_REASONS = {
    errno.ENOSPC: "the disk is full; free space",
    errno.EDQUOT: "the disk quota is used up; free space",
    errno.EROFS: "the file system is read-only; mount it writable",
    errno.EACCES: "permission is denied; give this user write access",
    errno.EPERM: "the operation is not permitted; give this user write access",
    errno.EIO: "the disk reported an input/output error; check the disk",
}


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `RepositoryWriteError` about `place`."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}; correct that")
        raise RepositoryWriteError(
            f"cannot write to the model repository at {place}: {reason}, then export again"
        ) from error


def write_new(path: Path, payload: bytes) -> None:
    """Create a file that was not there, with its content on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        left = memoryview(payload)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Flush one file, or the entries of one directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Flush every file and directory below `root`, `root` last."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))


def move(source: Path, destination: Path) -> None:
    """Rename within one file system and flush both parents."""
    os.rename(source, destination)  # noqa: PTH104  Path.rename hides that this is one system call
    sync(destination.parent)
    sync(source.parent)

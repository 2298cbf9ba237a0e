"""Makes the n-th call to the operating system fail or be the last one of this process."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")
"""Everything publishing changes the disk with, as names in `os`; closing after fsync changes nothing."""


@contextmanager
def at_call(number: int, fault: Callable[[], None]) -> Iterator[list[str]]:
    """Run `fault` before the `number`-th call (from 0) of `CALLS`; a write is half done by then.

    Yields:
        The names of the calls so far.
    """
    originals = {name: getattr(os, name) for name in CALLS}
    made: list[str] = []

    def wrap(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            made.append(name)
            if len(made) == number + 1:
                if name == "write":
                    originals["write"](arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                fault()
            return originals[name](*arguments, **keywords)

        return call

    for name in CALLS:
        setattr(os, name, wrap(name))
    try:
        yield made
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def die() -> None:
    """What `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(code: int) -> Callable[[], None]:
    """A fault that raises `OSError` with this errno."""

    def raise_error() -> None:
        raise OSError(code, os.strerror(code))

    return raise_error

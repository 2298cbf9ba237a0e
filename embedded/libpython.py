"""The shared libpython that a model process (Triton's Python stub) links to."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from embedded.errors import LibpythonNotFoundError

_SYSTEM_DIRECTORIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
)


def libpython_name(python: tuple[int, int] | None = None) -> str:
    """The file name the stub of this Python asks the loader for, e.g. `libpython3.11.so.1.0`."""
    major, minor = python or (sys.version_info.major, sys.version_info.minor)
    return f"libpython{major}.{minor}.so.1.0"


def candidate_directories() -> Iterator[Path]:
    """Directories in which a libpython may be, the interpreter's own first.

    A library built with the interpreter is preferred to the system's: the standard library and the
    extension modules in use belong to that build.
    """
    # pyenv and python-build-standalone: <prefix>/lib; Debian: LIBDIR and LDLIBRARY's multiarch folder.
    yield Path(sys.base_prefix) / "lib"
    libdir = sysconfig.get_config_var("LIBDIR")
    if libdir:
        yield Path(libdir)
        multiarch = sysconfig.get_config_var("MULTIARCH")
        if multiarch:
            yield Path(libdir) / multiarch
    for entry in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if entry:
            yield Path(entry)
    yield from (Path(directory) for directory in _SYSTEM_DIRECTORIES)


def find_libpython(python: tuple[int, int] | None = None, directories: Iterable[Path] | None = None) -> Path:
    """Find the shared libpython for the stub.

    Args:
        python: major and minor version; this interpreter's by default.
        directories: where to look; the usual places and the loader's cache by default.

    Raises:
        LibpythonNotFoundError: none is there.
    """
    name = libpython_name(python)
    for directory in candidate_directories() if directories is None else directories:
        if (directory / name).is_file():
            return directory / name
    if directories is None:
        cached = _from_loader_cache(name)
        if cached is not None:
            return cached
    version = name.removeprefix("libpython").split(".so")[0]
    raise LibpythonNotFoundError(
        f"The embedded Triton needs the shared library {name}, and this Python ({sys.base_prefix}) was "
        f"built without it; install it with `apt-get install libpython{version}` (Debian, Ubuntu), or use a "
        "Python configured with --enable-shared."
    )


def _from_loader_cache(name: str) -> Path | None:
    """Ask the dynamic loader's cache (`ldconfig -p`) for a library of exactly this name."""
    if ctypes.util.find_library(name.removeprefix("lib").split(".so")[0]) is None:
        return None
    for command in ("ldconfig", "/sbin/ldconfig"):
        try:
            listing = subprocess.run(
                [command, "-p"], capture_output=True, text=True, timeout=10, check=False
            ).stdout
        except OSError:
            continue
        for line in listing.splitlines():
            entry, _, path = line.partition(" => ")
            if entry.split(" ", 1)[0].strip() == name and Path(path).is_file():
                return Path(path)
    return None

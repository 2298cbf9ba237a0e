"""Which command-line flags a `tritonserver` knows: a flag newer than the server would end its start."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import UnsupportedServerError, WheelNotFoundError

_FLAG = re.compile(r"^\s+--([a-z0-9][a-z0-9-]*)", re.MULTILINE)
_HELP_SECONDS = 60


@dataclass(frozen=True)
class Flag:
    """One command-line flag.

    Attributes:
        name: without the dashes.
        value: what follows `=`; None for a bare flag.
        required: whether the server must not run without it.
    """

    name: str
    value: str | None = None
    required: bool = False

    def __str__(self) -> str:
        return f"--{self.name}" if self.value is None else f"--{self.name}={self.value}"


def known_flags(server: Path, environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Ask a server for the flags it knows.

    Raises:
        WheelNotFoundError: it does not run at all.
    """
    try:
        answer = subprocess.run(
            [str(server), "--help"],
            capture_output=True,
            text=True,
            timeout=_HELP_SECONDS,
            check=False,
            env=dict(os.environ if environment is None else environment),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WheelNotFoundError(
            f"The tritonserver of nvidia-pytriton does not run on this machine ({error}); it needs "
            "64-bit x86 Linux with glibc 2.35 or newer."
        ) from None
    flags = frozenset(_FLAG.findall(answer.stdout + answer.stderr))
    if not flags:
        problem = (answer.stderr or answer.stdout).strip().splitlines()[:1]
        raise WheelNotFoundError(
            f"The tritonserver of nvidia-pytriton does not run on this machine ({' '.join(problem)}); it "
            "needs 64-bit x86 Linux with glibc 2.35 or newer."
        )
    return flags


def select(flags: Iterable[Flag], known: frozenset[str]) -> list[str]:
    """Keep the flags the server knows, as command-line arguments.

    Raises:
        UnsupportedServerError: it does not know a required one.
    """
    arguments: list[str] = []
    for flag in flags:
        if flag.name in known:
            arguments.append(str(flag))
        elif flag.required:
            raise UnsupportedServerError(
                f"This tritonserver does not know --{flag.name}, without which it would be open to everybody "
                "or load models by itself; install the version in Tidegate's `embedded` extra."
            )
    return arguments

"""The state directory of a local stack: keys, database, checkpoints, logs; mode 0700."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import CommandError


@dataclass(frozen=True)
class StateDirectory:
    """Where a local stack keeps what must survive a restart.

    Attributes:
        path: the directory, `.tidegate` by default.
    """

    path: Path

    def create(self) -> None:
        """Create the directory, or tighten an existing one, to mode 0700.

        Raises:
            CommandError: it cannot be created, or belongs to somebody else.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"{self.path} cannot hold the state ({error.strerror}: {error.filename}); "
                "name a directory you own with --state-dir."
            ) from error

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep a second stack out of this directory for the block; the claim ends with this process.

        Raises:
            CommandError: another process has claimed it.
        """
        with (self.path / "up.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise CommandError(
                    f"Another `tidegate up` (process {file.read().strip()}) works in {self.path}; stop it, "
                    "or give this one its own --state-dir and ports."
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @property
    def logs(self) -> Path:
        """Directory of the processes' logs."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        """Directory of the sample models' trained weights."""
        return self.path / "checkpoints"

    @property
    def api_key_file(self) -> Path:
        """File that keeps the key `tidegate up` prints."""
        return self.path / "api-key"

    def admin_key(self) -> str:
        """Return the admin key: `TIDEGATE_ADMIN_KEY`, or the one the gateway generated here.

        Raises:
            CommandError: when there is neither.
        """
        if key := os.environ.get("TIDEGATE_ADMIN_KEY"):
            return key
        file = self.path / "admin-key"
        try:
            return file.read_text().strip()
        except OSError as error:
            raise CommandError(
                f"There is no admin key: {file} cannot be read ({error.strerror}). "
                "Run this where `make up` runs, name its state directory with --state-dir, or set "
                "TIDEGATE_ADMIN_KEY to a key that may do this."
            ) from None

    def read_api_key(self) -> str | None:
        """Return the key an earlier `tidegate up` created, or None."""
        try:
            key = self.api_key_file.read_text("ascii", errors="ignore").strip()
        except OSError:
            return None
        # A damaged file is as good as none: a header could not carry what is in it.
        return key if key.isprintable() and key else None

    def write_api_key(self, key: str) -> None:
        """Keep `key` for later starts, readable by its owner alone."""
        descriptor = os.open(self.api_key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")

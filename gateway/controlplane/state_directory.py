"""The state directory: private to its owner, with secrets that survive a crash and a race."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from gateway.errors import CannotStart

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class StateDirectory:
    """Keeps small secrets in files of mode 0600 inside a directory of mode 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Create the directory, or tighten an existing one.

        Raises:
            CannotStart: when it cannot be created, is no directory, or others can enter and that cannot
                be changed.
        """
        try:
            self.path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(DIRECTORY_MODE)
        except OSError as error:
            raise CannotStart(
                f"The state directory {self.path} cannot be made private to this user ({error.strerror}); "
                "set TIDEGATE_STATE_DIR to a directory this user owns."
            ) from error

    def secret(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """Return the secret in file `name`, made with `make` if there is none.

        Two processes that start together get the same secret.

        Returns:
            The secret, and whether this call made it.
        """
        existing = self.read(name)
        if existing is not None:
            return existing, False
        self.create()
        made = make()
        draft = self._draft(name, made)
        try:
            # A link fails where the file exists, so of two gateways that start together one wins.
            os.link(draft, self.path / name)
        except FileExistsError:
            return self._must_read(name), False
        finally:
            draft.unlink()
        return made, True

    def replace(self, name: str, secret: str) -> None:
        """Put `secret` into file `name`, whole or not at all."""
        self.create()
        self._draft(name, secret).replace(self.path / name)

    def read(self, name: str) -> str | None:
        """Return the secret in file `name`, or None; a file others can read is tightened first.

        Raises:
            CannotStart: when the file is there and cannot be read, is empty, or cannot be tightened.
        """
        file = self.path / name
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(FILE_MODE)
            secret = file.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CannotStart(
                f"{file} cannot be read ({error}); make it readable by this user alone."
            ) from error
        if not secret:
            raise CannotStart(f"{file} is empty; restore it, or remove it to get a new one.")
        return secret

    def _must_read(self, name: str) -> str:
        secret = self.read(name)
        if secret is None:
            raise CannotStart(f"{self.path / name} vanished while the gateway started; start it again.")
        return secret

    def _draft(self, name: str, secret: str) -> Path:
        draft = self.path / f".{name}.{secrets.token_hex(8)}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise CannotStart(
                f"{self.path} cannot be written ({error.strerror}); "
                "set TIDEGATE_STATE_DIR to a writable directory."
            ) from error
        return draft

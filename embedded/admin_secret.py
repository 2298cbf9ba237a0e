"""The secret that opens Triton's restricted APIs to the gateway and to nobody else."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from embedded.errors import ConfigurationError

ADMIN_HEADER = "x-tidegate-triton-admin"
SECRET_FILE = "triton-admin-secret"  # noqa: S105 - a file name

# The secret travels inside a command-line flag whose parts are separated by commas, colons and `=`.
_ALLOWED = re.compile(r"[A-Za-z0-9_.~-]{16,256}")


def admin_secret(state_dir: Path, configured: str | None = None) -> str:
    """Return the configured secret, or the one kept in the state directory, made at the first call.

    Args:
        state_dir: holds `triton-admin-secret`, mode 0600.
        configured: a secret from the environment, if any.

    Raises:
        ConfigurationError: the secret is too short or holds characters that cannot be passed on.
    """
    path = state_dir / SECRET_FILE
    if configured is not None:
        return _checked(configured, "TIDEGATE_TRITON_ADMIN_SECRET")
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written beside and linked into place: two starts at once agree on one, and nobody reads half of it.
    staging = state_dir / f".{SECRET_FILE}.{secrets.token_hex(8)}"
    if not path.exists():
        descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(staging, path)
        except FileExistsError:
            pass
        finally:
            staging.unlink()
    return _checked(path.read_text().strip(), str(path))


def _checked(secret: str, source: str) -> str:
    if not _ALLOWED.fullmatch(secret):
        raise ConfigurationError(
            f"The Triton admin secret from {source} must be 16 to 256 letters, digits, '-', '_', '.' or '~'; "
            'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`.'
        )
    return secret

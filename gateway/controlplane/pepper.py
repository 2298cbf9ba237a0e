"""The pepper: the secret mixed into every stored key hash, so that a stolen database opens nothing."""

from __future__ import annotations

import secrets

from gateway.controlplane.state_directory import StateDirectory
from gateway.errors import CannotStart
from gateway.settings import Settings

FILE_NAME = "key-pepper"
MIN_BYTES = 32


def load_pepper(settings: Settings, state: StateDirectory) -> bytes:
    """Return the pepper from the settings, else from the state directory, made at the first start.

    Raises:
        CannotStart: when the configured pepper is shorter than 32 bytes, or the file cannot be used.
    """
    if settings.key_pepper is None:
        text, _ = state.secret(FILE_NAME, lambda: secrets.token_hex(MIN_BYTES))
        return text.encode()
    pepper = settings.key_pepper.get_secret_value().encode()
    if len(pepper) < MIN_BYTES:
        raise CannotStart(
            f"TIDEGATE_KEY_PEPPER has {len(pepper)} bytes and needs at least {MIN_BYTES}; "
            "make one with `openssl rand -hex 32`."
        )
    return pepper

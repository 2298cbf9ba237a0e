"""API keys: their form `tg_<id>_<secret>`, how they are made and how they are hashed."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

PREFIX = "tg"
ID_ALPHABET = string.ascii_lowercase + string.digits
# Base 62: url-safe and free of `_`, which separates the three parts.
SECRET_ALPHABET = string.ascii_letters + string.digits
ID_LENGTH = 12
SECRET_LENGTH = 43  # 43 * log2(62) = 256 bits
# The shortest secret accepted holds 33 * log2(62) = 196 bits, the longest id fits a log line.
_FORM = re.compile(rb"tg_([a-z0-9]{4,32})_[A-Za-z0-9]{33,128}")
MAX_LENGTH = len(PREFIX) + 1 + 32 + 1 + 128


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """A key in the clear; lives only while it is made or checked.

    Attributes:
        key_id: the public part.
        text: the whole key as the client sends it, ASCII.
    """

    key_id: str
    text: bytes

    def __repr__(self) -> str:
        return f"ApiKey({self.key_id})"


def generate() -> ApiKey:
    """Return a new random key with 62 bits of id and 256 bits of secret."""
    key_id = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_LENGTH))
    return ApiKey(key_id, f"{PREFIX}_{key_id}_{secret}".encode("ascii"))


def parse(text: bytes) -> ApiKey | None:
    """Return the key, or None when `text` does not have the form of one."""
    if len(text) > MAX_LENGTH:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    return ApiKey(match.group(1).decode("ascii"), text)


def key_hash(pepper: bytes, text: bytes) -> bytes:
    """Return the 32 bytes stored of a key: HMAC-SHA-256 of the whole key under the pepper."""
    return hmac.digest(pepper, text, hashlib.sha256)

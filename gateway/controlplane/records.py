"""What the control plane stores, as the rest of the gateway sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.types import Principal


@dataclass(frozen=True, slots=True)
class Project:
    """The unit that owns keys.

    Attributes:
        name: unique, `[a-z0-9][a-z0-9-]*`, at most 63 characters.
        created_at: when it was made, UTC.
    """

    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A stored API key without its secret.

    Attributes:
        key_id: the public part of the key.
        project: name of the project that owns it.
        name: what it is for, free text.
        scopes: what it may do, from `gateway.types.SCOPES`.
        models: globs of the model names it may reach.
        created_at: when it was made, UTC.
        expires_at: from when it is refused, UTC; None for never.
        revoked_at: since when it is refused for good, UTC; None while it is not.
    """

    key_id: str
    project: str
    name: str
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What is needed to recognise one key.

    Attributes:
        hash: HMAC-SHA-256 of the whole key, 32 bytes.
        expires_at: seconds since the epoch from which it is refused; infinity for never.
        principal: who the caller is when the key fits.
    """

    hash: bytes
    expires_at: float
    principal: Principal

"""The first key: without it nobody could create any other."""

from __future__ import annotations

import hmac
import logging
import sys
from datetime import UTC, datetime

from gateway.controlplane import keys
from gateway.controlplane.keys import ApiKey, key_hash
from gateway.controlplane.records import KeyRecord
from gateway.controlplane.state_directory import StateDirectory
from gateway.controlplane.store import Store
from gateway.errors import CannotStart, Conflict
from gateway.settings import Settings
from gateway.types import SCOPES

log = logging.getLogger(__name__)

FILE_NAME = "admin-key"
PROJECT = "admin"
NAME = "bootstrap"
ACTOR = "bootstrap"


async def ensure_admin_key(settings: Settings, state: StateDirectory, store: Store, pepper: bytes) -> None:
    """Make the bootstrap admin key valid: the one in the settings, else the one in the state directory.

    A key that was revoked stays revoked. Where it is the generated one, a new one takes its place, so that
    revoking it cannot lock the operator out.

    Raises:
        CannotStart: when `TIDEGATE_ADMIN_KEY` is malformed, revoked, or somebody else's key.
        Unavailable: when the database does not answer.
    """
    if settings.admin_key is not None:
        key = keys.parse(settings.admin_key.get_secret_value().encode())
        if key is None:
            raise CannotStart(
                "TIDEGATE_ADMIN_KEY does not have the form of an API key; "
                "it is `tg_<id>_<secret>` with 4 to 32 of [a-z0-9] and 33 to 128 of [A-Za-z0-9]."
            )
        if not await _admit(key, store, pepper):
            raise CannotStart(
                f"TIDEGATE_ADMIN_KEY has the id `{key.key_id}` of a key that is revoked or different; "
                "choose another id and secret."
            )
        await _retire_others(key.key_id, store)
        return
    text, made = state.secret(FILE_NAME, _new_text)
    key = keys.parse(text.encode())
    if key is None:
        raise CannotStart(f"{state.path / FILE_NAME} does not hold an API key; remove it to get a new one.")
    if not await _admit(key, store, pepper):
        key, made = keys.generate(), True
        await _admit(key, store, pepper)
        state.replace(FILE_NAME, key.text.decode())
    if made:
        _show(key, state)


async def _admit(key: ApiKey, store: Store, pepper: bytes) -> bool:
    """Return whether the key is valid now, storing it if its id is free."""
    hash_ = key_hash(pepper, key.text)
    record = KeyRecord(key.key_id, PROJECT, NAME, SCOPES, ("*",), datetime.now(UTC))
    try:
        # Looked up first: a change at every start would fill the history.
        if await store.find_key(key.key_id) is None:
            await store.create_key(record, hash_, ACTOR)
            return True
    except Conflict:
        log.info("another gateway stored the admin key first")
    found = await store.find_key(key.key_id)
    if found is None:
        return False
    stored, stored_hash = found
    return stored.revoked_at is None and "admin" in stored.scopes and hmac.compare_digest(stored_hash, hash_)


async def _retire_others(key_id: str, store: Store) -> None:
    """Revoke earlier bootstrap keys: whoever sets a new admin key wants the old one dead."""
    for record in await store.list_keys(PROJECT):
        if record.name == NAME and record.key_id != key_id and record.revoked_at is None:
            await store.revoke_key(record.key_id, ACTOR)
            log.info("an earlier bootstrap admin key is revoked", extra={"key_id": record.key_id})


def _show(key: ApiKey, state: StateDirectory) -> None:
    # Standard error is the log: a key goes there only where a person is looking, never into a log store.
    if sys.stderr.isatty():
        sys.stderr.write(f"\nAdmin key, shown once: {key.text.decode()}\n\n")
    log.info("a new admin key was written", extra={"file": str(state.path / FILE_NAME)})


def _new_text() -> str:
    return keys.generate().text.decode()

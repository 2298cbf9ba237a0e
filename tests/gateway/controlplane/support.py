"""Builds keys for the control plane's tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.controlplane import keys
from gateway.controlplane.keys import ApiKey
from gateway.controlplane.records import KeyRecord
from gateway.controlplane.store import Store

PEPPER = b"p" * 32


async def add_key(store: Store, **fields: Any) -> ApiKey:
    """Store a new key and return it."""
    key = keys.generate()
    record = KeyRecord(
        key_id=key.key_id,
        project=fields.pop("project", "shop"),
        name=fields.pop("name", "till"),
        scopes=fields.pop("scopes", ("infer",)),
        models=fields.pop("models", ("*",)),
        created_at=datetime.now(UTC),
        **fields,
    )
    await store.create_key(record, keys.key_hash(PEPPER, key.text), "tester")
    return key

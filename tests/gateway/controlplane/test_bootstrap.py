"""The first key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.controlplane import keys
from gateway.controlplane.bootstrap import ensure_admin_key
from gateway.controlplane.state_directory import StateDirectory
from gateway.controlplane.store import Store
from gateway.errors import CannotStart
from gateway.settings import Settings
from gateway.types import SCOPES
from tests.gateway.controlplane.support import PEPPER


def with_key(text: str) -> Settings:
    return Settings.model_validate({"admin_key": text})


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def file_key_id(state: StateDirectory) -> str:
    text = state.read("admin-key")
    assert text is not None
    key = keys.parse(text.encode())
    assert key is not None
    return key.key_id


async def valid_ids(store: Store) -> set[str]:
    return set((await store.credentials())[1])


async def test_a_key_is_generated_at_the_first_start_only(store: Store, state: StateDirectory) -> None:
    await ensure_admin_key(Settings(), state, store, PEPPER)
    await ensure_admin_key(Settings(), state, store, PEPPER)
    [record] = await store.list_keys()
    assert record.key_id == file_key_id(state)
    assert record.scopes == SCOPES
    assert await store.revision() == 1


async def test_a_lost_database_gets_the_key_back(store: Store, state: StateDirectory) -> None:
    key = keys.generate()
    state.secret("admin-key", key.text.decode)
    await ensure_admin_key(Settings(), state, store, PEPPER)
    assert await valid_ids(store) == {key.key_id}


async def test_a_revoked_generated_key_is_replaced(store: Store, state: StateDirectory) -> None:
    await ensure_admin_key(Settings(), state, store, PEPPER)
    old = file_key_id(state)
    await store.revoke_key(old, "tester")
    await ensure_admin_key(Settings(), state, store, PEPPER)
    assert await valid_ids(store) == {file_key_id(state)} != {old}


async def test_a_configured_key_retires_the_earlier_ones(store: Store, state: StateDirectory) -> None:
    await ensure_admin_key(Settings(), state, store, PEPPER)
    configured = keys.generate()
    for _ in range(2):
        await ensure_admin_key(with_key(configured.text.decode()), state, store, PEPPER)
        assert await valid_ids(store) == {configured.key_id}


async def test_a_configured_key_that_cannot_hold_is_refused(store: Store, state: StateDirectory) -> None:
    with pytest.raises(CannotStart, match="does not have the form"):
        await ensure_admin_key(with_key("admin"), state, store, PEPPER)
    first = keys.generate().text.decode()
    await ensure_admin_key(with_key(first), state, store, PEPPER)
    with pytest.raises(CannotStart, match="choose another id"):
        await ensure_admin_key(with_key(first[:-6] + "zzzzzz"), state, store, PEPPER)
    await store.revoke_key(first.split("_")[1], "tester")
    with pytest.raises(CannotStart, match="choose another id"):
        await ensure_admin_key(with_key(first), state, store, PEPPER)

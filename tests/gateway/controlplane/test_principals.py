"""The in-memory view follows the database, and survives its absence."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from gateway.controlplane.database import Database, database_url
from gateway.controlplane.principals import Principals
from gateway.controlplane.store import Store
from gateway.errors import Unavailable
from tests.gateway.controlplane.support import add_key


async def eventually(condition: object, seconds: float = 5.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():  # type: ignore[operator]
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_follows_changes_another_process_made(store: Store, tmp_path: Path) -> None:
    elsewhere = Database(database_url(None, tmp_path))
    principals = Principals(Store(elsewhere), 0.02, Gauge("up", "up", registry=CollectorRegistry()))
    await principals.refresh()
    following = asyncio.create_task(principals.follow())
    key = await add_key(store)
    await eventually(lambda: principals.find(key.key_id) is not None)
    await store.revoke_key(key.key_id, "tester")
    await eventually(lambda: principals.find(key.key_id) is None)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    await elsewhere.close()


async def test_keeps_the_last_view_while_the_database_is_gone(store: Store, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    elsewhere = Database(database_url(None, tmp_path))
    principals = Principals(Store(elsewhere), 0.02, Gauge("up", "up", registry=registry))
    key = await add_key(store)
    await principals.refresh()
    assert registry.get_sample_value("up") == 1
    # A directory in place of the file: opening it fails like a lost disk.
    await elsewhere.close()
    file = tmp_path / "gateway.db"
    file.rename(tmp_path / "away.db")
    file.mkdir()
    with pytest.raises(Unavailable):
        await principals.refresh()
    assert registry.get_sample_value("up") == 0
    assert principals.find(key.key_id) is not None
    following = asyncio.create_task(principals.follow())
    await asyncio.sleep(0.1)
    file.rmdir()
    (tmp_path / "away.db").rename(file)
    await eventually(lambda: registry.get_sample_value("up") == 1)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    await elsewhere.close()

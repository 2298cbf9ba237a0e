"""Projects and keys in real databases of both kinds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from gateway.controlplane.database import Database
from gateway.controlplane.store import Store
from gateway.controlplane.tables import changes
from gateway.errors import Conflict, NotFound
from tests.gateway.controlplane.support import add_key


@pytest.fixture
def database(any_database: Database) -> Database:
    return any_database


async def test_project_is_created_once(store: Store) -> None:
    created = await store.create_project("shop", "tester")
    assert created.name == "shop"
    assert datetime.now(UTC) - created.created_at < timedelta(minutes=1)
    with pytest.raises(Conflict, match="already exists"):
        await store.create_project("shop", "tester")
    assert await store.list_projects() == [created]


async def test_key_comes_back_as_it_was_stored_and_makes_its_project(store: Store) -> None:
    expires_at = datetime(2040, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    key = await add_key(store, project="lab", models=("digits*", "tiny"), expires_at=expires_at)
    [record] = await store.list_keys()
    assert (record.key_id, record.project, record.models) == (key.key_id, "lab", ("digits*", "tiny"))
    assert record.expires_at == expires_at
    assert record.revoked_at is None
    assert [project.name for project in await store.list_projects()] == ["lab"]


async def test_keys_are_listed_by_project(store: Store) -> None:
    mine, theirs = await add_key(store, project="a"), await add_key(store, project="b")
    assert [key.key_id for key in await store.list_keys("a")] == [mine.key_id]
    assert [key.key_id for key in await store.list_keys()] == [mine.key_id, theirs.key_id]


async def test_revoked_key_is_no_credential_any_more(store: Store) -> None:
    key, other = await add_key(store), await add_key(store)
    before, credentials = await store.credentials()
    assert credentials.keys() == {key.key_id, other.key_id}
    revoked = await store.revoke_key(key.key_id, "tester")
    assert revoked.revoked_at is not None
    after, credentials = await store.credentials()
    assert credentials.keys() == {other.key_id}
    assert after == before + 1


async def test_revoking_again_changes_nothing(store: Store) -> None:
    key = await add_key(store)
    first = await store.revoke_key(key.key_id, "tester")
    revision = await store.revision()
    assert await store.revoke_key(key.key_id, "tester") == first
    assert await store.revision() == revision


async def test_revoking_an_unknown_key_says_so(store: Store) -> None:
    with pytest.raises(NotFound, match="no key `nobody'--`"):
        await store.revoke_key("nobody'--", "tester")
    assert await store.revision() == 0


async def test_every_change_is_in_the_history_under_its_revision(store: Store, database: Database) -> None:
    key = await add_key(store)
    await store.revoke_key(key.key_id, "tester")
    with pytest.raises(Conflict):
        await store.create_project("shop", "tester")
    async with database.reading() as connection:
        rows = (await connection.execute(select(changes).order_by(changes.c.revision))).mappings().all()
    assert [(row["revision"], row["actor"], row["action"], row["subject"]) for row in rows] == [
        (1, "tester", "key.create", key.key_id),
        (2, "tester", "key.revoke", key.key_id),
    ]


async def test_concurrent_changes_each_get_a_revision_of_their_own(store: Store) -> None:
    await asyncio.gather(*(add_key(store) for _ in range(20)))
    assert await store.revision() == 20
    assert len(await store.list_keys()) == 20

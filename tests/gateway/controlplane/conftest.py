"""A control plane's store on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.controlplane.database import Database, database_url
from gateway.controlplane.migrate import migrate
from gateway.controlplane.store import Store
from tests.gateway.controlplane.databases import empty_database, postgres

__all__ = ["postgres"]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(database_url(None, tmp_path))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated database of each kind."""
    async with empty_database(request.param, request, tmp_path) as url:
        opened = Database(url)
        await migrate(opened)
        yield opened
        await opened.close()

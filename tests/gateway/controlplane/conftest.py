"""A control plane's store on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.controlplane.database import Database, database_url
from gateway.controlplane.migrate import migrate
from gateway.controlplane.store import Store


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(database_url(None, tmp_path))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)

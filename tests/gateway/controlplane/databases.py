"""An empty database of every kind the control plane supports."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from gateway.controlplane.database import Database, database_url
from tests.support.postgres import programs, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL."""
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed here")
    # Not tmp_path: pytest's directories admit only their owner, and root cannot run PostgreSQL.
    folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-"))
    try:
        with running_postgres(bin_dir, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def empty_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[URL]:
    """Yield the URL of an empty database of the given kind; a PostgreSQL one is dropped afterwards."""
    if kind == "sqlite":
        yield database_url(None, tmp_path)
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{secrets.token_hex(6)}"
    await _outside_transactions(server, f"CREATE DATABASE {name}")
    try:
        yield database_url(make_url(server).set(database=name).render_as_string(), tmp_path)
    finally:
        await _outside_transactions(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _outside_transactions(url: str, statement: str) -> None:
    database = Database(database_url(url, Path()))
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await database.close()

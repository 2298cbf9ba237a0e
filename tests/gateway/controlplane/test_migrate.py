"""Migrations against a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from gateway.controlplane.database import Database, database_url
from gateway.controlplane.migrate import MIGRATIONS, migrate
from gateway.controlplane.tables import metadata
from gateway.errors import CannotStart


async def test_migrations_and_tables_agree(any_database: Database) -> None:
    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with any_database.reading() as connection:
        assert await connection.run_sync(difference) == []


async def test_many_gateways_may_start_together(tmp_path: Path) -> None:
    databases = [Database(database_url(None, tmp_path)) for _ in range(4)]
    await asyncio.gather(*(migrate(database) for database in databases))
    async with databases[0].reading() as connection:
        assert (await connection.execute(text("SELECT value FROM revision"))).scalars().all() == [0]
    for database in databases:
        await database.close()


async def test_a_failed_migration_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url(None, tmp_path))
    # The last table is there already, so creating it fails after the others were created.
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE changes (x INTEGER)"))
    with pytest.raises(Exception, match="does not answer"):
        await migrate(database)

    async with database.writing() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert tables == ["changes"]
        await connection.execute(text("DROP TABLE changes"))
    await migrate(database)
    await database.close()


async def test_a_newer_schema_is_refused_in_a_sentence(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CannotStart, match="start the version that wrote it"):
        await migrate(database)


async def test_one_step_down_and_up_again(any_database: Database) -> None:
    def down(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")

    async with any_database.writing() as connection:
        await connection.run_sync(down)
    await migrate(any_database)


def test_database_url() -> None:
    assert database_url(None, Path("/s")).render_as_string() == "sqlite+aiosqlite:////s/gateway.db"
    assert database_url("sqlite:////x/y.db", Path()).drivername == "sqlite+aiosqlite"
    assert database_url("postgresql://h/tidegate", Path()).drivername == "postgresql+asyncpg"
    for wrong in ("nonsense", "mysql://x/y"):
        with pytest.raises(CannotStart, match="TIDEGATE_DATABASE_URL"):
            database_url(wrong, Path())

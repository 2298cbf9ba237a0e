"""Brings the database to the newest schema, once, however many gateways start together."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from gateway.controlplane.database import Database
from gateway.errors import CannotStart

MIGRATIONS = Path(__file__).parent / "migrations"
# Any constant will do, as long as nobody else on that PostgreSQL server uses it.
ADVISORY_LOCK = 0x7469_6465


async def migrate(database: Database) -> None:
    """Apply the missing migrations in one transaction: a crash in between leaves the old schema.

    Raises:
        CannotStart: when the database was written by a newer gateway.
        Unavailable: when the database does not answer.
    """
    async with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CannotStart(
            f"The control plane's database has a schema this version does not know ({error}); "
            "start the version that wrote it, or a newer one."
        ) from error

"""The connection to the control plane's database; knows what differs between databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.errors import CannotStart, Unavailable

# The async driver used for a URL that names only the database.
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
FILE_NAME = "gateway.db"
BUSY_TIMEOUT_MS = 5000
_BEGIN = "tidegate_begin"
# Waiting does not mend these.
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


class Database:
    """Transactions on one SQLAlchemy engine.

    Every failure of the database is `Unavailable`, but for a damaged SQLite file, which is `CannotStart`.
    """

    def __init__(self, url: URL) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=not _is_sqlite(url),
            # Errors are logged; statement parameters hold key hashes.
            hide_parameters=True,
        )
        if _is_sqlite(url):
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that reads."""
        with _failures():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; committed on the way out, rolled back on an error."""
        with _failures():
            async with self.engine.connect() as connection:
                # SQLite: take the write lock at the start, where waiting for it is possible.
                await connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def database_url(configured: str | None, state_dir: Path) -> URL:
    """Return the database's URL with its async driver; SQLite in the state directory by default.

    Raises:
        CannotStart: when the URL cannot be understood or its database is not supported.
    """
    if configured is None:
        return URL.create(DRIVERS["sqlite"], database=str(state_dir / FILE_NAME))
    try:
        url = make_url(configured)
    except ArgumentError:
        raise CannotStart(
            "TIDEGATE_DATABASE_URL is no database URL; write it like `sqlite:////var/lib/tidegate/gateway.db`."
        ) from None
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise CannotStart(
            f"TIDEGATE_DATABASE_URL names `{url.get_backend_name()}`; use one of: {', '.join(DRIVERS)}."
        )
    return url.set(drivername=driver)


class _failures:  # noqa: N801 - reads as a statement
    """Turns what the driver raises into `Unavailable`; what the caller handles passes."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, IntegrityError):
            return
        if isinstance(error, DBAPIError | PoolTimeout | OSError):
            cause = getattr(error, "orig", None)
            if getattr(cause, "sqlite_errorname", "") in _DAMAGED:
                raise CannotStart(
                    f"The control plane's SQLite file is damaged ({cause}); put a backup in its place, or "
                    "move it away to start without keys, aliases and history."
                ) from error
            raise Unavailable("The control plane's database does not answer; try again shortly.") from error


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own implicit BEGIN leaves DDL and reads outside transactions; ours is explicit.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "foreign_keys = ON",
        # A revocation that was answered must survive a power cut.
        "synchronous = FULL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

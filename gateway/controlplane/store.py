"""Reads and changes projects and API keys in the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.controlplane.database import Database
from gateway.controlplane.journal import changing, current_revision
from gateway.controlplane.records import Credential, KeyRecord, Project
from gateway.controlplane.tables import api_keys, projects
from gateway.errors import Conflict, NotFound
from gateway.types import Principal


class Store:
    """Every change is one transaction that also raises the revision and appends to the history.

    Every method raises `Unavailable` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_project(self, name: str, actor: str) -> Project:
        """Create a project.

        Raises:
            Conflict: when it exists.
        """
        async with changing(self._database, actor, "project.create", name) as change:
            if not await _ensure_project(change.connection, name):
                raise Conflict(f"Project `{name}` already exists; choose another name.")
            row = await _one(change.connection, projects.c.name, name)
        return _project(row)

    async def list_projects(self) -> list[Project]:
        """Return every project by name."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(projects).order_by(projects.c.name))
            return [_project(row) for row in rows.mappings()]

    async def create_key(self, record: KeyRecord, hash_: bytes, actor: str) -> None:
        """Store a new key, and its project if it does not exist.

        Raises:
            Conflict: when the id is taken.
        """
        async with changing(self._database, actor, "key.create", record.key_id) as change:
            connection = change.connection
            await _ensure_project(connection, record.project)
            if await _find(connection, api_keys.c.key_id, record.key_id) is not None:
                raise Conflict(f"Key `{record.key_id}` already exists; create another.")
            await connection.execute(insert(api_keys).values(**_columns(record), hash=hash_))

    async def list_keys(self, project: str | None = None) -> list[KeyRecord]:
        """Return every key, of one project if given, oldest first."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        if project is not None:
            query = query.where(api_keys.c.project == project)
        async with self._database.reading() as connection:
            return [_key(row) for row in (await connection.execute(query)).mappings()]

    async def revoke_key(self, key_id: str, actor: str) -> KeyRecord:
        """Revoke a key for good and return it; revoking it again changes nothing.

        Raises:
            NotFound: when there is no such key.
        """
        async with self._database.reading() as connection:
            found = await _find(connection, api_keys.c.key_id, key_id)
        if found is None:
            raise NotFound(f"There is no key `{key_id}`; list the keys to see their ids.")
        if found["revoked_at"] is not None:
            return _key(found)
        async with changing(self._database, actor, "key.revoke", key_id) as change:
            await change.connection.execute(
                update(api_keys)
                .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            return _key(await _one(change.connection, api_keys.c.key_id, key_id))

    async def find_key(self, key_id: str) -> tuple[KeyRecord, bytes] | None:
        """Return a key with its hash, or None."""
        async with self._database.reading() as connection:
            row = await _find(connection, api_keys.c.key_id, key_id)
        return None if row is None else (_key(row), row["hash"])

    async def revision(self) -> int:
        """Return the number of changes made so far."""
        async with self._database.reading() as connection:
            return await current_revision(connection)

    async def credentials(self) -> tuple[int, Mapping[str, Credential]]:
        """Return every key that is not revoked, by id, and a revision they are at least as new as."""
        async with self._database.reading() as connection:
            seen = await current_revision(connection)
            rows = await connection.execute(select(api_keys).where(api_keys.c.revoked_at.is_(None)))
            return seen, {row["key_id"]: _credential(row) for row in rows.mappings()}


async def _ensure_project(connection: AsyncConnection, name: str) -> bool:
    if await _find(connection, projects.c.name, name) is not None:
        return False
    await connection.execute(insert(projects).values(name=name, created_at=datetime.now(UTC)))
    return True


async def _find(connection: AsyncConnection, column: Any, value: str) -> RowMapping | None:
    result = await connection.execute(select(column.table).where(column == value))
    return result.mappings().one_or_none()


async def _one(connection: AsyncConnection, column: Any, value: str) -> RowMapping:
    result = await connection.execute(select(column.table).where(column == value))
    return result.mappings().one()


def _project(row: RowMapping) -> Project:
    return Project(row["name"], row["created_at"])


def _key(row: RowMapping) -> KeyRecord:
    return KeyRecord(
        key_id=row["key_id"],
        project=row["project"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        models=tuple(row["models"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _columns(record: KeyRecord) -> dict[str, Any]:
    return {
        "key_id": record.key_id,
        "project": record.project,
        "name": record.name,
        "scopes": list(record.scopes),
        "models": list(record.models),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    }


def _credential(row: RowMapping) -> Credential:
    expires_at: datetime | None = row["expires_at"]
    return Credential(
        hash=row["hash"],
        expires_at=math.inf if expires_at is None else expires_at.timestamp(),
        principal=Principal(
            key_id=row["key_id"],
            project=row["project"],
            scopes=frozenset(row["scopes"]),
            models=tuple(row["models"]),
        ),
    )

"""Every change is one transaction that raises the revision and appends to the history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.controlplane.database import Database
from gateway.controlplane.tables import changes, revision


@dataclass(slots=True)
class Change:
    """A change that is being made.

    Attributes:
        connection: the transaction; everything in it happens or nothing does.
        at: when, UTC.
        detail: what exactly, in terms JSON knows; may be filled until the transaction ends.
        void: set when it turned out that nothing is to be changed; neither revision nor history move then.
    """

    connection: AsyncConnection
    at: datetime
    detail: dict[str, Any] = field(default_factory=dict)
    void: bool = False


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change that was made.

    Attributes:
        revision: its number; later changes have higher ones.
        at: when, UTC.
        actor: the key, or the part of the gateway, that made it.
        action: what was done, e.g. `rollout.promote`.
        subject: to what: a model, key or project.
        detail: what exactly.
    """

    revision: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


@asynccontextmanager
async def changing(database: Database, actor: str, action: str, subject: str) -> AsyncIterator[Change]:
    """Open a change; what the block reads cannot be changed by anybody else before the change is made.

    Raises:
        Unavailable: when the database does not answer.
    """
    async with database.writing() as connection:
        # First, because its row lock lets one change at a time through.
        raised = update(revision).values(value=revision.c.value + 1).returning(revision.c.value)
        number = (await connection.execute(raised)).scalar_one()
        change = Change(connection, datetime.now(UTC))
        yield change
        if change.void:
            await connection.execute(update(revision).values(value=revision.c.value - 1))
            return
        await connection.execute(
            insert(changes).values(
                revision=number,
                at=change.at,
                actor=actor,
                action=action,
                subject=subject,
                detail=change.detail or None,
            )
        )


async def current_revision(connection: AsyncConnection) -> int:
    """Return the number of changes made so far."""
    number: int = (await connection.execute(select(revision.c.value))).scalar_one()
    return number


async def history(
    database: Database, *, subject: str | None = None, before: int | None = None, limit: int = 100
) -> list[HistoryEntry]:
    """Return changes, newest first.

    Args:
        database: where they are.
        subject: only those of this model, key or project.
        before: only those older than this revision.
        limit: at most so many.

    Raises:
        Unavailable: when the database does not answer.
    """
    query = select(changes).order_by(changes.c.revision.desc()).limit(limit)
    if subject is not None:
        query = query.where(changes.c.subject == subject)
    if before is not None:
        query = query.where(changes.c.revision < before)
    async with database.reading() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [HistoryEntry(**{**row, "detail": row["detail"] or {}}) for row in rows]

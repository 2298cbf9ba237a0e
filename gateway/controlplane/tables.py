"""The control plane's tables. Their history is in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# Named by rule, so that a later migration can name what it drops on every database.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant; SQLite forgets the time zone, so it is stored in UTC and comes back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Convert to UTC on the way in."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Attach UTC on the way out."""
        if value is None:
            return None
        instant: datetime = value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


projects = Table(
    "projects",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("project", String(63), ForeignKey("projects.name"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("models", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

# One row, raised by one in every transaction that changes anything. Its row lock makes commits come in
# the order of the numbers, which a sequence does not: a follower that saw n has seen everything up to n.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
)

# Append-only: who changed what, by the revision that did it.
changes = Table(
    "changes",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    # What exactly: the versions, weights and steps of the change.
    Column("detail", JSON),
)

MODEL = String(128)
# Versions are decimal integers of at most ten digits; as text they are what the protocols carry.
VERSION = String(10)

# The stable names clients call. For now each model has one of its own name.
endpoints = Table(
    "endpoints",
    metadata,
    Column("name", MODEL, primary_key=True),
    Column("model", MODEL, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# Versions that passed every step of a deployment, with the digest of the manifest they had then.
admitted_versions = Table(
    "admitted_versions",
    metadata,
    Column("model", MODEL, primary_key=True),
    Column("version", VERSION, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("admitted_at", UtcDateTime, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", MODEL, primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("version", VERSION, nullable=False),
    Column("previous_version", VERSION),
    Column("changed_at", UtcDateTime, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint", MODEL, ForeignKey("endpoints.name"), nullable=False, index=True),
    Column("stable", VERSION, nullable=False),
    Column("candidate", VERSION, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

# Who may act on a model in Triton now. Seconds since the epoch, because both databases compare them alike.
leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("expires_at", Float(53), nullable=False),
)

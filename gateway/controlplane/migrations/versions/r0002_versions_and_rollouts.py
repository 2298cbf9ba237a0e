"""Endpoints, admitted versions, aliases, rollouts, leases, and what each change did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
MODEL = sa.String(128)
VERSION = sa.String(10)


def upgrade() -> None:
    """Create the five tables and give `changes` its detail."""
    op.create_table(
        "endpoints",
        sa.Column("name", MODEL, nullable=False),
        sa.Column("model", MODEL, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_endpoints"),
    )
    op.create_table(
        "admitted_versions",
        sa.Column("model", MODEL, nullable=False),
        sa.Column("version", VERSION, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("admitted_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", name="pk_admitted_versions"),
    )
    op.create_table(
        "aliases",
        sa.Column("model", MODEL, nullable=False),
        sa.Column("alias", sa.String(63), nullable=False),
        sa.Column("version", VERSION, nullable=False),
        sa.Column("previous_version", VERSION),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("model", "alias", name="pk_aliases"),
    )
    _create_rollouts()
    op.create_table(
        "leases",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.add_column("changes", sa.Column("detail", sa.JSON))


def _create_rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("endpoint", MODEL, nullable=False),
        sa.Column("stable", VERSION, nullable=False),
        sa.Column("candidate", VERSION, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="fk_rollouts_endpoint"),
    )
    op.create_index("ix_rollouts_endpoint", "rollouts", ["endpoint"])


def downgrade() -> None:
    """Drop everything this revision created."""
    with op.batch_alter_table("changes") as changes:
        changes.drop_column("detail")
    for table in ("leases", "rollouts", "aliases", "admitted_versions", "endpoints"):
        op.drop_table(table)

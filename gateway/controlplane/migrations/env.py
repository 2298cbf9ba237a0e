"""Alembic's entry: runs the migrations inside the transaction that `gateway.controlplane.migrate` opened."""

from __future__ import annotations

from alembic import context

from gateway.controlplane.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter columns in place; Alembic then copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Reads and changes which versions are admitted and what the aliases name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.controlplane.database import Database
from gateway.controlplane.journal import Change, HistoryEntry, changing, current_revision, history
from gateway.controlplane.routing_records import RUNNING, Alias, ModelState, Rollout
from gateway.controlplane.tables import admitted_versions, aliases, endpoints, rollouts
from gateway.errors import Conflict, NotFound
from gateway.types import CANDIDATE, STABLE


class RoutingStore:
    """Every change is one transaction with its line in the history.

    Every method raises `Unavailable` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revision(self) -> int:
        """Return the number of changes made so far, of anything."""
        async with self._database.reading() as connection:
            return await current_revision(connection)

    async def models(self) -> tuple[int, Mapping[str, ModelState]]:
        """Return the state of every model, by name, and a revision it is at least as new as."""
        async with self._database.reading() as connection:
            seen = await current_revision(connection)
            return seen, await read_models(connection)

    async def model(self, model: str) -> ModelState:
        """Return the state of one model; an empty one when nothing is known of it."""
        async with self._database.reading() as connection:
            return await read_model(connection, model)

    async def history(
        self, *, subject: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """Return changes, newest first; see `journal.history`."""
        return await history(self._database, subject=subject, before=before, limit=limit)

    async def admit(
        self,
        model: str,
        version: str,
        digest: str,
        alias: str,
        actor: str,
        steps: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Admit a version that passed every step, and let an alias name it.

        Returns:
            Whether anything changed.

        Raises:
            Conflict: when a rollout runs that the alias belongs to.
        """
        async with changing(self._database, actor, "deploy", model) as change:
            state = await read_model(change.connection, model)
            refuse_during_rollout(state, alias)
            admitted = await admit_version(change, state, version, digest)
            previous = await move_alias(change, state, alias, version)
            change.detail = {
                "alias": alias, "version": version, "previous": previous, "steps": list(steps)
            }  # fmt: skip
            change.void = not admitted and previous == version
            return not change.void

    async def record_refusal(self, model: str, version: str, step: str, reason: str, actor: str) -> None:
        """Write into the history that a version was refused; nothing else changes."""
        async with changing(self._database, actor, "deploy.refused", model) as change:
            change.detail = {"version": version, "step": step, "reason": reason}

    async def delete_alias(self, model: str, alias: str, actor: str) -> None:
        """Remove an alias.

        Raises:
            NotFound: when there is none of this name.
            Conflict: when the model needs it.
        """
        async with changing(self._database, actor, "alias.delete", model) as change:
            state = await read_model(change.connection, model)
            if alias not in state.aliases:
                raise NotFound(f"{model} has no alias `{alias}`; see which it has with GET of the model.")
            if alias == STABLE:
                raise Conflict(
                    f"{model} needs its alias `stable`; deploy another version to move it instead."
                )
            refuse_during_rollout(state, alias)
            await drop_alias(change, model, alias)
            change.detail = {"alias": alias, "version": state.aliases[alias].version}

    async def rollback(self, model: str, stable: str, version: str, digest: str, actor: str) -> None:
        """Let `stable` name its previous version again.

        Args:
            model: the model.
            stable: what `stable` named when the rollback was decided.
            version: the previous version, which has just passed every step.
            digest: of its manifest.
            actor: who asked for it.

        Raises:
            Conflict: when the alias moved since, or a rollout runs.
        """
        async with changing(self._database, actor, "rollback", model) as change:
            state = await read_model(change.connection, model)
            refuse_during_rollout(state, STABLE)
            if state.stable != stable or state.aliases[STABLE].previous != version:
                raise Conflict(f"The stable version of {model} changed meanwhile; look again, then repeat.")
            await admit_version(change, state, version, digest)
            await move_alias(change, state, STABLE, version)
            change.detail = {"from": stable, "to": version}


async def read_models(connection: AsyncConnection, model: str | None = None) -> dict[str, ModelState]:
    """Return the state of every model, or of one, that anything is known of."""
    named: dict[str, dict[str, Alias]] = defaultdict(dict)
    admitted: dict[str, dict[str, str]] = defaultdict(dict)
    running: dict[str, Rollout] = {}
    for table in (aliases, admitted_versions, rollouts):
        query = select(table)
        if model is not None:
            query = query.where((table.c.endpoint if table is rollouts else table.c.model) == model)
        if table is rollouts:
            query = query.where(rollouts.c.state == RUNNING)
        for row in (await connection.execute(query)).mappings():
            if table is aliases:
                named[row["model"]][row["alias"]] = Alias(row["version"], row["previous_version"])
            elif table is admitted_versions:
                admitted[row["model"]][row["version"]] = row["digest"]
            else:
                running[row["endpoint"]] = rollout(row)
    names = {*named, *admitted, *running}
    return {name: ModelState(name, named[name], admitted[name], running.get(name)) for name in names}


async def read_model(connection: AsyncConnection, model: str) -> ModelState:
    """Return the state of one model; an empty one when nothing is known of it."""
    return (await read_models(connection, model)).get(model, ModelState(model, {}, {}))


def rollout(row: Mapping[Any, Any]) -> Rollout:
    """Return a rollout from its row."""
    fields = {key: value for key, value in row.items() if key != "endpoint"}
    return Rollout(model=row["endpoint"], **fields)


def refuse_during_rollout(state: ModelState, alias: str) -> None:
    """Return unless a rollout runs that decides what the alias names.

    Raises:
        Conflict: it does.
    """
    if state.rollout is not None and alias in (STABLE, CANDIDATE):
        raise Conflict(
            f"A rollout of {state.model} to version {state.rollout.candidate} is running; "
            "promote or abort it first."
        )


async def admit_version(change: Change, state: ModelState, version: str, digest: str) -> bool:
    """Admit a version; return whether it was not admitted yet.

    Raises:
        Conflict: it was, with other files.
    """
    table, known = admitted_versions, state.admitted.get(version)
    if known == digest:
        return False
    if known is not None:
        raise Conflict(f"Version {version} of {state.model} changed meanwhile; publish it as a new version.")
    endpoint = select(endpoints.c.name).where(endpoints.c.name == state.model)
    if (await change.connection.execute(endpoint)).first() is None:
        await change.connection.execute(
            insert(endpoints).values(name=state.model, model=state.model, created_at=change.at)
        )
    await change.connection.execute(
        insert(table).values(model=state.model, version=version, digest=digest, admitted_at=change.at)
    )
    return True


async def move_alias(change: Change, state: ModelState, alias: str, version: str) -> str | None:
    """Let an alias name a version; return what it named before."""
    known = state.aliases.get(alias)
    if known is None:
        await change.connection.execute(
            insert(aliases).values(model=state.model, alias=alias, version=version, changed_at=change.at)
        )
        return None
    if known.version != version:
        await change.connection.execute(
            update(aliases)
            .where(aliases.c.model == state.model, aliases.c.alias == alias)
            .values(version=version, previous_version=known.version, changed_at=change.at)
        )
    return known.version


async def drop_alias(change: Change, model: str, alias: str) -> None:
    """Remove an alias, if there is one."""
    await change.connection.execute(delete(aliases).where(aliases.c.model == model, aliases.c.alias == alias))

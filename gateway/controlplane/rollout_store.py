"""Starts, changes and ends rollouts in the database."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select, update

from gateway.controlplane.database import Database
from gateway.controlplane.journal import Change, changing
from gateway.controlplane.routing_records import ABORTED, PROMOTED, RUNNING, ModelState, Rollout
from gateway.controlplane.routing_store import admit_version, drop_alias, move_alias, read_model, rollout
from gateway.controlplane.tables import rollouts
from gateway.errors import Conflict
from gateway.types import CANDIDATE, STABLE

ID_BYTES = 8


class RolloutStore:
    """Every change is one transaction with its line in the history.

    Every method raises `Unavailable` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, model: str, candidate: str, digest: str, weight: int, actor: str) -> Rollout:
        """Start a rollout to a candidate that passed every step.

        Raises:
            Conflict: when one runs already, nothing is stable, or the candidate is the stable version.
        """
        async with changing(self._database, actor, "rollout.start", model) as change:
            state = await read_model(change.connection, model)
            stable = check_can_start(state, candidate)
            await admit_version(change, state, candidate, digest)
            await move_alias(change, state, CANDIDATE, candidate)
            started = Rollout(
                id=secrets.token_hex(ID_BYTES),
                model=model,
                stable=stable,
                candidate=candidate,
                weight=weight,
                state=RUNNING,
                actor=actor,
                reason="",
                started_at=change.at,
            )
            await change.connection.execute(
                insert(rollouts).values(
                    id=started.id, endpoint=model, stable=stable, candidate=candidate, weight=weight,
                    state=RUNNING, actor=actor, reason="", started_at=change.at,
                )
            )  # fmt: skip
            change.detail = {
                "rollout": started.id, "stable": stable, "candidate": candidate, "weight": weight
            }  # fmt: skip
            return started

    async def set_weight(self, model: str, weight: int, actor: str) -> Rollout:
        """Change the weight of the running rollout.

        Raises:
            Conflict: when none runs.
        """
        async with changing(self._database, actor, "rollout.weight", model) as change:
            running = check_running(await read_model(change.connection, model))
            change.void = running.weight == weight
            change.detail = {"rollout": running.id, "from": running.weight, "to": weight}
            await change.connection.execute(
                update(rollouts).where(rollouts.c.id == running.id).values(weight=weight)
            )
            return await self._read(change, running.id)

    async def promote(self, model: str, candidate: str, actor: str, reason: str) -> Rollout:
        """End the running rollout with its candidate as the stable version.

        Args:
            model: the model.
            candidate: what the candidate was when the promotion was decided.
            actor: who decided it.
            reason: why, may be empty.

        Raises:
            Conflict: when none runs, or one to another candidate.
        """
        async with changing(self._database, actor, "rollout.promote", model) as change:
            state = await read_model(change.connection, model)
            running = check_running(state)
            if running.candidate != candidate:
                raise Conflict(f"Another rollout of {model} runs by now; look again, then repeat.")
            await move_alias(change, state, STABLE, running.candidate)
            return await self._end(change, running, PROMOTED, reason)

    async def abort(self, model: str, actor: str, reason: str) -> Rollout:
        """End the running rollout; the stable version stays.

        Raises:
            Conflict: when none runs.
        """
        async with changing(self._database, actor, "rollout.abort", model) as change:
            running = check_running(await read_model(change.connection, model))
            return await self._end(change, running, ABORTED, reason)

    async def latest(self, model: str) -> Rollout | None:
        """Return the running or last rollout of a model, or None when it never had one."""
        query = (
            select(rollouts)
            .where(rollouts.c.endpoint == model)
            .order_by(rollouts.c.started_at.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else rollout(row)

    async def _end(self, change: Change, running: Rollout, state: str, reason: str) -> Rollout:
        await drop_alias(change, running.model, CANDIDATE)
        await change.connection.execute(
            update(rollouts)
            .where(rollouts.c.id == running.id)
            .values(state=state, reason=reason, ended_at=change.at)
        )
        change.detail = {
            "rollout": running.id, "stable": running.stable, "candidate": running.candidate,
            "weight": running.weight, "reason": reason,
        }  # fmt: skip
        return await self._read(change, running.id)

    async def _read(self, change: Change, rollout_id: str) -> Rollout:
        query = select(rollouts).where(rollouts.c.id == rollout_id)
        return rollout((await change.connection.execute(query)).mappings().one())


def check_can_start(state: ModelState, candidate: str) -> str:
    """Return the stable version if a rollout to `candidate` may start.

    Raises:
        Conflict: when one runs already, nothing is stable, or the candidate is the stable version.
    """
    if state.rollout is not None:
        raise Conflict(
            f"A rollout of {state.model} to version {state.rollout.candidate} is running; "
            "promote or abort it first."
        )
    if state.stable is None:
        raise Conflict(f"{state.model} has no stable version to compare with; deploy one first.")
    if state.stable == candidate:
        raise Conflict(f"Version {candidate} is the stable version of {state.model}; choose another.")
    return state.stable


def check_running(state: ModelState) -> Rollout:
    """Return the running rollout.

    Raises:
        Conflict: when none runs.
    """
    if state.rollout is None:
        raise Conflict(f"No rollout of {state.model} is running; start one first.")
    return state.rollout

"""Starts, steers and ends rollouts."""

from __future__ import annotations

from gateway.controlplane.deployer import Deployer
from gateway.controlplane.observation import Observation, Observed
from gateway.controlplane.rollout_store import RolloutStore, check_can_start, check_running
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_records import ModelState, Rollout
from gateway.controlplane.routing_store import RoutingStore, refuse_during_rollout
from gateway.controlplane.version_sets import VersionSets
from gateway.errors import Conflict, NotFound, UnusableVersion
from gateway.types import STABLE


class Rollouts:
    """What an operator does with rollouts; every change has taken effect here when its method returns.

    Args:
        deployer: tries candidates out.
        rollouts: where rollouts are.
        store: where aliases are.
        routing: the view that must show a change before it is acknowledged.
        triton: tells what is loaded.
        observation: counts what each version answered.
    """

    def __init__(
        self,
        deployer: Deployer,
        rollouts: RolloutStore,
        store: RoutingStore,
        routing: Routing,
        triton: VersionSets,
        observation: Observation,
    ) -> None:
        self._deployer = deployer
        self._rollouts = rollouts
        self._store = store
        self._routing = routing
        self._triton = triton
        self._observation = observation

    async def start(self, model: str, candidate: str, weight: int, actor: str) -> Rollout:
        """Try a candidate out like a deployment, then let it answer `weight` percent.

        Raises:
            UnusableVersion: a step failed; no rollout starts.
            Conflict: a rollout runs, nothing is stable, or the candidate is the stable version.
        """
        async with self._deployer.acting(model) as state:
            check_can_start(state, candidate)
            digest = await self._digest(state, candidate, actor)
            # Before the first request can be routed, or it would be missing from the counts.
            self._observation.begin(model)
            started = await self._rollouts.start(model, candidate, digest, weight, actor)
            await self._routing.refresh()
        return started

    async def set_weight(self, model: str, weight: int, actor: str) -> Rollout:
        """Change the weight of the running rollout.

        Raises:
            Conflict: when none runs.
        """
        changed = await self._rollouts.set_weight(model, weight, actor)
        await self._routing.refresh()
        return changed

    async def promote(self, model: str, actor: str, reason: str = "") -> Rollout:
        """Make the candidate the stable version; requests already routed finish where they are.

        Raises:
            Conflict: when none runs, or the candidate is not served at this moment.
        """
        running = check_running(await self._store.model(model))
        if running.candidate not in (await self._triton.held(model)).ready:
            raise Conflict(
                f"Version {running.candidate} of {model} is not served at this moment; "
                "wait until it is, or abort the rollout."
            )
        ended = await self._rollouts.promote(model, running.candidate, actor, reason)
        await self._routing.refresh()
        return ended

    async def abort(self, model: str, actor: str, reason: str = "") -> Rollout:
        """End the rollout; the stable version answers everything again.

        Raises:
            Conflict: when none runs.
        """
        ended = await self._rollouts.abort(model, actor, reason)
        await self._routing.refresh()
        return ended

    async def rollback(self, model: str, actor: str) -> ModelState:
        """Make the previous stable version stable again, loading it first if it was unloaded.

        Raises:
            Conflict: when there is none, or a rollout runs.
            UnusableVersion: it fails a step by now; the stable version stays.
        """
        async with self._deployer.acting(model) as state:
            refuse_during_rollout(state, STABLE)
            alias = state.aliases.get(STABLE)
            if alias is None or alias.previous is None:
                raise Conflict(
                    f"{model} has no previous stable version; deploy the version you want instead."
                )
            digest = await self._digest(state, alias.previous, actor)
            await self._store.rollback(model, alias.version, alias.previous, digest, actor)
            await self._routing.refresh()
        return await self._store.model(model)

    async def status(self, model: str) -> tuple[Rollout, Observed]:
        """Return the running or last rollout, and what each version answered since it started.

        Raises:
            NotFound: when the model never had a rollout.
        """
        found = await self._rollouts.latest(model)
        if found is None:
            raise NotFound(f"{model} never had a rollout; start one first.")
        return found, self._observation.since_begin(model)

    async def _digest(self, state: ModelState, version: str, actor: str) -> str:
        try:
            return (await self._deployer.try_out(state, version)).digest
        except UnusableVersion as error:
            await self._store.record_refusal(state.model, version, error.step, error.message, actor)
            raise

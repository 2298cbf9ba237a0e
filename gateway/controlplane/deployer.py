"""Deploys versions: tries one out, admits it, and lets an alias name it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from gateway.controlplane.leases import Leases
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_records import ModelState
from gateway.controlplane.routing_store import RoutingStore, refuse_during_rollout
from gateway.controlplane.trial import PASSED, Trial, Trials
from gateway.errors import Conflict, GatewayError, UnusableVersion
from gateway.metrics import Metrics

log = logging.getLogger(__name__)

ALIAS_STEP = "alias"
OK = "ok"
PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version that passed every step.

    Attributes:
        model: its model.
        version: the version.
        alias: the alias that names it now.
        previous: what the alias named before, None when it is new.
        steps: each as `{"step", "outcome", "seconds"}`.
    """

    model: str
    version: str
    alias: str
    previous: str | None
    steps: tuple[dict[str, Any], ...]


class Deployer:
    """Deploys, one version per model at a time, among all gateways.

    Args:
        trials: tries versions out.
        store: where aliases are.
        leases: one per model.
        routing: the view that must show a change before it is acknowledged.
        metrics: counts deployments.
    """

    def __init__(
        self, trials: Trials, store: RoutingStore, leases: Leases, routing: Routing, metrics: Metrics
    ) -> None:
        self._trials = trials
        self._store = store
        self._leases = leases
        self._routing = routing
        self._metrics = metrics

    async def deploy(self, model: str, version: str, alias: str, actor: str) -> Deployment:
        """Try a version out, admit it and let `alias` name it.

        Raises:
            UnusableVersion: a step failed; what served before still serves.
            Conflict: another change of the model is in progress, or a rollout decides about the alias.
            Unavailable: the database or Triton does not answer.
        """
        async with self.acting(model) as state:
            refuse_during_rollout(state, alias)
            try:
                return await self.deploy_held(state, version, alias, actor)
            except UnusableVersion as error:
                await self._store.record_refusal(model, version, error.step, error.message, actor)
                raise

    async def deploy_held(self, state: ModelState, version: str, alias: str, actor: str) -> Deployment:
        """Do the same for whoever holds the model's lease already, without writing down a refusal."""
        trial = await self.try_out(state, version)
        begin = perf_counter()
        await self._store.admit(state.model, version, trial.digest, alias, actor, trial.steps)
        await self._routing.refresh()
        known = state.aliases.get(alias)
        last = {"step": ALIAS_STEP, "outcome": PASSED, "seconds": round(perf_counter() - begin, 3)}
        log.info("deployed", extra={"model": state.model, "version": version, "alias": alias, "actor": actor})
        return Deployment(state.model, version, alias, known.version if known else None, (*trial.steps, last))

    async def try_out(self, state: ModelState, version: str) -> Trial:
        """Try a version out and count how it went; whoever calls holds the model's lease.

        Raises:
            UnusableVersion: a step failed.
            Unavailable: Triton cannot be reached.
        """
        code = OK
        try:
            return await self._trials.run(state, version)
        except GatewayError as error:
            code = error.code
            log.warning(
                "version_refused",
                extra={"model": state.model, "version": version, "code": code, "reason": error.message},
            )
            raise
        finally:
            self._metrics.deploys.labels(state.model, code).inc()

    @asynccontextmanager
    async def acting(self, model: str) -> AsyncIterator[ModelState]:
        """Hold a model's lease for the block, which gets the model's present state.

        Raises:
            Conflict: another change of the model is in progress.
        """
        # The reconciler acts on a model for moments; only who acts longer is worth telling about.
        async with self._leases.held(lease_name(model), patience=PATIENCE) as mine:
            if not mine:
                raise Conflict(f"Another change of {model} is in progress; repeat this when it is done.")
            yield await self._store.model(model)


def lease_name(model: str) -> str:
    """Return the name of the lease that lets one gateway act on a model."""
    return f"model/{model}"

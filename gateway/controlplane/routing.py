"""The in-memory view of aliases and rollouts that requests are routed by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gateway.controlplane.following import follow
from gateway.controlplane.routing_records import ModelState
from gateway.controlplane.routing_store import RoutingStore
from gateway.errors import Unavailable
from gateway.metrics import Metrics
from gateway.types import RoutingPolicy

log = logging.getLogger(__name__)

# A database that hangs must not stop the view from noticing that it is back.
QUERY_TIMEOUT = 5.0


class Routing:
    """Follows the store by its revision; while the database is away the last view keeps routing.

    Args:
        store: where aliases and rollouts are.
        metrics: shows stable versions, candidates and weights.
        before_change: awaited before a changed view takes effect: the data plane must have looked at what
            Triton serves, or requests would be routed to a version it does not know yet.
    """

    def __init__(
        self, store: RoutingStore, metrics: Metrics, before_change: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._before_change = before_change
        self._revision: int | None = None
        self._states: Mapping[str, ModelState] = {}
        self._policies: Mapping[str, RoutingPolicy] = {}
        self._refreshing = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the store has been read at least once."""
        return self._revision is not None

    @property
    def states(self) -> Mapping[str, ModelState]:
        """Every model the control plane knows, by name; replaced as a whole, never changed."""
        return self._states

    def policy(self, model: str) -> RoutingPolicy | None:
        """Return how requests for a model are routed, or None while it has no stable version."""
        return self._policies.get(model)

    async def refresh(self) -> None:
        """Bring the view up to date if anything changed.

        Raises:
            Unavailable: when the database does not answer; the view stays.
        """
        async with self._refreshing:
            try:
                async with asyncio.timeout(QUERY_TIMEOUT):
                    if self._revision is not None and await self._store.revision() == self._revision:
                        return
                    seen, states = await self._store.models()
            except TimeoutError:
                raise Unavailable(
                    "The control plane's database does not answer in time; try again shortly."
                ) from None
            if states != self._states:
                await self._before_change()
                self._take(states)
            self._revision = seen

    async def follow(self, interval: float) -> None:
        """Refresh at every interval, in seconds, until cancelled."""
        await follow(self.refresh, interval, "aliases and rollouts")

    def _take(self, states: Mapping[str, ModelState]) -> None:
        found = {model: state.policy() for model, state in states.items()}
        policies = {model: policy for model, policy in found.items() if policy is not None}
        for model in self._policies.keys() | policies.keys():
            self._show(self._policies.get(model), policies.get(model))
        self._states, self._policies = states, policies

    def _show(self, before: RoutingPolicy | None, after: RoutingPolicy | None) -> None:
        if before == after:
            return
        metrics = self._metrics
        if before is not None:
            metrics.stable_version.remove(before.model, before.stable)
            if before.rollout:
                metrics.candidate_version.remove(before.model, before.candidate)
                metrics.rollout_weight.remove(before.model)
        if after is not None:
            metrics.stable_version.labels(after.model, after.stable).set(1)
            if after.rollout:
                metrics.candidate_version.labels(after.model, after.candidate).set(1)
                metrics.rollout_weight.labels(after.model).set(after.weight)
            log.info(
                "routing",
                extra={
                    "model": after.model,
                    "stable": after.stable,
                    "candidate": after.candidate or None,
                    "weight": after.weight if after.rollout else None,
                },
            )

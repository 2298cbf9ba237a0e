"""Makes Triton hold what aliases and rollouts name, after every change and every restart.

Each look of the catalog is compared with what is wanted. A model that differs is settled in a task of its
own, under the model's lease, so that one gateway acts on it and a model that hangs delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.controlplane.backoff import Backoff
from gateway.controlplane.deployer import Deployer, lease_name
from gateway.controlplane.leases import QUERY_TIMEOUT, Leases
from gateway.controlplane.manifest import VersionFiles, require_unchanged
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_records import ModelState
from gateway.controlplane.routing_store import RoutingStore
from gateway.controlplane.version_sets import Held, VersionSets, held
from gateway.errors import GatewayError, Unavailable, UnusableVersion
from gateway.triton import IndexEntry
from gateway.triton.repository import LoadFailed
from gateway.types import STABLE

log = logging.getLogger(__name__)

ACTOR = "reconciler"
# A version that is not admitted is most likely being deployed right now; else a deployment was cut off.
UNADMITTED_GRACE = 2.0
FIRST_DEPLOY = ""  # stands for the version in the back-off of a model that has no stable version


class Reconciler:
    """Follows the catalog's looks.

    Args:
        files: the model repository on disk.
        triton: changes what Triton holds.
        deployer: deploys models that have no stable version.
        store: where aliases are.
        routing: the same in memory, for when the database is away.
        leases: one per model.
        look: makes the catalog look at once.
        unload_grace: seconds a version that nothing names any more stays loaded.
        auto_deploy: whether models without a stable version are deployed.
    """

    def __init__(
        self,
        *,
        files: VersionFiles,
        triton: VersionSets,
        deployer: Deployer,
        store: RoutingStore,
        routing: Routing,
        leases: Leases,
        look: Callable[[], Awaitable[None]],
        unload_grace: float,
        auto_deploy: bool,
    ) -> None:
        self._files = files
        self._triton = triton
        self._deployer = deployer
        self._store = store
        self._routing = routing
        self._leases = leases
        self._look = look
        self._grace = unload_grace
        self._auto_deploy = auto_deploy
        self._held: Mapping[str, Held] = {}
        self._unwanted_since: dict[tuple[str, str], float] = {}
        self._backoff = Backoff()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def pending(self) -> tuple[str, ...]:
        """Models that lack a version they should serve and did not fail to get it so far."""
        return tuple(model for model in sorted(self._held) if self._untried(model))

    @property
    def models(self) -> Collection[str]:
        """Every model Triton's index named when last looked at."""
        return self._held.keys()

    def held(self, model: str) -> Held:
        """Return what Triton held of a model when last looked at."""
        return self._held.get(model, Held())

    async def stop(self) -> None:
        """Stop; a load that runs inside Triton goes on there."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def offer(self, index: Sequence[IndexEntry]) -> None:
        """Take note of a fresh index and start settling the models that differ from what is wanted."""
        self._held = held(index)
        if not self._routing.loaded:
            return
        now = asyncio.get_running_loop().time()
        for model in self._held:
            self._note_unwanted(model, now)
            if model not in self._tasks and self._differs(model, now):
                task = asyncio.create_task(self._settle_safely(model), name=f"reconcile {model}")
                self._tasks[model] = task

    def _state(self, model: str) -> ModelState:
        return self._routing.states.get(model, ModelState(model, {}, {}))

    def _untried(self, model: str) -> bool:
        state, ready = self._state(model), self._held[model].ready
        if state.stable is None:
            fresh = not self._backoff.failed((model, FIRST_DEPLOY))
            return self._auto_deploy and fresh and bool(self._files.versions(model))
        return any(v not in ready and not self._backoff.failed((model, v)) for v in state.wanted)

    def _differs(self, model: str, now: float) -> bool:
        state, ready = self._state(model), self._held[model].ready
        if state.stable is None and self._auto_deploy and self._backoff.due((model, FIRST_DEPLOY), now):
            return bool(self._files.versions(model))
        if any(v not in ready and self._backoff.due((model, v), now) for v in state.wanted):
            return True
        return bool(self._to_unload(state, self._held[model], now))

    def _note_unwanted(self, model: str, now: float) -> None:
        unwanted = {(model, version) for version in self._held[model].ready - set(self._state(model).wanted)}
        for key in [key for key in self._unwanted_since if key[0] == model and key not in unwanted]:
            del self._unwanted_since[key]
        for key in unwanted:
            self._unwanted_since.setdefault(key, now)

    def _to_unload(self, state: ModelState, found: Held, now: float) -> frozenset[str]:
        """Return the versions nothing names, whose callers had time to finish, or that never had any."""
        unwanted = found.ready - set(state.wanted)
        return frozenset(
            version
            for version in unwanted
            if now - self._unwanted_since.get((state.model, version), now)
            >= (self._grace if version in state.admitted else UNADMITTED_GRACE)
        )

    async def _settle_safely(self, model: str) -> None:
        try:
            await self._settle(model)
        except GatewayError as error:
            log.warning("not_reconciled", extra={"model": model, "reason": error.message})
        except Exception:
            log.exception("reconciling_failed", extra={"model": model})
        finally:
            del self._tasks[model]

    async def _settle(self, model: str) -> None:
        async with self._right(model) as (state, may_unload):
            if state is None:
                return
            now = asyncio.get_running_loop().time()
            if state.stable is None:
                if may_unload and self._auto_deploy and self._backoff.due((model, FIRST_DEPLOY), now):
                    await self._deploy_first(state)
                return
            for version in state.wanted:
                if self._backoff.due((model, version), now):
                    await self._restore(state, version)
            if may_unload:
                await self._unload(state)
        await self._look()

    @asynccontextmanager
    async def _right(self, model: str) -> AsyncIterator[tuple[ModelState | None, bool]]:
        """Hold the model's lease; without the database only what memory knows to be wanted is loaded."""
        async with AsyncExitStack() as stack:
            try:
                mine = await stack.enter_async_context(self._leases.held(lease_name(model)))
                async with asyncio.timeout(QUERY_TIMEOUT):
                    state = await self._store.model(model) if mine else None
            except (Unavailable, TimeoutError):
                yield self._state(model), False
                return
            yield state, mine

    async def _deploy_first(self, state: ModelState) -> None:
        key = (state.model, FIRST_DEPLOY)
        for version in self._files.versions(state.model):
            try:
                await self._deployer.deploy_held(state, version, STABLE, ACTOR)
            except UnusableVersion as error:
                if not self._backoff.failed(key):  # once, not at every try
                    await self._store.record_refusal(state.model, version, error.step, error.message, ACTOR)
                continue  # an older version may do
            self._backoff.clear(key)
            return
        seconds = self._backoff.fail(key, asyncio.get_running_loop().time())
        log.error("no_usable_version", extra={"model": state.model, "retry_seconds": seconds})

    async def _restore(self, state: ModelState, version: str) -> None:
        """Load a version that is named but not loaded."""
        model, key = state.model, (state.model, version)
        found = await self._triton.held(model)
        if version in found.ready:
            self._backoff.clear(key)
            return
        try:
            require_unchanged(state, version, await self._files.verify(model, version))
            await self._triton.hold(model, found.ready | {version})
        except GatewayError as error:
            seconds = self._backoff.fail(key, asyncio.get_running_loop().time())
            reason = error.reason if isinstance(error, LoadFailed) else error.message
            log.error(
                "version_not_loaded",
                extra={"model": model, "version": version, "reason": reason, "retry_seconds": seconds},
            )
            return
        if version in (await self._triton.held(model)).ready:
            self._backoff.clear(key)
            log.info("version_loaded", extra={"model": model, "version": version})
        else:
            self._backoff.fail(key, asyncio.get_running_loop().time())

    async def _unload(self, state: ModelState) -> None:
        found = await self._triton.held(state.model)
        gone = self._to_unload(state, found, asyncio.get_running_loop().time())
        if gone:
            await self._triton.hold(state.model, found.ready - gone)
            log.info("versions_unloaded", extra={"model": state.model, "versions": sorted(gone, key=int)})

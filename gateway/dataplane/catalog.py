"""The gateway's cached view of what Triton serves.

Polled; a poll that fails leaves the last good view in place, so that names still resolve while Triton is
away and callers hear 503 instead of 404. A repository that Triton cannot list is no reason to stop serving
what is loaded: the view stays as it was until it can be listed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.dataplane.validation import RequestValidator
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.triton import IndexEntry, TritonRepository
from gateway.triton.repository import READY, RepositoryUnreadable
from gateway.types import ModelSpec, PolicyOf

logger = logging.getLogger(__name__)

# A version's files never change, but its instance count may: look again from time to time.
_SPEC_POLLS = 10


@dataclass(frozen=True, slots=True)
class Servable:
    """One version and the checks prepared for it."""

    spec: ModelSpec
    validator: RequestValidator


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model.

    Attributes:
        name: the model.
        versions: by version; the last ones known when none is ready now.
        ready: whether `versions` are served now.
    """

    name: str
    versions: Mapping[str, Servable]
    ready: bool


class Catalog:
    """Follows Triton's repository index.

    Args:
        repository: where to look.
        interval: seconds between looks.
        metrics: shows `triton_up` and `model_ready`.
        policies: which versions should be served.
        on_index: called with every fresh index.

    Attributes:
        triton_up: whether Triton answered when last asked.
        unreadable: why Triton cannot list its repository, in its words; "" while it can.
    """

    def __init__(
        self,
        repository: TritonRepository,
        *,
        interval: float,
        metrics: Metrics,
        policies: PolicyOf,
        on_index: Callable[[Sequence[IndexEntry]], None],
    ) -> None:
        self._repository = repository
        self._interval = interval
        self._metrics = metrics
        self._policies = policies
        self._on_index = on_index
        self._entries: Mapping[str, CatalogEntry] = {}
        self._shown: set[tuple[str, str]] = set()
        self._polls = 0
        self._polling = asyncio.Lock()
        self._begun = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.triton_up = False
        self.unreadable = ""

    @property
    def entries(self) -> Mapping[str, CatalogEntry]:
        """Every model of the repository, by name; replaced as a whole, never changed."""
        return self._entries

    async def start(self) -> None:
        """Look once, then keep looking in the background."""
        await self.poll()
        self._task = asyncio.create_task(self._follow(), name="catalog")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def refresh(self) -> None:
        """Look again now instead of after the interval."""
        self._wake.set()

    async def poll(self) -> None:
        """Return when a look that began after this call is done; callers at the same time share one.

        A failure is logged at its first occurrence and remembered in `triton_up` and `unreadable`.
        """
        begun = self._begun
        async with self._polling:
            if self._begun == begun:
                self._begun += 1
                await self._look()

    async def _look(self) -> None:
        try:
            index = await self._repository.index()
            self._entries = await self._view(index)
        except RepositoryUnreadable as error:
            if error.reason != self.unreadable:
                logger.error("repository_unreadable", extra={"reason": error.reason})
            self.unreadable = error.reason
            self._polls += 1
            return
        except GatewayError as error:
            if self.triton_up or not self._polls:
                logger.warning("triton_down", extra={"reason": error.message})
            self._polls += 1
            self.triton_up = False
            self.unreadable = ""
            self._metrics.triton_up.set(0)
            return
        if not self.triton_up:
            logger.info("triton_up", extra={"models": len(self._entries)})
        self._polls += 1
        self.triton_up = True
        self.unreadable = ""
        self._metrics.triton_up.set(1)
        self._on_index(index)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.poll()
            except Exception:
                # Whatever Triton sent, the view must go on being followed.
                logger.exception("catalog_poll_failed")

    async def _view(self, index: Sequence[IndexEntry]) -> Mapping[str, CatalogEntry]:
        ready: dict[str, list[str]] = {}
        for row in index:
            versions = ready.setdefault(row.name, [])
            if row.state == READY and row.version.isdecimal():
                versions.append(row.version)
        view = {name: await self._entry(name, versions) for name, versions in ready.items()}
        self._show(view)
        return view

    def _show(self, view: Mapping[str, CatalogEntry]) -> None:
        """Show whether the versions that callers may reach are served; the series of others disappear."""
        served: dict[tuple[str, str], bool] = {}
        for name, entry in view.items():
            policy = self._policies(name)
            if policy is None:
                continue
            for version in (*policy.aliases.values(), *(entry.versions.keys() & policy.admitted)):
                ready = entry.ready and version in entry.versions
                if ready or version in policy.aliases.values():
                    served[name, version] = ready
        for labels in self._shown - served.keys():
            self._metrics.model_ready.remove(*labels)
        for labels, ready in served.items():
            self._metrics.model_ready.labels(*labels).set(ready)
        self._shown = set(served)

    async def _entry(self, name: str, ready: Sequence[str]) -> CatalogEntry:
        before = self._entries.get(name)
        known = before.versions if before else {}
        versions: dict[str, Servable] = {}
        for version in ready:
            servable = known.get(version)
            if servable is None or before is None or not before.ready or self._polls % _SPEC_POLLS == 0:
                servable = await self._servable(name, version, servable)
            if servable is not None:
                versions[version] = servable
        if versions:
            return CatalogEntry(name, versions, ready=True)
        return CatalogEntry(name, known, ready=False)

    async def _servable(self, name: str, version: str, before: Servable | None) -> Servable | None:
        try:
            spec = await self._repository.spec(name, version)
        except GatewayError as error:
            logger.warning(
                "spec_unreadable", extra={"model": name, "version": version, "reason": error.message}
            )
            return before
        if before is not None and before.spec == spec:
            return before
        return Servable(spec, RequestValidator(spec))

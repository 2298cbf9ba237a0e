"""Loads every model of the repository that is not loaded.

Triton runs in explicit mode and loads nothing by itself, neither at its start nor after a restart. One
model at a time, beside the serving of the others; a model that fails is tried again ever more rarely.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.triton import IndexEntry, TritonRepository
from gateway.triton.repository import READY, LoadFailed

logger = logging.getLogger(__name__)

_FIRST_BACKOFF = 2.0
_MAX_BACKOFF = 60.0
_BUSY = frozenset({READY, "LOADING", "UNLOADING"})


@dataclass(slots=True)
class _Failure:
    count: int
    not_before: float


class Loader:
    """Works through the models the catalog reports as not loaded.

    Args:
        repository: Triton's repository API.
        timeout: seconds one load may take.
        on_loaded: called after each load that succeeded.
    """

    def __init__(
        self, repository: TritonRepository, *, timeout: float, on_loaded: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._timeout = timeout
        self._on_loaded = on_loaded
        self._failures: dict[str, _Failure] = {}
        self._pending: dict[str, None] = {}
        self._loading: str | None = None
        # Loaded, but not yet in an index: until then the catalog cannot know them.
        self._unseen: set[str] = set()
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> tuple[str, ...]:
        """Models being loaded, waiting for their first try, or loaded so lately that no index shows it."""
        untried = {name for name in self._pending if name not in self._failures}
        loading = {self._loading} if self._loading else set()
        return tuple(sorted(untried | loading | self._unseen))

    async def start(self) -> None:
        """Start working in the background."""
        self._task = asyncio.create_task(self._run(), name="loader")

    async def stop(self) -> None:
        """Stop; a load that runs inside Triton goes on there."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def offer(self, index: Sequence[IndexEntry]) -> None:
        """Take note of a fresh index: queue what is not loaded and may be tried now."""
        now = asyncio.get_running_loop().time()
        names = {row.name for row in index}
        settled = {row.name for row in index if row.state in _BUSY}
        self._unseen -= settled | (self._unseen - names)
        for name in settled | (self._failures.keys() - names):
            self._failures.pop(name, None)
        for name in [name for name in self._pending if name in settled or name not in names]:
            del self._pending[name]
        for name in sorted(names - settled):
            failure = self._failures.get(name)
            if name != self._loading and (failure is None or now >= failure.not_before):
                self._pending[name] = None
        if self._pending:
            self._work.set()

    async def _run(self) -> None:
        while True:
            if not self._pending:
                self._work.clear()
                await self._work.wait()
            name = next(iter(self._pending))
            del self._pending[name]
            self._loading = name
            try:
                await self._load(name)
            finally:
                self._loading = None

    async def _load(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            await self._repository.load(name, self._timeout)
        except GatewayError as error:
            self._unseen.discard(name)
            count = self._failures[name].count + 1 if name in self._failures else 1
            wait = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2.0 ** (count - 1))
            self._failures[name] = _Failure(count, loop.time() + wait)
            reason = error.reason if isinstance(error, LoadFailed) else error.message
            logger.error("model_load_failed", extra={"model": name, "reason": reason, "retry_seconds": wait})
            return
        logger.info("model_loaded", extra={"model": name, "seconds": round(loop.time() - begin, 3)})
        self._unseen.add(name)
        self._on_loaded()

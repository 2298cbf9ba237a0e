"""The control plane as one thing that starts, says whether it is ready, and stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from gateway.controlplane.bootstrap import ensure_admin_key
from gateway.controlplane.database import Database
from gateway.controlplane.migrate import migrate
from gateway.controlplane.principals import Principals
from gateway.controlplane.routing import Routing
from gateway.controlplane.state_directory import StateDirectory
from gateway.controlplane.store import Store
from gateway.errors import CannotStart, Unavailable
from gateway.settings import Settings

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class ControlPlane:
    """Opens the database and follows it; a database that is away delays readiness, not the process."""

    def __init__(
        self,
        settings: Settings,
        state: StateDirectory,
        database: Database,
        store: Store,
        principals: Principals,
        routing: Routing,
        pepper: bytes,
    ) -> None:
        self._settings = settings
        self._state = state
        self._database = database
        self._store = store
        self._principals = principals
        self._routing = routing
        self._pepper = pepper
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database if it answers, else keep trying in the background.

        Raises:
            CannotStart: when waiting would not help.
        """
        opened = await self._try_to_open()
        self._task = asyncio.create_task(self._run(opened), name="controlplane")

    async def stop(self) -> None:
        """Stop following and close the database."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._database.close()

    def problems(self) -> tuple[str, ...]:
        """Return why keys cannot be checked or requests not routed; empty when they can."""
        loaded = self._principals.loaded and self._routing.loaded
        return () if loaded else ("The control plane's database has not been read yet.",)

    async def _run(self, opened: bool) -> None:
        while not opened:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                opened = await self._try_to_open()
            except CannotStart as error:
                log.error("the control plane cannot start", extra={"cause": str(error)})
        async with asyncio.TaskGroup() as followers:
            followers.create_task(self._principals.follow(), name="principals")
            followers.create_task(self._routing.follow(self._settings.principals_interval), name="routing")

    async def _try_to_open(self) -> bool:
        try:
            await migrate(self._database)
            await ensure_admin_key(self._settings, self._state, self._store, self._pepper)
            await self._principals.refresh()
            await self._routing.refresh()
        except Unavailable as error:
            log.error("the database cannot be opened yet", extra={"cause": str(error.__cause__)})
            return False
        return True

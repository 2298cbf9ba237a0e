"""Ends the handling of a request whose client has left."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

# Most requests are over before this: they never pay for a second task.
_GRACE = 0.02


class DisconnectWatch:
    """Cancels the current task when the client disconnects; starts watching after a short grace.

    Args:
        receive: of the request whose body has been read completely.
    """

    def __init__(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        self._receive = receive
        self._handler = asyncio.current_task(loop)
        self._watcher: asyncio.Task[None] | None = None
        self._timer = loop.call_later(_GRACE, self._begin)
        self.client_gone = False

    def stop(self) -> None:
        """Stop watching; must be called by the task that is watched for."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def swallow_cancellation(self) -> bool:
        """Tell whether a cancellation that arrived is this watch's own, and take it back if so."""
        if self.client_gone and self._handler is not None:
            self._handler.uncancel()
        return self.client_gone

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_gone = True
        if self._handler is not None:
            self._handler.cancel()

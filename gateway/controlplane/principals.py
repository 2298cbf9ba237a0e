"""The in-memory view of all API keys that requests are checked against."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from prometheus_client import Gauge

from gateway.controlplane.following import follow
from gateway.controlplane.records import Credential
from gateway.controlplane.store import Store
from gateway.errors import Unavailable

log = logging.getLogger(__name__)

# A database that hangs must not stop the view from noticing that it is back.
QUERY_TIMEOUT = 5.0


class Principals:
    """Follows the store by its revision; while the database is away the last view keeps serving."""

    def __init__(self, store: Store, interval: float, up: Gauge) -> None:
        self._store = store
        self._interval = interval
        self._up = up
        self._revision: int | None = None
        self._refreshing = asyncio.Lock()
        self._credentials: Mapping[str, Credential] = {}

    @property
    def loaded(self) -> bool:
        """Whether the store has been read at least once."""
        return self._revision is not None

    def find(self, key_id: str) -> Credential | None:
        """Return what is known of a key that is not revoked, or None.

        Raises:
            Unavailable: while the store has never been read: nobody can be called unknown then.
        """
        if self._revision is None:
            raise Unavailable("The gateway has not read its API keys yet; try again shortly.")
        return self._credentials.get(key_id)

    async def refresh(self) -> None:
        """Bring the view up to date if anything changed.

        Raises:
            Unavailable: when the database does not answer; the view stays.
        """
        try:
            # One at a time: a slow older answer must not replace a newer one and revive a revoked key.
            async with self._refreshing, asyncio.timeout(QUERY_TIMEOUT):
                if self._revision is None or await self._store.revision() != self._revision:
                    self._revision, self._credentials = await self._store.credentials()
        except TimeoutError:
            self._up.set(0)
            raise Unavailable(
                "The control plane's database does not answer in time; try again shortly."
            ) from None
        except Unavailable:
            self._up.set(0)
            raise
        self._up.set(1)

    async def follow(self) -> None:
        """Refresh at every interval until cancelled."""
        await follow(self.refresh, self._interval, "API keys")

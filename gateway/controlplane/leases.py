"""Exclusive rights with an end: who may act on a model in Triton, among all gateways.

A gateway that dies keeps its lease until it expires, then the others go on. Expiry is judged by the
gateways' clocks, which must agree to within a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.controlplane.database import Database
from gateway.controlplane.tables import leases
from gateway.errors import Unavailable

log = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
RENEWALS_PER_LEASE = 3
RETRY_SECONDS = 0.1
QUERY_TIMEOUT = 5.0


class Leases:
    """Takes, renews and returns leases.

    Args:
        database: where they are kept.
        seconds: how long one lasts without renewal.
        now: seconds since the epoch.
    """

    def __init__(
        self, database: Database, seconds: float = LEASE_SECONDS, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._seconds = seconds
        self._now = now

    @asynccontextmanager
    async def held(self, name: str, patience: float = 0.0) -> AsyncIterator[bool]:
        """Hold a lease for the block, renewing it; yields False when somebody else holds it.

        Args:
            name: of the lease.
            patience: seconds to wait for somebody else to return it.

        Raises:
            Unavailable: when the database does not answer.
        """
        holder = secrets.token_hex(8)
        until = asyncio.get_running_loop().time() + patience
        while not await self.take(name, holder):
            if asyncio.get_running_loop().time() >= until:
                yield False
                return
            await asyncio.sleep(RETRY_SECONDS)
        renewing = asyncio.create_task(self._keep(name, holder), name=f"lease {name}")
        try:
            yield True
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            # Whatever interrupts us: a lease that is not returned blocks the model until it expires.
            await asyncio.shield(self._return(name, holder))

    async def take(self, name: str, holder: str) -> bool:
        """Take or renew a lease; return whether `holder` has it now."""
        now = self._now()
        try:
            # A database that hangs must not hang whoever wants to act.
            async with asyncio.timeout(QUERY_TIMEOUT), self._database.writing() as connection:
                free = (leases.c.holder == holder) | (leases.c.expires_at <= now)
                taken = await connection.execute(
                    update(leases)
                    .where(leases.c.name == name, free)
                    .values(holder=holder, expires_at=now + self._seconds)
                )
                if taken.rowcount:
                    return True
                known = await connection.execute(select(leases.c.name).where(leases.c.name == name))
                if known.first() is not None:
                    return False
                await connection.execute(
                    insert(leases).values(name=name, holder=holder, expires_at=now + self._seconds)
                )
                return True
        except IntegrityError:
            return False  # another gateway was first
        except TimeoutError:
            raise Unavailable(
                "The control plane's database does not answer in time; try again shortly."
            ) from None

    async def _keep(self, name: str, holder: str) -> None:
        while True:
            await asyncio.sleep(self._seconds / RENEWALS_PER_LEASE)
            try:
                if not await self.take(name, holder):
                    log.error("a lease was lost", extra={"lease": name})
                    return
            except Unavailable:
                log.warning("a lease could not be renewed", extra={"lease": name})

    async def _return(self, name: str, holder: str) -> None:
        try:
            async with asyncio.timeout(QUERY_TIMEOUT), self._database.writing() as connection:
                await connection.execute(
                    delete(leases).where(leases.c.name == name, leases.c.holder == holder)
                )
        except (Unavailable, TimeoutError):
            log.warning("a lease could not be returned and will expire", extra={"lease": name})

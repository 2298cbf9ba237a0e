"""A small pool of keep-alive HTTP/1.1 connections to one Triton.

Bounded, first come first served, and strict: a connection is reused only after a complete answer, and a
request is written at most once, because an inference that may have run must not silently run again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from gateway.errors import DeadlineExceeded, Unavailable
from gateway.triton.connection import TOO_LATE, Connection, UpstreamResponse
from gateway.types import TensorBytes

UNREACHABLE = "The inference server cannot be reached. Try again shortly."


class Upstream:
    """Sends requests to one base URL.

    Args:
        base_url: `http://host:port`, no path.
        connections: most connections open at the same time.
        connect_timeout: seconds to wait for a connection.
        max_response_bytes: largest answer accepted, headers included.
    """

    def __init__(
        self, base_url: str, *, connections: int, connect_timeout: float, max_response_bytes: int
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{base_url!r} is no base URL of the form http://host:port")
        self._host, self._port = parts.hostname, parts.port or 80
        self.host_header = parts.netloc.encode("ascii")
        self._connect_timeout = connect_timeout
        self._max_response_bytes = max_response_bytes
        self._free_slots = connections
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def request(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> UpstreamResponse:
        """Send one request whose head is built here.

        Args:
            method: e.g. `GET`.
            path: absolute path, made of checked parts only.
            deadline: loop time at which everything ends.
            headers: further headers, without Host and Content-Length.
            body: the request's body.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(lines).encode("ascii") + b"\r\nHost: " + self.host_header + b"\r\n\r\n"
        return await self.send((head, body), deadline)

    async def send(self, parts: Sequence[TensorBytes], deadline: float) -> UpstreamResponse:
        """Send one request given as wire bytes and return the answer, whatever its status.

        Raises:
            Unavailable: no connection could be made; nothing was sent.
            BadUpstream: the connection broke or the answer is no HTTP answer.
            DeadlineExceeded: no complete answer by the deadline.
        """
        if self._free_slots > 0:
            self._free_slots -= 1
        else:
            await self._wait_for_slot(deadline)
        try:
            connection = self._take_idle() or await self._connect(deadline)
            response = await connection.exchange(parts, deadline)
            if connection.usable:
                self._idle.append(connection)
            else:
                connection.close()
            return response
        finally:
            self._release_slot()

    async def close(self) -> None:
        """Close every connection; running requests fail."""
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)

    def _take_idle(self) -> Connection | None:
        # Last used first: the others age and get closed by the peer, which is noticed before any write.
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        limit = min(deadline, loop.time() + self._connect_timeout)
        try:
            async with asyncio.timeout_at(limit):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._max_response_bytes, self._forget), self._host, self._port
                )
        except TimeoutError:
            if limit == deadline:
                raise DeadlineExceeded(TOO_LATE) from None
            raise Unavailable(UNREACHABLE) from None
        except OSError:
            raise Unavailable(UNREACHABLE) from None
        self._open.add(connection)
        return connection

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    async def _wait_for_slot(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._release_slot()  # it was handed to us in the very moment we gave up
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(TOO_LATE) from None
            raise

    def _release_slot(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free_slots += 1

"""One HTTP/1.1 client connection: writes a request, collects its answer, reports how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools

from gateway.errors import BadUpstream, DeadlineExceeded
from gateway.types import TensorBytes

# Below this, one copy is cheaper than a second system call.
_JOIN_LIMIT = 64 * 1024

NOT_AN_ANSWER = (
    "The inference server's answer was cut off or malformed. Try again; tell the operator if it persists."
)
TOO_LARGE = "The inference server's answer is over the size limit. Ask for fewer outputs."
TOO_LATE = "No answer within the request's deadline. Send a smaller batch, or try again when load is lower."


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: header values by lower-case name; the last one wins.
        body: the whole body.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time.

    After any error, also a cancelled wait, it closes itself and is never reused: what the peer still sends
    would be read as the answer to somebody else's request.
    """

    def __init__(self, max_response_bytes: int, on_lost: Callable[[Connection], None]) -> None:
        self._max_response_bytes = max_response_bytes
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[UpstreamResponse] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._complete: UpstreamResponse | None = None
        self.reusable = True

    @property
    def usable(self) -> bool:
        """Whether the next request may be written to it."""
        return self.reusable and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, parts: Sequence[TensorBytes], deadline: float) -> UpstreamResponse:
        """Write one request and wait for its answer.

        Args:
            parts: head and body of the request, as they go over the wire.
            deadline: loop time at which waiting ends.

        Raises:
            BadUpstream: the connection broke, or what came back is no HTTP answer or is too large.
            DeadlineExceeded: no complete answer by the deadline.
        """
        assert self._transport is not None  # noqa: S101  the pool hands out connected ones only
        self._answer = self._loop.create_future()
        timer = self._loop.call_at(deadline, self._fail, DeadlineExceeded(TOO_LATE))
        try:
            if sum(map(len, parts)) <= _JOIN_LIMIT:
                self._transport.write(b"".join(parts))
            else:
                self._transport.writelines(parts)
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._answer = None

    def close(self) -> None:
        """Drop the connection at once, unsent bytes included."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio callback)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, _exc: Exception | None) -> None:
        """End a running exchange and leave the pool (asyncio callback)."""
        self.reusable = False
        self._fail(BadUpstream(NOT_AN_ANSWER))
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser (asyncio callback)."""
        if self._answer is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(BadUpstream(NOT_AN_ANSWER))
            return
        # Only now: bytes after the message would make the parser raise above, and the answer untrusted.
        if self._complete is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._complete)
            self._complete = None

    def on_message_begin(self) -> None:
        """Start an answer (parser callback)."""
        if self._complete is not None:
            self._fail(BadUpstream(NOT_AN_ANSWER))  # a second answer to one request
        self._headers, self._chunks, self._size = {}, [], 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header (parser callback)."""
        self._headers[name.lower()] = value
        self._grow(len(name) + len(value))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body (parser callback)."""
        self._chunks.append(body)
        self._grow(len(body))

    def on_message_complete(self) -> None:
        """Keep the whole answer until the bytes at hand are parsed (parser callback)."""
        status = self._parser.get_status_code()
        if status < 200:
            self._fail(BadUpstream(NOT_AN_ANSWER))
            return
        if not self._parser.should_keep_alive():
            self.reusable = False
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._complete = UpstreamResponse(status, self._headers, body)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._max_response_bytes:
            self._fail(BadUpstream(TOO_LARGE))

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

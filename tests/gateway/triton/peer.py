"""A peer on a real socket that answers every request with the bytes a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Behaviour: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """Counts the connections and the requests that reached it.

    Attributes:
        url: where it listens.
        requests: heads and bodies received, in order.
        connections: how many were opened.
        closed: how many the client has closed.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                await self.behaviour(writer)
                await writer.drain()
        self.closed += 1


@asynccontextmanager
async def running_peer(behaviour: Behaviour) -> AsyncIterator[Peer]:
    """Run a peer on a free loopback port until the block ends."""
    peer = Peer(behaviour)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for writer in peer.writers:
            writer.close()


def saying(data: bytes, *, close: bool = False) -> Behaviour:
    """Return the behaviour of writing `data`, then perhaps closing."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close:
            writer.close()

    return behave


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Never answer."""


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with RST."""
    writer.transport.abort()


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP answer with a right Content-Length."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body

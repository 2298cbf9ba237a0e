"""The connection pool: bounded, in order, and never reusing what may be spoiled."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import DeadlineExceeded
from gateway.triton import Upstream
from tests.gateway.triton.peer import answer, running_peer, saying, silence


def pool(url: str, connections: int = 2) -> Upstream:
    return Upstream(url, connections=connections, connect_timeout=2.0, max_response_bytes=10_000)


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_no_more_connections_than_allowed_and_everyone_gets_one() -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(answer(b"x"))

    async with running_peer(slow) as peer:
        upstream = pool(peer.url)
        answers = await asyncio.gather(*(upstream.request("GET", "/", soon()) for _ in range(20)))
        assert [a.body for a in answers] == [b"x"] * 20
        assert peer.connections == 2
        await upstream.close()


async def test_who_waits_for_a_connection_waits_no_longer_than_the_deadline() -> None:
    async with running_peer(silence) as peer:
        upstream = pool(peer.url, connections=1)
        first = asyncio.create_task(upstream.request("GET", "/", soon()))
        await asyncio.sleep(0.05)
        with pytest.raises(DeadlineExceeded):
            await upstream.request("GET", "/", soon(0.05))
        first.cancel()
        await asyncio.wait([first])
        peer.behaviour = saying(answer(b"ok"))
        assert (await upstream.request("GET", "/", soon())).body == b"ok"
        assert len(peer.requests) == 2  # the one that waited was never sent
        await upstream.close()


async def test_a_cancelled_request_closes_its_connection() -> None:
    async with running_peer(silence) as peer:
        upstream = pool(peer.url, connections=1)
        task = asyncio.create_task(upstream.request("GET", "/", soon()))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(2):
            while not peer.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await upstream.close()


async def test_waiters_that_give_up_do_not_lose_places() -> None:
    async with running_peer(silence) as peer:
        upstream = pool(peer.url, connections=1)
        tasks = [asyncio.create_task(upstream.request("GET", "/", soon())) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        peer.behaviour = saying(answer(b"ok"))
        assert (await upstream.request("GET", "/", soon())).status == 200
        await upstream.close()


async def test_a_connection_the_peer_closed_while_idle_is_replaced() -> None:
    async with running_peer(saying(answer(b"one"))) as peer:
        upstream = pool(peer.url)
        await upstream.request("GET", "/", soon())
        peer.writers[0].close()
        await asyncio.sleep(0.05)
        assert (await upstream.request("GET", "/", soon())).body == b"one"
        assert peer.connections == 2
        await upstream.close()


@pytest.mark.parametrize("header", ["Connection: close\r\n", ""])
async def test_connection_close_is_obeyed(header: str) -> None:
    async with running_peer(saying(answer(b"x", headers=header))) as peer:
        upstream = pool(peer.url)
        await upstream.request("GET", "/", soon())
        await upstream.request("GET", "/", soon())
        assert peer.connections == (2 if header else 1)
        await upstream.close()


async def test_unasked_bytes_on_an_idle_connection_spoil_it() -> None:
    async with running_peer(saying(answer(b"x"))) as peer:
        upstream = pool(peer.url)
        await upstream.request("GET", "/", soon())
        peer.writers[0].write(answer(b"poison"))
        await asyncio.sleep(0.05)
        assert (await upstream.request("GET", "/", soon())).body == b"x"
        assert peer.connections == 2
        await upstream.close()


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
async def test_bodies_of_every_size_arrive_whole(size: int) -> None:
    async with running_peer(saying(answer(b"x"))) as peer:
        upstream = pool(peer.url)
        head = f"POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()
        await upstream.send((head, memoryview(bytes(size))), soon())
        assert peer.requests == [head + bytes(size)]
        await upstream.close()


@pytest.mark.parametrize("url", ["https://h:1", "http://", "h:1", "http://h:1/path", "ftp://h"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        pool(url)

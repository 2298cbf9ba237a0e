"""What is refused before it becomes a request, on a running gateway's raw socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.gateway import RunningGateway, running_gateway

PATH = b"/admin/v1/keys"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(None, tmp_path_factory.mktemp("http")) as running:
        yield running


def connect(gateway: RunningGateway) -> socket.socket:
    url = urlsplit(gateway.base_url)
    return socket.create_connection((str(url.hostname), url.port or 0), timeout=20)


def exchange(gateway: RunningGateway, *sent: bytes) -> bytes:
    """Send, and return everything that comes back until the gateway closes."""
    received = b""
    with connect(gateway) as client:
        try:
            for part in sent:
                client.sendall(part)
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionError:
            pass  # it closed while more was being sent; what it answered first counts
    return received


def request(*headers: bytes, path: bytes = PATH) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % path, *headers, b"Connection: close", b"", b""])


def status_and_code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nserver:" not in head.lower()
    assert b"\r\ndate:" in head.lower()
    told = json.loads(body)
    assert told.keys() == {"error", "code", "request_id"}
    return int(head.split()[1]), told["code"]


def statuses(answers: bytes) -> list[int]:
    return [int(line.split()[1]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (b"Host:",),
        (b"Host: a/?x",),
        (b"Host: user@evil",),
        (b"Host: [::1",),
        (b"Host: a b",),
        (b"Host: a:port",),
        (b"Host: a:123456",),
        (b"Host: a", b"Host: a"),
        (b"Host: a", b"Host: b"),
        (b"Host: a,b",),
        (b"Host: \xc3\xa9",),
    ],
)
def test_a_malformed_host_is_400(gateway: RunningGateway, hosts: tuple[bytes, ...]) -> None:
    assert status_and_code(exchange(gateway, request(*hosts))) == (400, "bad_request")


@pytest.mark.parametrize("host", [b"a", b"localhost:8080", b"[::1]:80", b"10.0.0.1", b"evil.example"])
def test_authorisation_is_the_same_for_every_host(gateway: RunningGateway, host: bytes) -> None:
    """CVE-2026-48710: the Host header must have no say in who may do what."""
    assert status_and_code(exchange(gateway, request(b"Host: " + host))) == (401, "unauthenticated")


def test_http_1_0_may_leave_the_host_out(gateway: RunningGateway) -> None:
    answer = exchange(gateway, b"GET %b HTTP/1.0\r\n\r\n" % PATH)
    assert status_and_code(answer) == (401, "unauthenticated")


def test_header_count_at_and_over_the_limit(gateway: RunningGateway) -> None:
    def fillers(count: int) -> list[bytes]:
        return [b"X-%d: y" % number for number in range(count)]

    # Host and Connection count too.
    at = exchange(gateway, request(b"Host: a", *fillers(98)))
    assert status_and_code(at) == (401, "unauthenticated")
    over = exchange(gateway, request(b"Host: a", *fillers(99)))
    assert status_and_code(over) == (431, "headers_too_large")


def test_header_bytes_at_and_over_the_limit(gateway: RunningGateway) -> None:
    rest = len(b"Hosta" + b"Connectionclose" + b"X")
    at = exchange(gateway, request(b"Host: a", b"X: " + b"y" * (32768 - rest)))
    assert status_and_code(at) == (401, "unauthenticated")
    over = exchange(gateway, request(b"Host: a", b"X: " + b"y" * (32769 - rest)))
    assert status_and_code(over) == (431, "headers_too_large")


def test_a_header_that_never_ends_is_refused_while_it_arrives(gateway: RunningGateway) -> None:
    answer = exchange(gateway, b"GET / HTTP/1.1\r\nHost: a\r\nX: ", *[b"y" * 16384] * 64)
    # The gateway may close before it could tell why; it must not have read on.
    assert not answer or status_and_code(answer) == (431, "headers_too_large")
    assert httpx.get(f"{gateway.ops_url}/livez").status_code == 200


def test_url_at_and_over_the_limit(gateway: RunningGateway) -> None:
    def path(length: int) -> bytes:
        return PATH + b"?q=" + b"x" * (length - len(PATH) - 3)

    at = exchange(gateway, request(b"Host: a", path=path(8192)))
    assert status_and_code(at) == (401, "unauthenticated")
    over = exchange(gateway, request(b"Host: a", path=path(8193)))
    assert status_and_code(over) == (414, "url_too_long")


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400_in_our_shape(gateway: RunningGateway, raw: bytes) -> None:
    assert status_and_code(exchange(gateway, raw)) == (400, "bad_request")


def test_upgrades_are_refused_except_an_offer_of_h2c_without_a_body(gateway: RunningGateway) -> None:
    connection = b"Connection: Upgrade"
    for headers in (
        (connection, b"Upgrade: websocket", b"Sec-WebSocket-Key: x"),
        (connection, b"Upgrade: h2c", b"Content-Length: 2"),
        (connection, b"Upgrade: h2c", b"Upgrade: websocket"),
    ):
        assert status_and_code(exchange(gateway, request(b"Host: a", *headers)))[0] == 400
    offer = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = exchange(gateway, offer + request(b"Host: a"))
    assert statuses(answer) == [200]
    assert b"\r\nconnection: close\r\n" in answer


def test_pipelined_requests_are_answered_in_order(gateway: RunningGateway) -> None:
    first = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = exchange(gateway, first + first + request(b"Host: a"))
    assert statuses(answer) == [200, 200, 401]


def test_slow_headers_and_silent_connections_are_closed(gateway: RunningGateway) -> None:
    started = time.monotonic()
    with connect(gateway) as silent, connect(gateway) as slow, connect(gateway) as second:
        second.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert second.recv(4096).startswith(b"HTTP/1.1 200")
        for letter in b"GET / HTT":
            slow.sendall(bytes([letter]))
            time.sleep(0.1)
        second.sendall(b"\r\n")
        for connection in (silent, slow, second):
            assert connection.recv(4096) == b""
    # 10 seconds by design; twice that before this fails.
    assert time.monotonic() - started < 20

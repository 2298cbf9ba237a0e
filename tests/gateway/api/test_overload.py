"""Full queues, passed deadlines and clients that leave, through a real gateway to a real Triton."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.gateway import RunningGateway, headers, running_gateway
from tests.support.triton import RunningTriton

PATH = "/v2/models/slow/infer"
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}).encode()


@pytest.fixture(scope="module")
def gateway(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    limits = {"max_in_flight": 1, "max_queue": 1, "request_timeout": 20.0}
    with running_gateway(triton, tmp_path_factory.mktemp("narrow"), **limits) as running:
        running.wait_ready()
        yield running


@pytest.fixture(scope="module")
def auth(gateway: RunningGateway) -> dict[str, str]:
    return {**headers(gateway.create_key()), "Content-Type": "application/json"}


def gauge(gateway: RunningGateway, name: str) -> float:
    # Not httpx: it takes so long to open a client that it would miss what happens meanwhile.
    with urllib.request.urlopen(f"{gateway.ops_url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    for line in text.splitlines():
        if line.startswith(f'{name}{{model="slow"}}'):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(gateway: RunningGateway, auth: dict[str, str]) -> socket.socket:
    """Send an inference and do not wait for its answer."""
    parts = urlsplit(gateway.base_url)
    head = [f"POST {PATH} HTTP/1.1", "Host: h", f"Content-Length: {len(BODY)}"]
    head += [f"{name}: {value}" for name, value in auth.items()]
    connection = socket.create_connection((parts.hostname, parts.port), 20)
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + BODY)
    return connection


async def test_of_twelve_two_are_served_and_ten_refused(
    gateway: RunningGateway, auth: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=auth, timeout=30) as client:
        answers = await asyncio.gather(*(client.post(PATH, content=BODY) for _ in range(12)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 10
    assert [answer.status_code for answer in answers].count(200) == 2
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] == "overloaded"


def test_a_client_that_leaves_while_waiting_frees_its_place_and_never_reaches_triton(
    gateway: RunningGateway, auth: dict[str, str], triton: RunningTriton
) -> None:
    def executed() -> int:
        stats = triton.get("/v2/models/slow/stats", admin=True).json()["model_stats"][0]
        return int(stats["inference_count"])

    before = executed()
    runs = start(gateway, auth)
    wait_for(lambda: gauge(gateway, "tidegate_in_flight_requests") == 1)
    waits = start(gateway, auth)
    wait_for(lambda: gauge(gateway, "tidegate_queued_requests") == 1)
    waits.close()
    wait_for(lambda: gauge(gateway, "tidegate_queued_requests") == 0)
    assert runs.recv(16).startswith(b"HTTP/1.1 200")
    runs.close()
    wait_for(lambda: gauge(gateway, "tidegate_in_flight_requests") == 0)
    assert executed() == before + 1
    assert any(line.get("status") == 499 for line in gateway.log_lines())


def test_a_client_that_leaves_while_triton_works_frees_its_place(
    gateway: RunningGateway, auth: dict[str, str]
) -> None:
    runs = start(gateway, auth)
    wait_for(lambda: gauge(gateway, "tidegate_in_flight_requests") == 1)
    runs.close()
    wait_for(lambda: gauge(gateway, "tidegate_in_flight_requests") == 0)
    answer = httpx.post(gateway.base_url + PATH, content=BODY, headers=auth, timeout=30)
    assert answer.status_code == 200


def test_a_passed_deadline_is_504(triton: RunningTriton, tmp_path: Path) -> None:
    with running_gateway(triton, tmp_path, request_timeout=0.05, body_timeout=0.3) as hurried:
        hurried.wait_ready()
        auth = {**headers(hurried.create_key()), "Content-Type": "application/json"}
        answer = httpx.post(hurried.base_url + PATH, content=BODY, headers=auth, timeout=30)
        assert answer.status_code == 504
        assert answer.json()["code"] == "deadline_exceeded"
        parts = urlsplit(hurried.base_url)
        with socket.create_connection((parts.hostname, parts.port), 20) as connection:
            head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: {auth['Authorization']}\r\n"
            connection.sendall(head.encode() + b"Content-Length: 100\r\n\r\nhalf")
            assert connection.recv(16).startswith(b"HTTP/1.1 408")

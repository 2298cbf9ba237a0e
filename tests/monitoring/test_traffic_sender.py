"""The sender keeps its rate against a peer that is slow, refuses or hangs up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from monitoring.traffic.mix import Kind, Model, Request
from monitoring.traffic.sender import send
from monitoring.traffic.settings import TrafficSettings
from monitoring.traffic.summary import Summary

GOOD = Kind(1, lambda model, dice: Request("GET", "/good"))
KEY = {"Authorization": "Bearer key"}
MODELS = [Model("m", [])]


@contextmanager
def peer(status: int, delay: float = 0.0) -> Iterator[tuple[str, list[str | None]]]:
    """Answer everything with `status` after `delay`; 0 hangs up. Yields its URL and the keys it saw."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            time.sleep(delay)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keys
    finally:
        server.shutdown()
        server.server_close()


def run(url: str, kind: Kind = GOOD, **settings: float) -> Summary:
    summary = Summary({"good": kind})
    chosen = TrafficSettings(url=url, **settings)  # type: ignore[arg-type]
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        send(client, KEY, MODELS, {"good": kind}, chosen, summary, lambda: None)
    return summary


def test_sends_rate_times_duration_with_the_key() -> None:
    with peer(200) as (url, keys):
        summary = run(url, rate=50, duration=1)
    assert summary.statuses == {200: 50}
    assert keys == ["Bearer key"] * 50
    assert summary.surprises == 0


def test_requests_without_key_carry_none() -> None:
    with peer(401) as (url, keys):
        kind = Kind(1, lambda model, dice: Request("GET", "/", with_key=False), (401,))
        summary = run(url, kind, rate=10, duration=0.5)
    assert keys == [None] * 5
    assert summary.surprises == 0


def test_what_finds_no_place_is_counted_not_waited_for() -> None:
    with peer(200, delay=1.0) as (url, _):
        start = time.monotonic()
        summary = run(url, rate=50, duration=1, concurrency=2)
        assert time.monotonic() - start < 30
    assert summary.refused_to_send > 0
    assert summary.statuses.total() + summary.refused_to_send == 50


def test_a_wrong_status_and_no_answer_are_surprises() -> None:
    with peer(500) as (url, _):
        assert run(url, rate=10, duration=0.5).surprises == 5
    with peer(503) as (url, _):
        assert run(url, rate=10, duration=0.5).surprises == 0
    with peer(0) as (url, _):
        hung_up = run(url, rate=10, duration=0.5)
    assert hung_up.surprises == 5
    assert "without answer: 5" in hung_up.line()

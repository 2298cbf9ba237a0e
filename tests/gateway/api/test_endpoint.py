"""What every inference route does before and after its handler."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.gateway.api.conftest import Stack
from tests.support.gateway import headers

INFER = "/v2/models/labelled/infer"
BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
WIDE = {"inputs": [{"name": "idx", "shape": [1, 100], "datatype": "INT64", "data": [2] * 100}]}


def exchange(stack: Stack, request: bytes, seconds: float = 10.0) -> bytes:
    """Send raw bytes and return what comes until the gateway closes or falls silent."""
    parts = urlsplit(stack.url)
    with socket.create_connection((parts.hostname, parts.port), seconds) as connection:
        connection.sendall(request)
        connection.settimeout(1.0)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            pass
        return received


@pytest.mark.parametrize("given", ["abc", "A-b_c.9", "x" * 128])
def test_a_harmless_request_id_is_kept(stack: Stack, given: str) -> None:
    answer = stack.post(INFER, json=BODY, headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a/b", b"a\tb", b"\xc3\xa9"])
def test_any_other_request_id_is_replaced(stack: Stack, given: bytes) -> None:
    answer = stack.post(INFER, json=BODY, headers={b"X-Request-Id": given})
    assert answer.status_code == 200
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods(stack: Stack, method: str) -> None:
    answer = httpx.request(method, stack.url + INFER)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert httpx.request("POST", stack.url + "/v2/models/labelled").headers["allow"] == "GET"


def test_without_a_key(stack: Stack) -> None:
    answer = httpx.post(stack.url + INFER, json=BODY)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"
    assert httpx.get(stack.url + "/v2/health/live").status_code == 200


def test_scopes_and_model_globs(stack: Stack) -> None:
    reader = headers(stack.gateway.create_key(["read"], project="beta"))
    assert httpx.post(stack.url + INFER, json=BODY, headers=reader).status_code == 403
    assert httpx.get(stack.url + "/v2/models/labelled", headers=reader).status_code == 200
    limited = headers(stack.gateway.create_key(["infer", "read"], models=["wor*"], project="beta"))
    hidden = httpx.post(stack.url + INFER, json=BODY, headers=limited)
    missing = httpx.post(stack.url + "/v2/models/nope/infer", json=BODY, headers=limited)
    assert hidden.status_code == missing.status_code == 404
    ours, theirs = hidden.json(), missing.json()
    assert (ours["error"], ours["code"]) == (theirs["error"], theirs["code"])
    assert httpx.get(stack.url + "/v1/models", headers=limited).json() == {"models": ["words"]}
    index = httpx.post(stack.url + "/v2/repository/index", headers=limited).json()
    assert [row["name"] for row in index] == ["words"]


def test_an_announced_body_over_the_limit_is_refused_unread(stack: Stack) -> None:
    head = (
        f"POST {INFER} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {stack.key}\r\n"
        "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n"
    )
    answer = exchange(stack, head.encode())
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer
    assert b"connection: close" in answer.lower()


def test_a_chunked_body_over_the_limit_is_refused_on_the_way(stack: Stack) -> None:
    head = (
        f"POST {INFER} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {stack.key}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    answer = exchange(stack, head.encode() + chunk * 17)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_refused_upload_does_not_cost_the_connection(stack: Stack) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n".encode()
    good = f"GET /v2 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {stack.key}\r\n\r\n".encode()
    answer = exchange(stack, head + bytes(1_000_000) + good)
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"HTTP/1.1 200" in answer


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies(stack: Stack, coding: str, compress: object) -> None:
    assert callable(compress)
    sent = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = stack.post(INFER, content=compress(json.dumps(BODY).encode()), headers=sent)
    assert answer.status_code == 200
    assert answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("br", None)],
)  # fmt: skip
def test_compressed_answers(stack: Stack, accepted: str, coding: str | None) -> None:
    answer = stack.post("/v2/models/gather/infer", json=WIDE, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.json()["outputs"][0]["shape"] == [1, 100, 4]


def test_the_access_log_has_one_line_per_request_and_no_secrets(stack: Stack) -> None:
    marker = f"log-{time.monotonic_ns()}"
    stack.post(INFER, json=BODY, headers={"X-Request-Id": marker})
    deadline = time.monotonic() + 5
    lines: list[dict[str, Any]] = []
    while not lines and time.monotonic() < deadline:  # written after the answer is sent
        lines = [line for line in stack.gateway.log_lines() if line.get("request_id") == marker]
    assert len(lines) == 1
    line = lines[0]
    assert (line["project"], line["model"], line["version"], line["status"]) == (
        "alpha",
        "labelled",
        "1",
        200,
    )
    assert line["milliseconds"] > 0
    assert line["key_id"] in stack.key
    assert stack.key not in stack.gateway.log.read_text()


def test_what_is_counted(stack: Stack) -> None:
    def metrics() -> str:
        return httpx.get(stack.gateway.ops_url + "/metrics").text

    def value(text: str, line: str) -> float:
        return sum(float(row.rsplit(" ", 1)[1]) for row in text.splitlines() if row.startswith(line))

    served = 'tidegate_requests_total{code="200",model="labelled",project="alpha",protocol="v2",version="1"}'
    missing = 'tidegate_requests_total{code="404",model="unknown",project="alpha",protocol="v2"'
    refused = 'tidegate_refusals_total{code="not_found",model="unknown",project="alpha"}'
    before = metrics()
    stack.post(INFER, json=BODY)
    stack.post("/v2/models/surprise/infer", json=BODY)
    after = metrics()
    for line in (served, missing, refused):
        assert value(after, line) == value(before, line) + 1, line
    assert "surprise" not in after
    assert 'tidegate_model_ready{model="labelled",version="1"} 1.0' in after
    assert value(after, "tidegate_triton_up") == 1
    for name in ("tidegate_gateway_overhead_seconds", "tidegate_request_duration_seconds"):
        assert value(after, f"{name}_count") > value(before, f"{name}_count"), name


def test_unsupported_triton_routes_do_not_exist(stack: Stack) -> None:
    for path in (
        "/v2/systemsharedmemory/status", "/v2/cudasharedmemory/status", "/v2/logging", "/v2/trace/setting",
        "/v2/models/labelled/config", "/v2/models/labelled/stats", "/v2/models/stats",
        "/v2/models/labelled/trace/setting", "/invocations", "/ping",
        "/v2/repository/models/labelled/load", "/v2/repository/models/labelled/unload",
    ):  # fmt: skip
        for method in ("GET", "POST", "PUT"):
            answer = httpx.request(method, stack.url + path, headers=stack.auth)
            # `stats` reads as the name of a model, which only GET takes.
            assert answer.status_code in (404, 405), (method, path)
            assert "error" in answer.json()

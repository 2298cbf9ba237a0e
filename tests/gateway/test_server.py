"""The gateway as a process: starting, stopping, dying, and two on one database."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.settings import Settings, environment_name
from tests.support.gateway import RunningGateway, headers, running_gateway
from tests.support.onnx_models import write_identity
from tests.support.triton import running_triton

PROJECTS = "/admin/v1/projects"


def run_gateway(
    arguments: Sequence[str] = (), **environment: str | Path
) -> subprocess.CompletedProcess[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    given = {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env=inherited | given,
        capture_output=True,
        timeout=30,
        check=False,
    )


def half_a_request(gateway: RunningGateway, body: bytes) -> socket.socket:
    """Open a request whose last byte is still missing."""
    url = urlsplit(gateway.base_url)
    client = socket.create_connection((str(url.hostname), url.port or 0), timeout=30)
    head = (
        f"POST {PROJECTS} HTTP/1.1\r\nHost: a\r\nX-API-Key: {gateway.admin_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client.sendall(head.encode() + body[:-1])
    return client


def eventually(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sigterm_drains(tmp_path: Path) -> None:
    """GW-1: readyz 503 at once, new requests accepted for the delay, those in flight finished, exit 0."""
    body = b'{"name": "finished-while-draining"}'
    with running_gateway(None, tmp_path, drain_delay=1.0) as gateway:
        with half_a_request(gateway, body) as client, httpx.Client(base_url=gateway.base_url) as idle:
            idle.get("/v2/health/live")
            gateway.process.send_signal(signal.SIGTERM)

            def draining() -> bool:
                reasons = httpx.get(f"{gateway.ops_url}/readyz").json()["reasons"]
                return "The gateway is draining." in reasons

            eventually(draining, 0.9)
            accepted = idle.get("/v2/health/live")
            assert accepted.status_code == 200
            assert accepted.headers["connection"] == "close"

            def refused() -> bool:
                try:
                    httpx.get(f"{gateway.base_url}/v2/health/live")
                except httpx.ConnectError:
                    return True
                return False

            eventually(refused, 10)
            assert httpx.get(f"{gateway.ops_url}/livez").status_code == 200
            client.sendall(body[-1:])
            assert client.recv(4096).startswith(b"HTTP/1.1 201 ")
        assert gateway.process.wait(10) == 0
        assert [line["event"] for line in gateway.log_lines()][-1] == "stopped"


def test_a_request_that_does_not_end_is_cut_at_the_drain_timeout(tmp_path: Path) -> None:
    with (
        running_gateway(None, tmp_path, drain_timeout=1) as gateway,
        half_a_request(gateway, b'{"name": "never"}'),
    ):
        started = time.monotonic()
        assert gateway.terminate() == 0
        assert time.monotonic() - started < 8


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with running_gateway(None, tmp_path, drain_delay=25) as gateway:
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: any(line["event"] == "draining" for line in gateway.log_lines()), 10)
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(5) == -signal.SIGINT


@pytest.mark.parametrize("setting", ["TIDEGATE_HTTP_PORT", "TIDEGATE_OPS_PORT"])
def test_a_port_in_use_is_named(tmp_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"TIDEGATE_HTTP_PORT": "0", "TIDEGATE_OPS_PORT": "0", setting: str(port)}
        ended = run_gateway(TIDEGATE_STATE_DIR=tmp_path / "state", **ports)
    assert ended.returncode == 2
    [line] = [json.loads(line) for line in ended.stderr.splitlines()]
    assert f"Port {port} " in line["reason"]
    assert setting in line["reason"]
    assert ended.stdout == b""


def test_an_invalid_admin_key_stops_the_start(tmp_path: Path) -> None:
    ended = run_gateway(
        TIDEGATE_STATE_DIR=tmp_path / "state",
        TIDEGATE_HTTP_PORT="0",
        TIDEGATE_OPS_PORT="0",
        TIDEGATE_ADMIN_KEY="tg_admin_secret",
    )
    assert ended.returncode == 2
    assert b"TIDEGATE_ADMIN_KEY does not have the form" in ended.stderr
    assert b"tg_admin_secret" not in ended.stderr


def test_check_names_every_invalid_setting_and_shows_no_secret(tmp_path: Path) -> None:
    assert run_gateway(["--check"]).returncode == 0
    ended = run_gateway(
        ["--check"],
        TIDEGATE_HTTP_PORT="70000",
        TIDEGATE_TRITON_URLS="ftp://x",
        TIDEGATE_PRINCIPALS_INTERVAL="2",
    )
    assert ended.returncode == 2
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert {line["setting"] for line in lines} == {
        "TIDEGATE_HTTP_PORT",
        "TIDEGATE_TRITON_URLS",
        "TIDEGATE_PRINCIPALS_INTERVAL",
    }


def test_help_lists_every_setting() -> None:
    shown = run_gateway(["--help"]).stdout.decode()
    for name in Settings.model_fields:
        assert f"\n  {environment_name(name)}\n" in shown


def test_without_triton_it_serves_what_needs_none(tmp_path: Path) -> None:
    with running_gateway(None, tmp_path) as gateway:
        assert httpx.get(f"{gateway.ops_url}/readyz").status_code == 503
        key = gateway.create_key()
        answer = httpx.get(f"{gateway.base_url}/v2/models/digits", headers=headers(key))
        assert answer.status_code in (404, 503)
        assert answer.json().keys() == {"error", "code", "request_id"}
        assert gateway.terminate() == 0


def test_two_gateways_share_one_database_and_a_revoked_key_dies_within_a_second(tmp_path: Path) -> None:
    """AUTH-6, with requests running all the time."""
    with running_gateway(None, tmp_path) as one, running_gateway(None, tmp_path) as two:
        assert one.admin_key == two.admin_key
        key = one.create_key(["read"])
        with httpx.Client(base_url=two.base_url, headers=headers(key)) as client:
            eventually(lambda: client.get("/v2").status_code == 200, 1.0)
            httpx.delete(f"{one.base_url}/admin/v1/keys/{key.split('_')[1]}", headers=one.admin_headers)
            eventually(lambda: client.get("/v2").status_code == 401, 1.0)
            assert {client.get("/v2").status_code for _ in range(20)} == {401}


def test_gateways_that_start_together_agree_on_keys_and_schema(tmp_path: Path) -> None:
    state = tmp_path / "gateway-state"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    environment |= {"TIDEGATE_HTTP_PORT": "0", "TIDEGATE_OPS_PORT": "0", "TIDEGATE_STATE_DIR": str(state)}
    together = [
        subprocess.Popen([sys.executable, "-m", "gateway"], env=environment, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    try:
        with running_gateway(None, tmp_path) as gateway:
            listed = httpx.get(f"{gateway.base_url}/admin/v1/keys", headers=gateway.admin_headers).json()
            assert len(listed["keys"]) == 1
    finally:
        for process in together:
            process.terminate()
        codes = []
        for process in together:
            process.communicate(timeout=30)
            codes.append(process.returncode)
    assert set(codes) <= {0, -signal.SIGTERM}


def test_after_kill_9_it_opens_clean_with_everything_that_was_answered(tmp_path: Path) -> None:
    """LOC-4."""
    with running_gateway(None, tmp_path) as gateway:
        kept = gateway.create_key(["read"])
        revoked = gateway.create_key(["read"])
        httpx.delete(
            f"{gateway.base_url}/admin/v1/keys/{revoked.split('_')[1]}", headers=gateway.admin_headers
        )
        admin_key = gateway.admin_key
        gateway.kill()
    with running_gateway(None, tmp_path) as gateway:
        assert gateway.admin_key == admin_key
        assert httpx.get(f"{gateway.base_url}/v2", headers=headers(kept)).status_code == 200
        assert httpx.get(f"{gateway.base_url}/v2", headers=headers(revoked)).status_code == 401
        assert gateway.state_dir.stat().st_mode & 0o777 == 0o700


def test_every_line_it_writes_is_json_and_none_holds_a_key(tmp_path: Path) -> None:
    with running_gateway(None, tmp_path, log_level="DEBUG") as gateway:
        key = gateway.create_key()
        httpx.get(f"{gateway.base_url}/v2", headers=headers(key))
        httpx.get(f"{gateway.base_url}/nothing?api_key={key}", headers={"X-Key": key})
        assert gateway.terminate() == 0
        text = gateway.log.read_text()
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    for secret in (key, gateway.admin_key):
        assert secret.split("_")[2] not in text


def test_readiness_follows_triton(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    repository.mkdir()
    write_identity(repository)
    with (
        running_triton(repository, tmp_path, load=()) as triton,
        running_gateway(triton, tmp_path) as gateway,
    ):
        gateway.wait_ready()
        assert httpx.get(f"{gateway.ops_url}/readyz").json() == {"ready": True, "reasons": []}
        os.kill(triton.pid, signal.SIGKILL)
        eventually(lambda: httpx.get(f"{gateway.ops_url}/readyz").status_code == 503, 15)
        assert httpx.get(f"{gateway.ops_url}/livez").status_code == 200
        assert gateway.terminate() == 0


def test_a_damaged_database_ends_the_start_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is no database, whatever its name says" * 100)
    ended = run_gateway(TIDEGATE_STATE_DIR=tmp_path, TIDEGATE_HTTP_PORT="0", TIDEGATE_OPS_PORT="0")
    assert ended.returncode == 2
    assert b"put a backup in its place" in ended.stderr


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    with running_gateway(None, tmp_path) as gateway:
        files = list(gateway.state_dir.glob("gateway.db*"))
        assert files
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}

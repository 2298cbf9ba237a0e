"""`python -m monitoring run`: a real Prometheus in the foreground, and what it says when it cannot."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from monitoring import prometheus as module
from monitoring.errors import ProgramMissing, PrometheusDied
from monitoring.prometheus import PrometheusConfig, program, running
from tests.support.promql import needs_prometheus
from tests.support.triton import free_ports


@needs_prometheus
def test_runs_until_sigterm_and_reports_what_is_down(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    output = tmp_path / "out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "monitoring", "run", "--port", str(port), "--interval", "0.5",
                "--ops-port", "9", "--triton-metrics-port", "9", "--supervisor-port", "9",
                "--state-dir", tmp_path / "state",
            ],
            stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while "Ctrl-C stops" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    text = output.read_text()
    assert f"http://127.0.0.1:{port}" in text
    for job in ("tidegate-gateway", "tidegate-triton", "tidegate-supervisor"):
        assert re.search(rf"{job}.*down", text), text
    assert (tmp_path / "state" / "prometheus" / "data").is_dir()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=5)


@needs_prometheus
def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = PrometheusConfig(directory=tmp_path / "p", port=port)
        with (
            pytest.raises(PrometheusDied, match=rf"Port {port} is taken: choose another with --port"),
            running(config),
        ):
            pass


def test_a_missing_program_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="apt-get install prometheus"):
        program("prometheus")
    answer = subprocess.run(
        [sys.executable, "-m", "monitoring", "run", "--state-dir", tmp_path / "state"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert "apt-get install prometheus" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_default_configuration_is_the_committed_one() -> None:
    root = Path(module.__file__).parent
    assert (root / "prometheus.yml").read_text() == PrometheusConfig(directory=root).scrape.render()

"""A real gateway for tests: `python -m gateway` on free loopback ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

START_SECONDS = 30.0
STOP_SECONDS = 30.0


class Triton(Protocol):
    """What the gateway needs to know of a Triton; `tests.support.triton.RunningTriton` is one."""

    @property
    def http_url(self) -> str:
        """Base URL."""

    @property
    def admin_secret(self) -> str:
        """Value of the header that opens the restricted APIs."""

    @property
    def model_repository(self) -> Path:
        """What it serves."""


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that listens.

    Attributes:
        base_url: of the inference and admin API.
        ops_url: of metrics and probes.
        admin_key: a key with every scope.
        state_dir: its state directory.
        log: file with its log lines.
        process: its process, which leads a process group of its own.
    """

    base_url: str
    ops_url: str
    admin_key: str
    state_dir: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def admin_headers(self) -> dict[str, str]:
        """Headers of a request by the administrator."""
        return headers(self.admin_key)

    def create_key(
        self,
        scopes: Sequence[str] = ("infer", "read"),
        models: Sequence[str] = ("*",),
        project: str = "default",
        **fields: Any,
    ) -> str:
        """Create an API key and return it whole."""
        body = {"project": project, "scopes": list(scopes), "models": list(models), **fields}
        answer = httpx.post(
            f"{self.base_url}/admin/v1/keys", json=body, headers=self.admin_headers, timeout=10
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what it logged so far."""
        return _log_lines(self.log)

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return once `/readyz` says 200."""
        deadline = time.monotonic() + seconds
        while (answer := httpx.get(f"{self.ops_url}/readyz", timeout=10)).status_code != 200:
            assert time.monotonic() < deadline, f"not ready after {seconds} s: {answer.text}"
            time.sleep(0.05)

    def terminate(self) -> int:
        """Send SIGTERM, wait for the end and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)


def headers(key: str) -> dict[str, str]:
    """Return the headers that present `key`."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def running_gateway(triton: Triton | None, tmp_path: Path, **settings: Any) -> Iterator[RunningGateway]:
    """Run a gateway until the block ends; it listens, but is not yet ready (`wait_ready`).

    Args:
        triton: in front of which; None for an address where nothing listens.
        tmp_path: its state directory is made in here, the same for every gateway with this `tmp_path`.
        settings: further settings by name, e.g. `drain_delay=0.5`.
    """
    state_dir = tmp_path / "gateway-state"
    number = len(list(tmp_path.glob("gateway-*.log")))
    log = tmp_path / f"gateway-{number}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            env=_environment(triton, state_dir, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        listening = _wait_listening(process, log)
        given = settings.get("admin_key")
        yield RunningGateway(
            base_url=f"http://127.0.0.1:{listening['http_port']}",
            ops_url=f"http://127.0.0.1:{listening['ops_port']}",
            admin_key=given or (state_dir / "admin-key").read_text().strip(),
            state_dir=state_dir,
            log=log,
            process=process,
        )
    finally:
        _stop(process)


def _environment(triton: Triton | None, state_dir: Path, settings: dict[str, Any]) -> dict[str, str]:
    # Nothing of the developer's own TIDEGATE_* may reach a test.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    wanted = {
        "http_port": 0,
        "ops_port": 0,
        "state_dir": state_dir,
        # Port 9 (discard) of the loopback: nobody listens there.
        "triton_urls": triton.http_url if triton else "http://127.0.0.1:9",
        **(_of(triton) if triton else {}),
        **settings,
    }
    return inherited | {f"TIDEGATE_{name.upper()}": str(value) for name, value in wanted.items()}


def _of(triton: Triton) -> dict[str, Any]:
    return {
        "triton_admin_secret": triton.admin_secret,
        "model_repository": triton.model_repository,
        # The models of `tests.support.onnx_models` have none.
        "require_manifest": False,
    }


def _wait_listening(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the gateway ended with {process.returncode}:\n{log.read_text()}"
        for line in _log_lines(log):
            if line["event"] == "listening":
                return line
        time.sleep(0.02)
    raise AssertionError(f"the gateway did not listen within {START_SECONDS} s:\n{log.read_text()}")


def _log_lines(log: Path) -> list[dict[str, Any]]:
    # The last line may be half written.
    whole = log.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

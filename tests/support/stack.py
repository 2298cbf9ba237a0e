"""`tidegate up` for tests: the whole local stack as a user starts it, on free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.support.triton import free_ports

START_SECONDS = 150.0
STOP_SECONDS = 90.0
TIDEGATE_UP = (sys.executable, "-m", "tidegate", "up")
PORT_OPTIONS = (
    "--http-port",
    "--ops-port",
    "--triton-http-port",
    "--triton-grpc-port",
    "--triton-metrics-port",
    "--supervisor-port",
)


@dataclass(frozen=True)
class RunningStack:
    """A stack that says it is ready.

    Attributes:
        gateway_url: inference and admin API.
        ops_url: metrics and probes of the gateway.
        triton_url: Triton's own HTTP.
        triton_grpc_url: `host:port` of Triton's own gRPC.
        triton_metrics_url: Triton's own metrics.
        supervisor_url: the supervisor's metrics.
        state_dir: keys, database, logs.
        output: file with what the command printed.
        process: the `tidegate up` process.
    """

    gateway_url: str
    ops_url: str
    triton_url: str
    triton_grpc_url: str
    triton_metrics_url: str
    supervisor_url: str
    state_dir: Path
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def api_key(self) -> str:
        """The key the command printed."""
        return (self.state_dir / "api-key").read_text().strip()

    @property
    def authorization(self) -> dict[str, str]:
        """Headers that present that key."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def children(self) -> list[psutil.Process]:
        """Return every process below the command."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """Return the first process below the command whose command line holds all these words."""
        found = [
            child for child in self.children() if all(word in " ".join(child.cmdline()) for word in words)
        ]
        assert found, f"no process with {words} among {self.children()}"
        return found[0]

    def stop(self) -> int:
        """Send SIGTERM, as Ctrl-C would end it, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def _command_line(process: psutil.Process) -> str:
    """Return the command line, empty for a process that is gone or not yet reaped."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def running_stack(repository: Path, state_dir: Path, *options: str) -> Iterator[RunningStack]:
    """Run `tidegate up` until the block ends.

    Args:
        repository: the model repository.
        state_dir: the state directory; reuse it for a later start.
        options: further options of the command.
    """
    ports = free_ports(len(PORT_OPTIONS))
    chosen = [part for option, port in zip(PORT_OPTIONS, ports, strict=True) for part in (option, str(port))]
    state_dir.mkdir(parents=True, exist_ok=True)
    output = state_dir / "up.out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*TIDEGATE_UP, "--repository", repository, "--state-dir", state_dir, *chosen, *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    http, ops, triton_http, triton_grpc, triton_metrics, supervisor = ports
    stack = RunningStack(
        gateway_url=f"http://127.0.0.1:{http}",
        ops_url=f"http://127.0.0.1:{ops}",
        triton_url=f"http://127.0.0.1:{triton_http}",
        triton_grpc_url=f"127.0.0.1:{triton_grpc}",
        triton_metrics_url=f"http://127.0.0.1:{triton_metrics}/metrics",
        supervisor_url=f"http://127.0.0.1:{supervisor}",
        state_dir=state_dir,
        output=output,
        process=process,
    )
    try:
        _wait_ready(stack)
        yield stack
    finally:
        if process.poll() is None:
            try:
                stack.stop()
            except subprocess.TimeoutExpired:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
                process.wait()


def _wait_ready(stack: RunningStack) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert stack.process.poll() is None, stack.output.read_text()
        if "Tidegate is ready" in stack.output.read_text():
            assert httpx.get(f"{stack.ops_url}/readyz", timeout=5).status_code == httpx.codes.OK
            return
        time.sleep(0.1)
    raise AssertionError(f"not ready within {START_SECONDS} s:\n{stack.output.read_text()}")

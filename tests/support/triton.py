"""A real Triton for tests: the server of the nvidia-pytriton wheel on free loopback ports."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from embedded.admin_secret import ADMIN_HEADER
from embedded.config import TritonConfig
from embedded.launcher import prepare
from embedded.process import TritonProcess
from embedded.shared_memory import this_process

START_SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]
SECRET = "tests-admin-secret-0123456789"


@dataclass(frozen=True)
class RunningTriton:
    """A Triton that answers.

    Attributes:
        http_url: e.g. `http://127.0.0.1:40001`.
        grpc_url: `host:port`, as tritonclient takes it.
        metrics_url: URL of Triton's own metrics.
        admin_secret: value of the header that opens the restricted APIs.
        pid: process id of tritonserver (also of its process group).
        model_repository: what it serves.
    """

    http_url: str
    grpc_url: str
    metrics_url: str
    admin_secret: str
    pid: int
    model_repository: Path

    @property
    def admin_headers(self) -> dict[str, str]:
        """Headers that open the restricted APIs over HTTP."""
        return {ADMIN_HEADER: self.admin_secret}

    def post(
        self, path: str, body: Any = None, *, admin: bool = False, timeout: float = 30.0
    ) -> httpx.Response:
        """POST JSON to a path of the REST API."""
        headers = self.admin_headers if admin else {}
        return httpx.post(self.http_url + path, json=body or {}, headers=headers, timeout=timeout)

    def get(self, path: str, *, admin: bool = False) -> httpx.Response:
        """GET a path of the REST API."""
        return httpx.get(self.http_url + path, headers=self.admin_headers if admin else {}, timeout=30.0)

    def load(self, model: str) -> httpx.Response:
        """Ask Triton to load a model; returns its answer, whatever it is."""
        return self.post(f"/v2/repository/models/{model}/load", admin=True, timeout=60.0)

    def infer(self, model: str, *inputs: tuple[str, str, Sequence[int], Sequence[Any]]) -> httpx.Response:
        """Infer with inputs given as (name, datatype, shape, flat data)."""
        tensors = [
            {"name": name, "datatype": datatype, "shape": list(shape), "data": list(data)}
            for name, datatype, shape, data in inputs
        ]
        return self.post(f"/v2/models/{model}/infer", {"inputs": tensors})


@contextmanager
def running_triton(
    repository: Path, tmp_path: Path, load: tuple[str, ...] = ("*",), **settings: Any
) -> Iterator[RunningTriton]:
    """Run a Triton, without a supervisor, until the block ends.

    Enter it from a thread that outlives the block (the kernel ends the server with that thread).

    Args:
        repository: the model repository; may be empty, must exist.
        tmp_path: for the server's state; reuse one directory to reuse the assembled backends.
        load: models to load at start; `("*",)` for all, `()` for none.
        settings: further fields of `TritonConfig`.
    """
    http_port, grpc_port, metrics_port = free_ports(3)
    config = TritonConfig(
        model_repository=repository,
        state_dir=tmp_path / "triton-state",
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        load_models=load,
        **{"exit_timeout_seconds": 5, **settings},
    )
    installation = prepare(config)
    # Ports tell servers of one test process apart; regions are named after them.
    process = TritonProcess(installation, this_process(generation=http_port), load)
    try:
        wait_until(
            lambda: is_live(config.http_url),
            "tritonserver is live",
            alive=lambda: process.exit_code() is None,
        )
        yield RunningTriton(
            http_url=config.http_url,
            grpc_url=f"{config.host}:{grpc_port}",
            metrics_url=config.metrics_url,
            admin_secret=installation.secret,
            pid=process.pid,
            model_repository=repository,
        )
    finally:
        process.kill()


@dataclass(frozen=True)
class SupervisedTriton(RunningTriton):
    """A Triton under `python -m embedded`; `pid` is the supervisor's.

    Attributes:
        supervisor_metrics_url: URL of the supervisor's own metrics.
        log: file with its JSON lines.
    """

    supervisor_metrics_url: str
    log: Path

    def server_pid(self) -> int | None:
        """Process id of the tritonserver now running, if one is."""
        servers = [child.pid for child, arguments in _children(self.pid) if "tritonserver" in arguments[0]]
        return servers[0] if servers else None

    def model_process_pids(self, model: str) -> list[int]:
        """Process ids of a model's live processes."""
        server = self.server_pid()
        children = _children(server) if server else []
        return [child.pid for child, arguments in children if f"/{model}/" in " ".join(arguments[1:2])]

    def events(self) -> list[dict[str, Any]]:
        """Everything logged so far."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def metric(self, name: str) -> float | None:
        """Value of a supervisor metric, given as `name` or `name{label="value"}`."""
        page = httpx.get(self.supervisor_metrics_url, timeout=10).text
        match = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        return float(match[1]) if match else None


@contextmanager
def supervised_triton(
    repository: Path, tmp_path: Path, load: tuple[str, ...] = ("*",), options: Sequence[str] = ()
) -> Iterator[SupervisedTriton]:
    """Run `python -m embedded` until the block ends.

    Args:
        repository: the model repository.
        tmp_path: for its state and its log.
        load: models to load at start.
        options: further command-line options.
    """
    http_port, grpc_port, metrics_port, supervisor_port = free_ports(4)
    state = tmp_path / "triton-state"
    log = tmp_path / "supervisor.log"
    command = [
        sys.executable, "-m", "embedded",
        "--model-repository", str(repository), "--state-dir", str(state),
        "--http-port", str(http_port), "--grpc-port", str(grpc_port),
        "--metrics-port", str(metrics_port), "--supervisor-port", str(supervisor_port),
        "--exit-timeout", "5", *(f"--load-model={model}" for model in load), *options,
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
    environment["TIDEGATE_TRITON_ADMIN_SECRET"] = SECRET
    with log.open("wb") as output:
        supervisor = subprocess.Popen(command, env=environment, stderr=output, cwd=ROOT)
    try:
        http_url = f"http://127.0.0.1:{http_port}"
        wait_until(lambda: is_live(http_url), "tritonserver is live", alive=lambda: supervisor.poll() is None)
        yield SupervisedTriton(
            http_url=http_url,
            grpc_url=f"127.0.0.1:{grpc_port}",
            metrics_url=f"http://127.0.0.1:{metrics_port}/metrics",
            admin_secret=SECRET,
            pid=supervisor.pid,
            model_repository=repository,
            supervisor_metrics_url=f"http://127.0.0.1:{supervisor_port}/metrics",
            log=log,
        )
    finally:
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGTERM)
            try:
                supervisor.wait(20)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()


def _children(pid: int) -> list[tuple[psutil.Process, list[str]]]:
    """The live children of a process with their arguments; any of them may end while one looks."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and child.cmdline():
                found.append((child, child.cmdline()))
    return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def serves_identity(triton: RunningTriton, model: str = "identity") -> bool:
    """Whether a model of `onnx_models.write_identity(width=4)` answers."""
    try:
        return triton.infer(model, ("x", "FP32", [1, 4], [1, 2, 3, 4])).status_code == 200
    except httpx.HTTPError:
        return False


def is_live(http_url: str) -> bool:
    """Whether a server answers its liveness probe."""
    try:
        return httpx.get(f"{http_url}/v2/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(
    condition: Callable[[], object],
    what: str,
    seconds: float = START_SECONDS,
    alive: Callable[[], bool] = lambda: True,
) -> float:
    """Wait for a condition; returns the seconds it took, fails when it takes longer or `alive` ends."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if condition():
            return time.monotonic() - started
        if not alive():
            raise AssertionError(f"the process ended before: {what}")
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")

"""A real Triton for tests: the server of the nvidia-pytriton wheel on free loopback ports."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from embedded.admin_secret import ADMIN_HEADER
from embedded.config import TritonConfig
from embedded.launcher import prepare
from embedded.process import TritonProcess
from embedded.shared_memory import this_process

START_SECONDS = 60.0


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
        _wait_live(process, config.http_url)
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


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _wait_live(process: TritonProcess, http_url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.exit_code() is not None:
            raise AssertionError(f"tritonserver exited with {process.exit_code()} while starting")
        try:
            if httpx.get(f"{http_url}/v2/health/live", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"tritonserver was not live within {START_SECONDS} s")

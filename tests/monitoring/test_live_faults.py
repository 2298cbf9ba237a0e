"""Alerts fire from the real fault: a real Triton and gateway are overloaded, killed and stopped.

The rules are the production rules with time running faster; nothing else differs, as `test_config` proves.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from embedded.model_processes import model_processes
from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB
from monitoring.prometheus import Prometheus
from tests.support.gateway import RunningGateway, headers, running_gateway
from tests.support.onnx_models import write_identity, write_slow
from tests.support.prometheus import firing, running_prometheus, wait_for
from tests.support.stack import RunningStack, running_stack
from tests.support.triton import RunningTriton, running_triton

# A minute is 2 s: "for: 1m" holds 2 s, a 5 m window is 10 s wide and holds 20 scrapes.
TIME_SCALE = 1 / 30
# Far more than any of these alerts takes to fire when the machine is idle.
DEADLINE = 90.0
STEADY = 0.1

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Patient:
    """A stack without a supervisor, so that a fault stays until it is seen."""

    triton: RunningTriton
    gateway: RunningGateway
    key: str
    prometheus: Prometheus

    def infer(self, model: str, timeout: float = 5.0) -> int:
        """Send one request and return its status, 0 without an answer."""
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]}
        url = f"{self.gateway.base_url}/v2/models/{model}/infer"
        try:
            return httpx.post(url, json=body, headers=headers(self.key), timeout=timeout).status_code
        except httpx.HTTPError:
            return 0

    @contextmanager
    def traffic(self, model: str, callers: int = 1, pause: float = STEADY) -> Iterator[list[int]]:
        """Let `callers` threads call `model` until the block ends; yields the statuses so far."""
        statuses: list[int] = []
        done = threading.Event()

        def call() -> None:
            while not done.wait(pause):
                statuses.append(self.infer(model))

        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield statuses
        finally:
            done.set()
            for thread in threads:
                thread.join()


def fires(prometheus: Prometheus, *names: str) -> None:
    """Wait until every one of the alerts fires."""
    seen: set[str] = set()
    deadline = time.monotonic() + DEADLINE
    while not set(names) <= (seen := firing(prometheus)):
        assert time.monotonic() < deadline, f"{set(names) - seen} did not fire, only {seen}"
        time.sleep(0.1)


def resolves(prometheus: Prometheus, *names: str) -> None:
    """Wait until none of the alerts fires any more."""
    wait_for(lambda: not set(names) & firing(prometheus), DEADLINE, f"one of {names} goes on firing")


def quiet(prometheus: Prometheus, *names: str) -> None:
    """Check that none of the alerts fires."""
    assert set(names) & firing(prometheus) == set()


def kill_processes_of(model: str, server_pid: int, repository: Path) -> None:
    """Kill every process of a model, as a crash in native code would end it."""
    victims = [p.pid for p in model_processes(server_pid, repository.resolve()) if p.model == model]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    directory = tmp_path_factory.mktemp("patient")
    repository = directory / "repository"
    write_identity(repository, "identity", width=1)
    write_slow(repository, "slow", rounds=40, dynamic_batching=False)
    settings = {"max_in_flight": 1, "max_queue": 1, "request_timeout": 20}
    with (
        running_triton(repository, directory, load=()) as triton,
        running_gateway(triton, directory, **settings) as gateway,
    ):
        gateway.wait_ready()
        urls = {GATEWAY_JOB: gateway.ops_url, TRITON_JOB: triton.metrics_url}
        with running_prometheus(directory / "prometheus", urls, time_scale=TIME_SCALE) as prometheus:
            yield Patient(triton, gateway, gateway.create_key(), prometheus)


def test_a_hung_triton_stalls_the_queue_and_resolves(patient: Patient) -> None:
    prometheus = patient.prometheus
    assert patient.infer("identity") == 200
    quiet(prometheus, "GatewayQueueStalled", "GatewayTritonUnreachable", "TritonDown")
    os.kill(patient.triton.pid, signal.SIGSTOP)
    try:
        with patient.traffic("identity", callers=2):
            fires(prometheus, "GatewayQueueStalled:identity", "GatewayTritonUnreachable", "TritonDown")
    finally:
        os.kill(patient.triton.pid, signal.SIGCONT)
    with patient.traffic("identity"):
        resolves(prometheus, "GatewayQueueStalled", "GatewayTritonUnreachable", "TritonDown")


def test_an_overload_and_a_dead_model_process_are_told_apart(patient: Patient) -> None:
    prometheus = patient.prometheus
    with patient.traffic("identity") as identity:
        resolves(prometheus, "ModelFailing", "GatewayRefusing")
        wait_for(lambda: 200 in identity, DEADLINE, "identity does not serve")
        kill_processes_of("identity", patient.triton.pid, patient.triton.model_repository)
        with patient.traffic("slow", callers=6, pause=0) as slow:
            fires(
                prometheus, "GatewayRefusing:slow", "ModelFailing:identity", "TritonBackendFailures:identity"
            )
            fires(prometheus, "GatewayErrorBudgetBurn")
        assert {200, 503} <= set(slow)
        quiet(prometheus, "ModelFailing:slow", "TritonBackendFailures:slow")
        quiet(prometheus, "TritonDown", "GatewayTritonUnreachable", "GatewayDown")


def test_a_dead_triton_and_then_a_dead_gateway(patient: Patient) -> None:
    prometheus = patient.prometheus
    quiet(prometheus, "TritonDown", "GatewayTritonUnreachable", "GatewayDown")
    os.kill(patient.triton.pid, signal.SIGKILL)
    fires(prometheus, "TritonDown", "GatewayTritonUnreachable")
    quiet(prometheus, "GatewayDown")
    patient.gateway.kill()
    fires(prometheus, "GatewayDown")


def test_what_a_supervisor_cannot_or_need_not_mend(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_identity(repository, "identity", width=1)
    with running_stack(repository, tmp_path / "state", "--no-samples") as stack:
        urls = {
            GATEWAY_JOB: stack.ops_url,
            TRITON_JOB: stack.triton_metrics_url,
            SUPERVISOR_JOB: stack.supervisor_url,
        }
        with running_prometheus(tmp_path / "prometheus", urls, time_scale=TIME_SCALE) as prometheus:
            quiet(prometheus, "ModelProcessRestarting", "ModelProcessDown", "SupervisorDown")
            for count in (1, 2, 3):
                kill_processes_of("identity", server_pid(stack), repository)
                restarts = f"tidegate_embedded_model_process_restarts_total >= {count}"
                wait_for(partial(prometheus.query, restarts), DEADLINE, f"not {restarts}")
            fires(prometheus, "ModelProcessRestarting")
            # A restart may outlast the scaled minute; what matters is that the alert ends with it.
            resolves(prometheus, "ModelProcessDown")
            quiet(prometheus, "SupervisorDown")

            (repository / "identity" / "1" / "model.onnx").unlink()
            kill_processes_of("identity", server_pid(stack), repository)
            fires(prometheus, "ModelProcessDown")
            quiet(prometheus, "SupervisorDown")

            psutil.Process(server_pid(stack)).parent().kill()  # type: ignore[union-attr]
            fires(prometheus, "SupervisorDown")


def server_pid(stack: RunningStack) -> int:
    """Return the process id of the stack's tritonserver."""
    (server,) = [child for child in stack.children() if child.name() == "tritonserver"]
    return server.pid

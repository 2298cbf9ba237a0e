"""Alerts fire from the real fault: a real Triton and gateway are overloaded, killed and stopped.

The rules are the production rules with time running faster, as `test_config` proves.
"""

from __future__ import annotations

import os
import secrets
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
from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB, RuleConfig, Thresholds
from monitoring.prometheus import Prometheus
from tests.support.gateway import RunningGateway, headers, running_gateway
from tests.support.onnx_models import write_identity, write_slow
from tests.support.prometheus import firing, running_prometheus, wait_for
from tests.support.promql import needs_prometheus
from tests.support.stack import RunningStack, running_stack
from tests.support.triton import RunningTriton, running_triton
from tests.support.versioned_models import NAME, WIDTH, publish, write_manifest

# A minute is 2 s: "for: 1m" holds 2 s, a 5 m window is 10 s wide and holds 20 scrapes.
# What counts events in a window must shrink with it.
RULES = RuleConfig(time_scale=1 / 30, thresholds=Thresholds(candidate_requests=5))
# Far more than any of these alerts takes to fire when the machine is idle.
DEADLINE = 90.0
STEADY = 0.1

pytestmark = [needs_prometheus, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Patient:
    """A stack without a supervisor, so that a fault stays until it is seen."""

    triton: RunningTriton
    gateway: RunningGateway
    key: str
    prometheus: Prometheus
    client: httpx.Client

    def infer(self, model: str, timeout: float = 15.0) -> int:
        """Send one request and return its status, 0 without an answer."""
        width = WIDTH if model == NAME else 1
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, width], "data": [1.0] * width}]}
        url = f"{self.gateway.base_url}/v2/models/{model}/infer"
        # One user after the other: a rollout keeps each on one version.
        sent = {**headers(self.key), "X-Tidegate-Sticky": secrets.token_hex(4)}
        try:
            return self.client.post(url, json=body, headers=sent, timeout=timeout).status_code
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


def kill_processes_of(model: str, server_pid: int, repository: Path, version: str = "1") -> None:
    """Kill every process of a model version, as a crash in native code would end it."""
    running = model_processes(server_pid, repository.resolve())
    victims = [p.pid for p in running if (p.model, p.version) == (model, version)]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    directory = tmp_path_factory.mktemp("patient")
    repository = directory / "repository"
    write_identity(repository, "identity", width=1)
    write_slow(repository, "slow", rounds=300, dynamic_batching=False)
    publish(repository, 1)
    settings = {"max_in_flight": 4, "max_queue": 4, "request_timeout": 20}
    with (
        running_triton(repository, directory, load=()) as triton,
        running_gateway(triton, directory, **settings) as gateway,
    ):
        gateway.wait_ready()
        urls = {GATEWAY_JOB: gateway.ops_url, TRITON_JOB: triton.metrics_url}
        with (
            running_prometheus(directory / "prometheus", urls, rules=RULES) as prometheus,
            httpx.Client(trust_env=False) as client,
        ):
            yield Patient(triton, gateway, gateway.create_key(), prometheus, client)


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


def test_a_candidate_whose_process_dies_is_told_from_stable(patient: Patient) -> None:
    prometheus, repository = patient.prometheus, patient.triton.model_repository
    publish(repository, 2)
    rollout = f"{patient.gateway.base_url}/admin/v1/models/{NAME}/rollout"
    started = {"candidate": 2, "weight": 50}
    answer = httpx.post(rollout, json=started, headers=patient.gateway.admin_headers, timeout=60)
    assert answer.is_success, answer.text
    with patient.traffic(NAME, callers=3, pause=0.02) as statuses:
        wait_for(lambda: prometheus.query("rollout:candidate_requests:rate5m > 0"), DEADLINE, "no canary")
        quiet(prometheus, f"RolloutCandidateFailing:{NAME}")
        kill_processes_of(NAME, patient.triton.pid, repository, version="2")
        fires(prometheus, f"RolloutCandidateFailing:{NAME}")
        assert 200 in statuses[-50:]
        quiet(prometheus, f"ModelFailing:{NAME}")
    answer = httpx.post(f"{rollout}/abort", json={}, headers=patient.gateway.admin_headers, timeout=60)
    assert answer.is_success, answer.text
    resolves(prometheus, f"RolloutCandidateFailing:{NAME}")


def test_an_overload_and_a_dead_model_process_are_told_apart(patient: Patient) -> None:
    prometheus = patient.prometheus
    with patient.traffic("identity") as identity:
        resolves(prometheus, "ModelFailing", "GatewayRefusing")
        wait_for(lambda: 200 in identity, DEADLINE, "identity does not serve")
        kill_processes_of("identity", patient.triton.pid, patient.triton.model_repository)
        with patient.traffic("slow", callers=12, pause=0) as slow:
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
    write_manifest(repository / "identity" / "1", "identity", 1)
    with running_stack(repository, tmp_path / "state", "--no-samples") as stack:
        urls = {
            GATEWAY_JOB: stack.ops_url,
            TRITON_JOB: stack.triton_metrics_url,
            SUPERVISOR_JOB: stack.supervisor_url,
        }
        with running_prometheus(tmp_path / "prometheus", urls, rules=RULES) as prometheus:
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

"""The rendered CPU profile runs: its commands, environment, probes and hooks as processes on this machine."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.helm.confinement import available, confined, give_away
from tests.helm.load import Endpoints, Load, admin_headers, create_key
from tests.helm.pods import Cluster, Pod, RunningPod
from tests.helm.publishing import publish_model
from tests.helm.rendering import environment, find, manifests

START_SECONDS = 90
DRAIN_DELAY = 2
VALUES = {
    "profile": "cpu",
    "gateway": {
        "drain": {"delaySeconds": DRAIN_DELAY},
        "settings": {"log_level": "DEBUG"},
    },
    "triton": {"preStopSeconds": 1},
    "helmTest": {"timeoutSeconds": 60},
}
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The rendered release, its model repository filled."""
    # Not below /tmp, which every pod has to itself.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tidegate-") as directory:
        yield _cluster(Path(directory))


def _cluster(directory: Path) -> Cluster:
    cluster = Cluster(manifests(VALUES), directory)
    publish_model(cluster.volume("triton-0", "models"))
    script = find(cluster.objects, "ConfigMap", "-test")["data"]["inference.py"]
    (cluster.volume("test-0", "script") / "inference.py").write_text(script)
    return cluster


@pytest.fixture(scope="module")
def triton(cluster: Cluster) -> Iterator[RunningPod]:
    running = RunningPod(Pod(cluster, "triton"))
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def gateway(cluster: Cluster, triton: RunningPod) -> Iterator[RunningPod]:
    # Both start at the same moment, as in a cluster: the gateway finds no Triton yet.
    running = RunningPod(Pod(cluster, "gateway"))
    try:
        running.wait_for("startupProbe", START_SECONDS)
        triton.wait_for("startupProbe", START_SECONDS)
        running.wait_for("readinessProbe", START_SECONDS)
        yield running
    finally:
        running.kill()


def test_every_probe_passes(gateway: RunningPod, triton: RunningPod) -> None:
    for pod in (gateway, triton):
        probes = [name for name in pod.pod.container if name.endswith("Probe")]
        assert len(probes) == 3
        for probe in probes:
            pod.wait_for(probe, 10)


@pytest.mark.skipif(not available(), reason="this machine lets no test confine a process (it takes root)")
def test_the_pods_run_with_the_rights_of_their_containers(tmp_path: Path) -> None:
    """The control of all the others: outside its volumes a process can write nothing, and change no owner."""
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    volume.mkdir()
    outside.mkdir()
    give_away(volume)

    def run(command: str, *paths: Path) -> bool:
        words = confined([*command.split(), *map(str, paths)], [volume])
        return subprocess.run(words, check=False).returncode == 0

    assert run("touch", volume / "file")
    assert not run("touch", outside / "file")
    assert not run("chmod 700", volume)
    assert not run("chown 1", volume / "file")


def test_the_state_is_private_although_the_volume_is_not_ours(gateway: RunningPod) -> None:
    state = Path(gateway.pod.environment["TIDEGATE_STATE_DIR"])
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "gateway.db").exists()


def test_triton_is_shut_to_everybody_but_the_gateway(triton: RunningPod) -> None:
    url = triton.pod.url(8000)
    assert httpx.post(f"{url}/v2/repository/index").status_code == 403
    secret = environment(triton.pod.container, triton.pod.cluster.objects)["TIDEGATE_TRITON_ADMIN_SECRET"]
    assert httpx.post(f"{url}/v2/repository/index", headers={"x-tidegate-triton-admin": secret}).is_success


def test_metrics_are_where_the_services_say(gateway: RunningPod, triton: RunningPod) -> None:
    for url, metric in (
        (gateway.pod.url(8081), "tidegate_triton_up 1.0"),
        (triton.pod.url(8002), "nv_inference_request_success"),
        (triton.pod.url(8003), "tidegate_embedded_triton_up 1.0"),
    ):
        assert metric in httpx.get(f"{url}/metrics").text


def test_helm_test_passes(gateway: RunningPod, cluster: Cluster) -> None:
    answer = Pod(cluster, "test").run(90)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("ok: two_by_two answered")


def test_helm_test_fails_where_the_model_does_not_answer(gateway: RunningPod, cluster: Cluster) -> None:
    (variable,) = (entry for entry in _test_environment(cluster) if entry["name"] == "MODEL")
    assert variable["value"] == ""
    other = dataclasses.replace(cluster, objects=copy.deepcopy(cluster.objects))
    (variable,) = (entry for entry in _test_environment(other) if entry["name"] == "MODEL")
    variable["value"] = "absent"
    answer = Pod(other, "test").run(90)
    assert answer.returncode == 1
    assert "404 instead of 200" in answer.stderr
    # Its key is revoked all the same.
    keys = httpx.get(f"{gateway.pod.url(8080)}/admin/v1/keys", headers=admin_headers(gateway)).json()["keys"]
    assert all(key["revoked_at"] for key in keys if key["project"] == "helm-test")


def test_draining_under_load_loses_nothing(gateway: RunningPod, triton: RunningPod) -> None:
    """The pods end in the order of an upgrade; clients behave like ones behind a Service."""
    endpoints = Endpoints(gateway)
    load = Load(endpoints, create_key(gateway, scopes=["infer"]))
    with load:
        _until(lambda: load.answers[200] > 50, "no load")
        ended = threading.Thread(target=gateway.delete)
        ended.start()
        _until(lambda: gateway.pod.probe("readinessProbe") == 503, "no 503 of /readyz")
        before = load.answers[200]
        # Until every load balancer noticed, new connections still come and are still answered.
        _until(lambda: load.answers[200] > before + 10, "nothing accepted after SIGTERM")
        assert gateway.pod.probe("livenessProbe") == 200
        endpoints.remove(gateway)
        # The clients go on with the connections they have until the gateway ends them.
        ended.join(gateway.pod.grace)
    assert gateway.process.poll() == 0
    assert load.failures == []

    hooked = triton.delete()
    assert hooked >= 1
    assert triton.process.poll() == 0


def _test_environment(cluster: Cluster) -> list[dict[str, str]]:
    environment: list[dict[str, str]] = Pod(cluster, "test").container["env"]
    return environment


def _until(condition: Callable[[], bool], problem: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{problem} within {seconds} s"
        time.sleep(0.02)

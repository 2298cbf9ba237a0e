"""Several rendered gateways on a real PostgreSQL: an upgrade replaces each of them and loses no request."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.helm.load import MODEL, Endpoints, Load, admin_headers, create_key
from tests.helm.pods import Cluster, Pod, RunningPod
from tests.helm.publishing import publish_model
from tests.helm.rendering import find, manifests
from tests.support.postgres import programs, running_postgres

POSTGRES = programs()
START_SECONDS = 90
# What a cluster takes to tell everybody that a pod is going; less than the gateway's drain delay.
PROPAGATION_SECONDS = 1
DRAIN_DELAY = 2

pytestmark = [
    pytest.mark.skipif(POSTGRES is None, reason="no PostgreSQL server: apt-get install postgresql"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """The release on PostgreSQL, its model repository filled."""
    assert POSTGRES is not None
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tidegate-")))
        directory.chmod(0o755)
        (directory / "postgres").mkdir()
        url = stack.enter_context(running_postgres(POSTGRES, directory / "postgres"))
        cluster = Cluster(manifests(_values(url)), directory)
        publish_model(cluster.volume("triton-0", "models"))
        yield cluster


def test_an_upgrade_of_several_gateways_loses_nothing(cluster: Cluster) -> None:
    deployment = find(cluster.objects, "Deployment", "-gateway")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    replicas = deployment["replicas"]
    with ExitStack() as stack:
        triton = _start(stack, cluster, "triton", 0)
        old = [_start(stack, cluster, "gateway", replica) for replica in range(replicas)]
        triton.wait_for("startupProbe", START_SECONDS)
        for gateway in old:
            gateway.wait_for("readinessProbe", START_SECONDS)
        endpoints = Endpoints(*old)
        key = create_key(old[0], scopes=["infer"])
        for gateway in old:
            # It learns within a second of the key, and of the model that another gateway had loaded.
            _wait_serving(gateway, key)
        load = Load(endpoints, key)
        with load:
            new = [
                _replace(stack, cluster, endpoints, gateway, replicas + i) for i, gateway in enumerate(old)
            ]
            time.sleep(PROPAGATION_SECONDS)
        assert load.failures == []
        assert load.answers[200] > 200
        # Everybody served: the load really moved over.
        assert load.served.keys() == {gateway.pod.url(8080) for gateway in (*old, *new)}
        # The new gateways know what the old ones were told.
        keys = httpx.get(f"{new[0].pod.url(8080)}/admin/v1/keys", headers=admin_headers(new[0])).json()[
            "keys"
        ]
        assert [key["project"] for key in keys if key["project"] == "load"] == ["load"]


def _replace(
    stack: ExitStack, cluster: Cluster, endpoints: Endpoints, old: RunningPod, replica: int
) -> RunningPod:
    """Replace one pod as a Deployment with maxUnavailable 0 and maxSurge 1 does."""
    new = _start(stack, cluster, "gateway", replica)
    new.wait_for("readinessProbe", START_SECONDS)
    endpoints.add(new)
    ended = threading.Thread(target=old.delete)
    ended.start()
    time.sleep(PROPAGATION_SECONDS)
    endpoints.remove(old)
    ended.join(old.pod.grace)
    assert old.process.poll() == 0, old.log.read_text()
    return new


def _wait_serving(gateway: RunningPod, key: str) -> None:
    url = f"{gateway.pod.url(8080)}/v2/models/{MODEL}/ready"
    deadline = time.monotonic() + START_SECONDS
    while (status := httpx.get(url, headers={"X-API-Key": key}, trust_env=False).status_code) != 200:
        assert time.monotonic() < deadline, f"{url} says {status}:\n{gateway.log.read_text()}"
        time.sleep(0.1)


def _start(stack: ExitStack, cluster: Cluster, component: str, replica: int) -> RunningPod:
    pod = RunningPod(Pod(cluster, component, replica))
    stack.callback(pod.kill)
    return pod


def _values(database_url: str) -> dict[str, object]:
    return {
        "profile": "cpu",
        "gateway": {"replicas": 2, "drain": {"delaySeconds": DRAIN_DELAY}},
        "triton": {"preStopSeconds": 0},
        "modelRepository": {"accessModes": ["ReadWriteMany"]},
        "database": {"url": database_url},
    }

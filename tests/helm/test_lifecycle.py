"""How pods start and end, whatever the values: probes, hooks, grace periods, the order of an upgrade."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.helm.rendering import (
    SCENARIOS,
    Manifest,
    container_of,
    environment,
    find,
    manifests,
    pod_spec,
    pod_specs,
    scenario_values,
)

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
CLOSE_SECONDS = 5


@every_scenario
def test_a_pod_gets_the_time_its_drain_takes(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    gateway = pod_spec(objects, "gateway")
    settings = environment(container_of(gateway), [*objects, *_given_secrets(objects)])
    delay, timeout, deadline = (
        float(settings[f"TIDEGATE_{name}"]) for name in ("DRAIN_DELAY", "DRAIN_TIMEOUT", "REQUEST_TIMEOUT")
    )
    assert timeout >= deadline
    assert gateway["terminationGracePeriodSeconds"] >= delay + timeout + CLOSE_SECONDS
    # SIGTERM starts the drain; a hook would only put it off while load balancers still send.
    assert "lifecycle" not in container_of(gateway)

    triton = pod_spec(objects, "triton")
    hook = (
        container_of(triton)
        .get("lifecycle", {})
        .get("preStop", {})
        .get("exec", {})
        .get("command", ["sleep", "0"])
    )
    # Several words in one string would be one argument, and nothing would wait.
    assert hook[0] == "sleep"
    assert hook[1].isdigit()
    assert len(hook) == 2
    assert triton["terminationGracePeriodSeconds"] >= int(hook[1]) + deadline + CLOSE_SECONDS


@every_scenario
def test_no_gateway_goes_before_another_is_ready_where_several_can_be(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    strategy = find(objects, "Deployment", "-gateway")["spec"]["strategy"]
    database = "TIDEGATE_DATABASE_URL" in str(objects)
    assert strategy["type"] == ("RollingUpdate" if database else "Recreate")
    assert strategy.get("rollingUpdate", {}).get("maxUnavailable", 0) == 0
    budgets = {o["metadata"]["name"].rsplit("-", 1)[1] for o in objects if o["kind"] == "PodDisruptionBudget"}
    assert budgets == (set() if scenario.stem.startswith("open-network") else {"gateway", "triton"})


@every_scenario
def test_probes_ask_the_right_thing(scenario: Path) -> None:
    values = scenario_values(scenario)
    objects = manifests(values)
    gateway = _probes(container_of(pod_spec(objects, "gateway")))
    assert gateway == {
        "startupProbe": ("/livez", 8081),
        "livenessProbe": ("/livez", 8081),
        "readinessProbe": ("/readyz", 8081),
    }
    alive = ("/metrics", 8003) if values.get("profile") == "cpu" else ("/v2/health/live", 8000)
    assert _probes(container_of(pod_spec(objects, "triton"))) == {
        "startupProbe": ("/v2/health/live", 8000),
        "livenessProbe": alive,
        "readinessProbe": ("/v2/health/ready", 8000),
    }


def test_start_may_take_as_long_as_the_values_say() -> None:
    probe = container_of(pod_spec(manifests({"triton": {"startupTimeoutSeconds": 903}}), "triton"))[
        "startupProbe"
    ]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 903


def _probes(container: dict[str, Any]) -> dict[str, tuple[str, int]]:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return {
        name: (probe["httpGet"]["path"], ports[probe["httpGet"]["port"]])
        for name, probe in container.items()
        if name.endswith("Probe")
    }


def _given_secrets(objects: list[Manifest]) -> list[Manifest]:
    """Return the Secrets the objects refer to and somebody else makes."""
    made = {o["metadata"]["name"] for o in objects if o["kind"] == "Secret"}
    found: dict[str, dict[str, str]] = {}
    for _, spec in pod_specs(objects):
        for entry in container_of(spec)["env"]:
            reference = entry.get("valueFrom", {}).get("secretKeyRef")
            if reference and reference["name"] not in made:
                found.setdefault(reference["name"], {})[reference["key"]] = base64.b64encode(
                    b"given"
                ).decode()
    return [{"kind": "Secret", "metadata": {"name": name}, "data": data} for name, data in found.items()]

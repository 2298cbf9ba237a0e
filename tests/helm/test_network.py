"""Who may reach whom, whatever the values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helm.rendering import SCENARIOS, find, manifests, scenario_values

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


@every_scenario
def test_only_the_gateway_reaches_triton(scenario: Path) -> None:
    values = scenario_values(scenario)
    objects = manifests(values)
    if not values.get("networkPolicy", {}).get("enabled", True):
        assert not [o for o in objects if o["kind"] == "NetworkPolicy"]
        return
    triton = find(objects, "NetworkPolicy", "-triton")["spec"]
    assert sorted(triton["policyTypes"]) == ["Egress", "Ingress"]
    assert triton["egress"] == []
    openings = {port["port"]: rule["from"] for rule in triton["ingress"] for port in rule["ports"]}
    gateway = find(objects, "Deployment", "-gateway")["spec"]["selector"]["matchLabels"]
    assert openings[8000] == openings[8001] == [{"podSelector": {"matchLabels": gateway}}]
    cpu = values.get("profile") == "cpu"
    assert openings.keys() == {8000, 8001, 8002} | ({8003} if cpu else set())
    assert all(peers for peers in openings.values())


@every_scenario
def test_the_gateway_reaches_only_triton_dns_and_the_database(scenario: Path) -> None:
    values = scenario_values(scenario)
    if not values.get("networkPolicy", {}).get("enabled", True):
        return
    objects = manifests(values)
    gateway = find(objects, "NetworkPolicy", "-gateway")["spec"]
    assert sorted(gateway["policyTypes"]) == ["Egress", "Ingress"]
    goals = {port["port"]: rule.get("to") for rule in gateway["egress"] for port in rule["ports"]}
    database = {5432} if "database" in values else set()
    assert goals.keys() == {8000, 8001, 53} | database
    triton = find(objects, "Deployment", "-triton")["spec"]["selector"]["matchLabels"]
    assert goals[8000] == [{"podSelector": {"matchLabels": triton}}]
    openings = {port["port"]: rule.get("from") for rule in gateway["ingress"] for port in rule["ports"]}
    assert openings.keys() == {8080, 8081}
    assert openings[8081] == find(objects, "NetworkPolicy", "-triton")["spec"]["ingress"][1]["from"]


def test_the_test_pod_may_call_a_gateway_that_others_may_not() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]
    objects = manifests({"networkPolicy": {"gatewayFrom": peers, "prometheusFrom": []}})
    (opening,) = find(objects, "NetworkPolicy", "-gateway")["spec"]["ingress"]
    labels = find(objects, "Pod")["metadata"]["labels"]
    assert opening["from"] == [*peers, {"podSelector": {"matchLabels": labels}}]
    # Without a Prometheus nobody scrapes.
    (only,) = find(objects, "NetworkPolicy", "-triton")["spec"]["ingress"]
    assert {port["port"] for port in only["ports"]} == {8000, 8001}


def test_metrics_and_probes_are_not_published() -> None:
    objects = manifests({"gateway": {"ingress": {"enabled": True, "hosts": ["a.example"]}}})
    assert [p["targetPort"] for p in find(objects, "Service", "-gateway")["spec"]["ports"]] == ["http"]
    (rule,) = find(objects, "Ingress")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1", "/v2"]

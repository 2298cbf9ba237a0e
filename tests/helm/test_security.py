"""What holds whatever the values: restricted pods, closed networks, no default secret, drains that wait."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from gateway.controlplane import keys
from tests.helm.rendering import (
    CHART,
    SCENARIOS,
    Manifest,
    environment,
    find,
    manifests,
    pod_specs,
    scenario_values,
)

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
CLOSE_SECONDS = 5


@every_scenario
def test_pods_are_restricted(scenario: Path) -> None:
    """The "restricted" Pod Security Standard, and more."""
    specs = dict(pod_specs(manifests(scenario_values(scenario))))
    assert len(specs) == 3
    for name, spec in specs.items():
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 1000
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= {"emptyDir", "configMap", "persistentVolumeClaim"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container.get("ports", []))


@every_scenario
def test_accounts_carry_no_token(scenario: Path) -> None:
    accounts = [o for o in manifests(scenario_values(scenario)) if o["kind"] == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


@every_scenario
def test_shared_memory_is_a_sized_memory_volume(scenario: Path) -> None:
    triton = _pod(manifests(scenario_values(scenario)), "triton")
    (shm,) = (volume for volume in triton["volumes"] if volume["name"] == "shm")
    assert shm["emptyDir"]["medium"] == "Memory"
    assert re.fullmatch(r"\d+Gi", shm["emptyDir"]["sizeLimit"])
    assert {"name": "shm", "mountPath": "/dev/shm"} in _container(triton)["volumeMounts"]


@every_scenario
def test_the_model_repository_is_read_only_in_every_pod(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    for name in ("gateway", "triton"):
        spec = _pod(objects, name)
        (claim,) = (v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if v["name"] == "models")
        assert claim.endswith("models")
        (mount,) = (m for m in _container(spec)["volumeMounts"] if m["name"] == "models")
        assert mount["readOnly"] is True
        assert mount["mountPath"] == "/models"


def test_a_volume_of_one_node_keeps_both_pods_there() -> None:
    labels = find(manifests(), "Deployment", "-triton")["spec"]["selector"]["matchLabels"]
    (term,) = _pod(manifests(), "gateway")["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term == {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    own: dict[str, Any] = {"nodeAffinity": {}}
    cases: tuple[tuple[dict[str, Any], Any], ...] = (
        ({"modelRepository": {"accessModes": ["ReadWriteMany"]}}, None),
        ({"modelRepository": {"existingClaim": "models"}}, None),
        ({"gateway": {"affinity": own}}, own),
    )
    for values, affinity in cases:
        assert _pod(manifests(values), "gateway").get("affinity") == affinity


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


def test_secrets_are_random_long_and_of_the_form_the_gateway_takes() -> None:
    first, second = (_secrets(manifests()) for _ in range(2))
    assert first.keys() == {"triton-admin-secret", "key-pepper", "admin-key"}
    assert not set(first.values()) & set(second.values())
    assert keys.parse(first["admin-key"].encode()) is not None
    assert min(len(first["triton-admin-secret"]), len(first["key-pepper"])) >= 43


def test_secrets_that_exist_are_kept_and_missing_ones_made(tmp_path: Path) -> None:
    """An upgrade; without a cluster `lookup` finds nothing, so the test puts an answer in its place."""
    chart = tmp_path / "tidegate"
    shutil.copytree(CHART, chart)
    template = chart / "templates" / "secret.yaml"
    lookup = '(lookup "v1" "Secret" .Release.Namespace $name | default dict)'
    text = template.read_text()
    assert lookup in text
    template.write_text(text.replace(lookup, ".Values.global"))
    pepper = base64.b64encode(b"kept").decode()
    with helm_python.Chart.load(str(chart)) as loaded:
        rendered = loaded.render(
            {"global": {"data": {"key-pepper": pepper}}}, name="demo", namespace="serving"
        )
    secret = yaml.safe_load(rendered["tidegate/templates/secret.yaml"])
    values = _decoded(secret)
    assert values["key-pepper"] == "kept"
    assert len(values["triton-admin-secret"]) == 64
    assert keys.parse(values["admin-key"].encode()) is not None


def test_no_value_is_a_secret_by_default() -> None:
    text = (CHART / "values.yaml").read_text()
    assert not re.search(r"(?i)(password|secret|pepper|key):[ \t]*[\"']?\w{16,}", text)


def test_existing_secrets_are_used_and_none_is_made() -> None:
    objects = manifests(scenario_values(CHART / "ci" / "existing-values.yaml"))
    assert not [o for o in objects if o["kind"] in ("Secret", "PersistentVolumeClaim", "ServiceAccount")]
    references = {
        entry["name"]: (entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
        for _, spec in pod_specs(objects)
        for entry in _container(spec)["env"]
        if "valueFrom" in entry
    }
    assert references == {
        "TIDEGATE_TRITON_ADMIN_SECRET": ("tidegate-secrets", "triton"),
        "TIDEGATE_KEY_PEPPER": ("tidegate-secrets", "pepper"),
        "TIDEGATE_ADMIN_KEY": ("tidegate-secrets", "admin"),
        "TIDEGATE_DATABASE_URL": ("tidegate-database", "uri"),
    }


def test_triton_learns_no_secret_but_its_own() -> None:
    objects = manifests({"profile": "cpu"})
    container = _container(_pod(objects, "triton"))
    assert {name for name in environment(container, objects) if "TIDEGATE" in name} == {
        "TIDEGATE_TRITON_ADMIN_SECRET"
    }


@every_scenario
def test_no_secret_stands_in_an_object_that_is_no_secret(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    values = [value for o in objects if o["kind"] == "Secret" for value in _decoded(o).values()]
    others = str([o for o in objects if o["kind"] != "Secret"])
    assert not [value for value in values if value in others]


@every_scenario
def test_a_pod_gets_the_time_its_drain_takes(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    gateway = _pod(objects, "gateway")
    settings = environment(_container(gateway), [*objects, *_given_secrets(objects)])
    delay, timeout, deadline = (
        float(settings[f"TIDEGATE_{name}"]) for name in ("DRAIN_DELAY", "DRAIN_TIMEOUT", "REQUEST_TIMEOUT")
    )
    assert timeout >= deadline
    assert gateway["terminationGracePeriodSeconds"] >= delay + timeout + CLOSE_SECONDS
    # SIGTERM starts the drain; a hook would only put it off while load balancers still send.
    assert "lifecycle" not in _container(gateway)

    triton = _pod(objects, "triton")
    hook = (
        _container(triton)
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
    gateway = _probes(_container(_pod(objects, "gateway")))
    assert gateway == {
        "startupProbe": ("/livez", 8081),
        "livenessProbe": ("/livez", 8081),
        "readinessProbe": ("/readyz", 8081),
    }
    alive = ("/metrics", 8003) if values.get("profile") == "cpu" else ("/v2/health/live", 8000)
    assert _probes(_container(_pod(objects, "triton"))) == {
        "startupProbe": ("/v2/health/live", 8000),
        "livenessProbe": alive,
        "readinessProbe": ("/v2/health/ready", 8000),
    }


def test_start_may_take_as_long_as_the_values_say() -> None:
    probe = _container(_pod(manifests({"triton": {"startupTimeoutSeconds": 903}}), "triton"))["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 903


def _pod(objects: list[Manifest], name: str) -> dict[str, Any]:
    (spec,) = (spec for pod, spec in pod_specs(objects) if pod.endswith(name))
    return spec


def _container(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["containers"]
    assert isinstance(container, dict)
    return container


def _probes(container: dict[str, Any]) -> dict[str, tuple[str, int]]:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return {
        name: (probe["httpGet"]["path"], ports[probe["httpGet"]["port"]])
        for name, probe in container.items()
        if name.endswith("Probe")
    }


def _secrets(objects: list[Manifest]) -> dict[str, str]:
    return _decoded(find(objects, "Secret"))


def _decoded(secret: Manifest) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def _given_secrets(objects: list[Manifest]) -> list[Manifest]:
    """Return the Secrets the objects refer to and somebody else makes."""
    made = {o["metadata"]["name"] for o in objects if o["kind"] == "Secret"}
    found: dict[str, dict[str, str]] = {}
    for _, spec in pod_specs(objects):
        for entry in _container(spec)["env"]:
            reference = entry.get("valueFrom", {}).get("secretKeyRef")
            if reference and reference["name"] not in made:
                found.setdefault(reference["name"], {})[reference["key"]] = base64.b64encode(
                    b"given"
                ).decode()
    return [{"kind": "Secret", "metadata": {"name": name}, "data": data} for name, data in found.items()]

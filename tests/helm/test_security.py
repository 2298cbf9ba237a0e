"""What holds whatever the values: restricted pods, read-only models, no default secret."""

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
    container_of,
    environment,
    find,
    manifests,
    pod_spec,
    pod_specs,
    scenario_values,
)

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


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
    triton = pod_spec(manifests(scenario_values(scenario)), "triton")
    (shm,) = (volume for volume in triton["volumes"] if volume["name"] == "shm")
    assert shm["emptyDir"]["medium"] == "Memory"
    assert re.fullmatch(r"\d+Gi", shm["emptyDir"]["sizeLimit"])
    assert {"name": "shm", "mountPath": "/dev/shm"} in container_of(triton)["volumeMounts"]


@every_scenario
def test_the_model_repository_is_read_only_in_every_pod(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    for name in ("gateway", "triton"):
        spec = pod_spec(objects, name)
        (claim,) = (v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if v["name"] == "models")
        assert claim.endswith("models")
        (mount,) = (m for m in container_of(spec)["volumeMounts"] if m["name"] == "models")
        assert mount["readOnly"] is True
        assert mount["mountPath"] == "/models"


def test_a_volume_of_one_node_keeps_both_pods_there() -> None:
    labels = find(manifests(), "Deployment", "-triton")["spec"]["selector"]["matchLabels"]
    (term,) = pod_spec(manifests(), "gateway")["affinity"]["podAffinity"][
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
        assert pod_spec(manifests(values), "gateway").get("affinity") == affinity


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
        for entry in container_of(spec)["env"]
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
    container = container_of(pod_spec(objects, "triton"))
    assert {name for name in environment(container, objects) if "TIDEGATE" in name} == {
        "TIDEGATE_TRITON_ADMIN_SECRET"
    }


@every_scenario
def test_no_secret_stands_in_an_object_that_is_no_secret(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    values = [value for o in objects if o["kind"] == "Secret" for value in _decoded(o).values()]
    others = str([o for o in objects if o["kind"] != "Secret"])
    assert not [value for value in values if value in others]


def _secrets(objects: list[Manifest]) -> dict[str, str]:
    return _decoded(find(objects, "Secret"))


def _decoded(secret: Manifest) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}

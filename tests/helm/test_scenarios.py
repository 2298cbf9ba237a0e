"""Every install scenario passes Helm's strict lint and renders objects that the Kubernetes API accepts."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.helm.rendering import CHART, NAMESPACE, RELEASE, SCENARIOS, manifests, render, scenario_values

# The oldest release the chart supports, one in the middle, the newest known.
KUBERNETES_VERSIONS = ("1.27", "1.33", "1.37")
# Kinds that are no part of Kubernetes, so that no schema is there to check them with.
CUSTOM_KINDS = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
}

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


def test_scenarios_are_there() -> None:
    assert len(SCENARIOS) >= 7


@every_scenario
def test_lint_is_clean(scenario: Path) -> None:
    answer = helm_python.lint(str(CHART), scenario_values(scenario), strict=True)
    assert answer["errors"] == []
    # 1 is information: the chart has no icon.
    assert [message for message in answer["messages"] if message["severity"] > 1] == []


@every_scenario
@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_objects_are_valid(scenario: Path, version: str) -> None:
    for o in manifests(scenario_values(scenario)):
        _validate(o, version)


def test_the_validation_refuses_a_wrong_object() -> None:
    (deployment, *_) = (o for o in manifests() if o["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        _validate(deployment, KUBERNETES_VERSIONS[0])
    with pytest.raises(AssertionError, match="HorizontalPodAutoscaler"):
        _validate({"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler"}, "1.27")


@every_scenario
def test_names_are_unique_and_namespaced_by_the_release(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    names = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(set(names)) == len(names)
    prefix = scenario_values(scenario).get("fullnameOverride", f"{RELEASE}-tidegate")
    assert all(name.startswith(prefix) for _, name in names)
    assert all("namespace" not in o["metadata"] for o in objects)


@every_scenario
def test_selectors_select_exactly_their_component(scenario: Path) -> None:
    objects = manifests(scenario_values(scenario))
    pods = {
        o["metadata"]["name"]: o["metadata"]["labels"]
        if o["kind"] == "Pod"
        else o["spec"]["template"]["metadata"]["labels"]
        for o in objects
        if o["kind"] == "Pod" or "template" in o.get("spec", {})
    }
    for o in objects:
        if o["kind"] == "Service":
            selector = o["spec"]["selector"]
        elif o["kind"] in ("PodDisruptionBudget", "Deployment"):
            selector = o["spec"]["selector"]["matchLabels"]
        elif o["kind"] == "NetworkPolicy":
            selector = o["spec"]["podSelector"]["matchLabels"]
        else:
            continue
        selected = [name for name, labels in pods.items() if selector.items() <= labels.items()]
        component = "triton" if "-triton" in o["metadata"]["name"] else "gateway"
        assert [name.rsplit("-", 1)[1] for name in selected] == [component], o["metadata"]["name"]


@every_scenario
def test_notes_name_the_release(scenario: Path) -> None:
    (notes,) = (
        text for template, text in render(scenario_values(scenario)).items() if template.endswith("NOTES.txt")
    )
    assert f"helm -n {NAMESPACE} test {RELEASE}" in notes
    assert "<no value>" not in notes


def test_two_renders_differ_in_nothing_but_the_generated_secrets() -> None:
    first, second = ([o for o in manifests() if o["kind"] != "Secret"] for _ in range(2))
    assert first == second


def test_long_names_stay_valid() -> None:
    for o in manifests({"fullnameOverride": "a" * 60, "monitoring": {"dashboards": {"enabled": True}}}):
        assert len(o["metadata"]["name"]) <= 63


def test_the_package_leaves_the_scenarios_out(tmp_path: Path) -> None:
    archive = Path(helm_python.package(str(CHART), destination=str(tmp_path)))
    with helm_python.Chart.load(str(archive)) as chart:
        assert chart.render({}, name=RELEASE, namespace=NAMESPACE)
    with tarfile.open(archive) as content:
        names = content.getnames()
    assert "tidegate/values.schema.json" in names
    assert not [name for name in names if "/ci/" in name]


def _validate(o: dict[str, Any], version: str) -> None:
    try:
        kubernetes_validate.validate(o, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        kind = (o["apiVersion"], o["kind"])
        assert kind in CUSTOM_KINDS, f"Kubernetes {version} has no {kind}"

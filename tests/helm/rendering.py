"""The chart, rendered by the real Helm engine."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "tidegate"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE = "demo"
NAMESPACE = "serving"

Manifest = dict[str, Any]


def scenario_values(scenario: Path) -> dict[str, Any]:
    """Return the values of one install scenario."""
    values = yaml.safe_load(scenario.read_text())
    assert isinstance(values, dict), scenario
    return values


def render(values: dict[str, Any] | None = None) -> dict[str, str]:
    """Return the text of every template of one release."""
    with helm_python.Chart.load(str(CHART)) as chart:
        rendered: dict[str, str] = chart.render(
            copy.deepcopy(values or {}), name=RELEASE, namespace=NAMESPACE
        )
    return rendered


def manifests(values: dict[str, Any] | None = None) -> list[Manifest]:
    """Return every object of one release."""
    return [
        document
        for template, text in render(values).items()
        if not template.endswith("NOTES.txt")
        for document in yaml.safe_load_all(text)
        if document
    ]


def find(objects: list[Manifest], kind: str, name: str = "") -> Manifest:
    """Return the only object of that kind whose name ends with `name`."""
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(name)]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} end with {name!r}"
    return found[0]


def pod_specs(objects: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and pod spec of everything that becomes a pod."""
    for o in objects:
        if o["kind"] == "Pod":
            yield o["metadata"]["name"], o["spec"]
        elif "template" in o.get("spec", {}):
            yield o["metadata"]["name"], o["spec"]["template"]["spec"]


def pod_spec(objects: list[Manifest], name: str) -> dict[str, Any]:
    """Return the pod spec of the only thing that becomes a pod and whose name ends with `name`."""
    (spec,) = (spec for pod, spec in pod_specs(objects) if pod.endswith(name))
    return spec


def container_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the only container of a pod spec."""
    (container,) = spec["containers"]
    assert isinstance(container, dict)
    return container


def environment(container: dict[str, Any], objects: list[Manifest]) -> dict[str, str]:
    """Return a container's environment with the Secrets of the release filled in, as the kubelet does."""
    secrets = {
        o["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in o["data"].items()}
        for o in objects
        if o["kind"] == "Secret"
    }
    found = {}
    for entry in container.get("env", []):
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            found[entry["name"]] = secrets[reference["name"]][reference["key"]]
        else:
            found[entry["name"]] = entry["value"]
    return found

"""The chart's rules and dashboards are those of `monitoring/`, and arrive whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB
from tests.helm.rendering import CHART, ROOT, find, manifests

SCRIPT = ROOT / "helm" / "sync_monitoring.py"
EVERYTHING = {
    "profile": "cpu",
    "monitoring": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
}


def test_copies_are_current() -> None:
    answer = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_check_sees_a_change_a_gap_and_a_leftover(tmp_path: Path) -> None:
    (tmp_path / "helm").mkdir()
    script = tmp_path / "helm" / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    rules = tmp_path / "monitoring" / "rules"
    rules.mkdir(parents=True)
    (rules / "a.yaml").write_text("groups: []\n")
    copy = tmp_path / "helm" / "tidegate" / "files" / "rules" / "a.yaml"

    def run(*arguments: str) -> int:
        return subprocess.run(
            [sys.executable, script, *arguments], capture_output=True, check=False
        ).returncode

    assert run("--check") == 1
    assert not copy.exists()
    assert run() == 0
    assert copy.read_text() == "groups: []\n"
    assert run("--check") == 0
    copy.with_name("left.yaml").write_text("")
    assert run("--check") == 1
    assert run() == 0
    assert not copy.with_name("left.yaml").exists()
    (rules / "a.yaml").write_text("groups: [] # new\n")
    assert run("--check") == 1


def test_every_rule_arrives_unchanged() -> None:
    objects = [o for o in manifests(EVERYTHING) if o["kind"] == "PrometheusRule"]
    sources = sorted((CHART / "files" / "rules").glob("*.yaml"))
    assert sources
    assert [o["spec"] for o in objects] == [yaml.safe_load(source.read_text()) for source in sources]


def test_every_dashboard_arrives_unchanged() -> None:
    objects = [
        o
        for o in manifests(EVERYTHING)
        if o["kind"] == "ConfigMap" and "-dashboard-" in o["metadata"]["name"]
    ]
    sources = sorted((CHART / "files" / "dashboards").glob("*.json"))
    assert sources
    arrived = {name: json.loads(text) for o in objects for name, text in o["data"].items()}
    assert arrived == {source.name: json.loads(source.read_text()) for source in sources}
    assert all(o["metadata"]["labels"]["grafana_dashboard"] == "1" for o in objects)


def test_monitors_find_the_services_and_call_the_jobs_as_the_rules_do() -> None:
    objects = manifests(EVERYTHING)
    jobs = {}
    for monitor in (o for o in objects if o["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (
            o for o in objects if o["kind"] == "Service" and wanted.items() <= o["metadata"]["labels"].items()
        )
        ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
        for endpoint in monitor["spec"]["endpoints"]:
            (relabeling,) = endpoint["relabelings"]
            assert relabeling["targetLabel"] == "job"
            jobs[relabeling["replacement"]] = ports[endpoint["port"]]
    assert jobs == {GATEWAY_JOB: 8081, TRITON_JOB: 8002, SUPERVISOR_JOB: 8003}


def test_nothing_of_monitoring_is_there_unless_asked_for() -> None:
    objects = manifests()
    assert not [o for o in objects if o["apiVersion"].startswith("monitoring.coreos.com")]
    assert find(objects, "ConfigMap")["metadata"]["name"].endswith("-test")

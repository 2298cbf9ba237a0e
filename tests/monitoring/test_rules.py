"""The rule files: their form, their boundaries, their runbooks."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.config import BURN_RATES, RuleConfig
from monitoring.rules import RULES_DIRECTORY
from monitoring.rules.model import SEVERITIES
from tests.support.promql import (
    check_expressions,
    metric_names,
    needs_prometheus,
    panels_of,
    promtool,
    rules_of,
)

MONITORING = RULES_DIRECTORY.parent
UNIT_TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
RUNBOOKS = MONITORING / "runbooks"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
RECORDINGS = rules_of(RULES_DIRECTORY / "recording.yaml")
ALERTS = rules_of(RULES_DIRECTORY / "alerts.yaml")
ALERT_NAMES = sorted({alert["alert"] for alert in ALERTS})
COMPONENTS = ("Gateway", "Triton", "Supervisor", "Model", "Rollout")
SECTIONS = ("## Meaning", "## Impact", "## How to look", "## How to mend")


def seconds(duration: str) -> int:
    parts = re.findall(r"(\d+)([smhd])", duration)
    return sum(int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)


@needs_prometheus
def test_prometheus_takes_configuration_and_rules() -> None:
    said = promtool("check", "config", MONITORING / "prometheus.yml")
    assert f"{len(ALERTS)} rules found" in said
    assert f"{len(RECORDINGS)} rules found" in said


@needs_prometheus
@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_promtool_unit_tests(file: Path) -> None:
    promtool("test", "rules", file)


def test_every_alert_is_quiet_one_step_before_it_fires() -> None:
    steps_before: dict[str, set[float]] = defaultdict(set)
    for file in UNIT_TESTS:
        document = yaml.safe_load(file.read_text())
        for test in document["tests"]:
            asked = test.get("alert_rule_test", [])
            firing = [entry for entry in asked if entry.get("exp_alerts")]
            for entry in firing:
                quiet = [e for e in asked if not e.get("exp_alerts") and e["alertname"] == entry["alertname"]]
                fires = seconds(entry["eval_time"])
                step = seconds(document["evaluation_interval"])
                steps_before[entry["alertname"]] |= {(fires - seconds(e["eval_time"])) / step for e in quiet}
    for name in ALERT_NAMES:
        assert 1 in steps_before[name], f"{name} has no boundary test"
    assert set(steps_before) == set(ALERT_NAMES)


def test_every_burn_rate_row_has_a_boundary_test() -> None:
    expected = {
        (entry["alertname"], alert["exp_labels"]["long"])
        for file in (MONITORING / "tests").glob("slo*.yaml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for entry in test["alert_rule_test"]
        for alert in entry.get("exp_alerts", [])
    }
    names = ("GatewayErrorBudgetBurn", "GatewayLatencyBudgetBurn")
    assert expected == {(name, long) for name in names for long in ("1h", "6h", "1d", "3d")}
    assert len(BURN_RATES) == 4


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_form_of_alerts(alert: dict[str, Any]) -> None:
    name, annotations = alert["alert"], alert["annotations"]
    assert name.startswith(COMPONENTS)
    assert re.fullmatch(r"([A-Z][a-z]+){2,}", name)
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"{RuleConfig.runbook_base}/{name}.md"


def test_recordings_are_named_level_metric_operation_and_once() -> None:
    names = [rule["record"] for rule in RECORDINGS]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name)] == []


def test_recorded_series_that_rules_use_are_recorded() -> None:
    used = set().union(*(metric_names(rule["expr"]) for rule in [*RECORDINGS, *ALERTS]))
    recorded = {rule["record"] for rule in RECORDINGS}
    assert {name for name in used if ":" in name} <= recorded


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert sorted(file.stem for file in RUNBOOKS.glob("*.md")) == ALERT_NAMES


@needs_prometheus
@pytest.mark.parametrize("name", ALERT_NAMES)
def test_runbooks_are_whole_and_their_queries_parse(name: str, tmp_path: Path) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    positions = [text.index(f"\n{section}\n") for section in SECTIONS]
    assert positions == sorted(positions)
    queries = [
        q for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL) for q in block.split("\n") if q
    ]
    check_expressions(queries, tmp_path)
    shown = [
        target["expr"] for file in DASHBOARDS for panel in panels_of(file) for target in panel["targets"]
    ]
    shown += [rule["expr"] for rule in [*RECORDINGS, *ALERTS]]
    known = set().union(*map(metric_names, shown)) | {rule["record"] for rule in RECORDINGS}
    known |= {"process_start_time_seconds"}  # of the dashboards' annotations
    assert set().union(*map(metric_names, queries)) <= known

"""The guide tells what there is."""

from __future__ import annotations

import re
from pathlib import Path

from monitoring.config import BURN_RATES, GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB, format_duration
from monitoring.dashboards import DASHBOARDS_DIRECTORY
from monitoring.rules import RULES_DIRECTORY
from tests.support.promql import rules_of

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "monitoring.md").read_text()
ALERTS = rules_of(RULES_DIRECTORY / "alerts.yaml")


def test_every_alert_stands_in_the_guide_with_its_severities() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", GUIDE, re.MULTILINE))
    real: dict[str, set[str]] = {}
    for alert in ALERTS:
        real.setdefault(alert["alert"], set()).add(alert["labels"]["severity"])
    assert {name: set(text.split(", ")) for name, text in told.items()} == real


def test_the_burn_rates_are_the_real_ones() -> None:
    for row in BURN_RATES:
        cells = (row.severity, *map(format_duration, (row.long, row.short)), f"{row.factor:g}")
        assert f"| {' | '.join(cells)} | {format_duration(row.hold)} |" in GUIDE


def test_jobs_and_dashboards_stand_in_the_guide() -> None:
    for job in (GATEWAY_JOB, TRITON_JOB, SUPERVISOR_JOB):
        assert f"| `{job}` |" in GUIDE
    for file in DASHBOARDS_DIRECTORY.glob("*.json"):
        (title,) = re.findall(r'^  "title": "(.*)",$', file.read_text(), re.MULTILINE)
        assert f"| {title} |" in GUIDE

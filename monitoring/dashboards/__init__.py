"""Grafana dashboards, written in Python and kept as JSON beside it.

A new dashboard is a module and a line here; `python -m monitoring dashboards` writes the JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from monitoring.config import RuleConfig
from monitoring.dashboards import model, overview, triton
from monitoring.dashboards.builder import Dashboard

DASHBOARDS_DIRECTORY = Path(__file__).parent

DASHBOARDS: Mapping[str, Callable[[RuleConfig], Dashboard]] = {
    "overview.json": overview.dashboard,
    "model.json": model.dashboard,
    "triton.json": triton.dashboard,
}


def dashboard_files() -> dict[str, str]:
    """Return the JSON of each dashboard by its file name."""
    return {name: build(RuleConfig()).render() for name, build in DASHBOARDS.items()}

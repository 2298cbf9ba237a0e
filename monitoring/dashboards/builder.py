"""Grafana dashboards as frozen data, and their JSON. Only what our dashboards use of Grafana's model.

Positions are computed from the order of rows and the widths of panels, ids from the order alone, so that the
JSON of an unchanged dashboard is unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# Grafana 11; newer versions migrate on load.
SCHEMA_VERSION = 39
GRID_COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One PromQL expression and the legend of its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Threshold:
    """The colour from `value` upwards; None is the base colour."""

    value: float | None
    color: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: of the panel.
        description: what it shows and what to make of it.
        queries: at least one.
        unit: Grafana's unit id (`reqps`, `s`, `percentunit`, `bytes`, `short` …).
        kind: Grafana's panel type.
        width: of 24 columns.
        height: in grid units.
        stacked: whether the series of a time series add up.
        thresholds: colours by value.
        maximum: upper end of the axis, or None for automatic.
    """

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False
    thresholds: Sequence[Threshold] = (Threshold(None, "green"),)
    maximum: float | None = None

    def as_json(self, panel_id: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel at grid position (x, y)."""
        return {
            "id": panel_id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [self._target(index, query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
        }

    def _target(self, index: int, query: Query) -> dict[str, Any]:
        now = self.kind in ("stat", "table")
        return {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "instant": now,
            "range": not now,
            "format": "table" if self.kind == "table" else "time_series",
        }

    def _defaults(self) -> dict[str, Any]:
        steps = [{"value": step.value, "color": step.color} for step in self.thresholds]
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "min": 0,
            "thresholds": {"mode": "absolute", "steps": steps},
        }
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.kind == "timeseries":
            defaults["custom"] = {
                "fillOpacity": 20 if self.stacked else 0,
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "line" if len(self.thresholds) > 1 else "off"},
                "showPoints": "never",
            }
        return defaults

    def _options(self) -> dict[str, Any]:
        if self.kind == "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"}
        if self.kind == "timeseries":
            return {
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        return {}


@dataclass(frozen=True)
class Row:
    """A titled row of panels; panels wrap when their widths exceed the grid."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Variable:
    """A template variable filled from a label; several values may be chosen, all by default.

    Attributes:
        name: used as `$name` with `=~`.
        metric: selector whose series carry the label.
        label: label whose values are offered; the name by default.
    """

    name: str
    metric: str
    label: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the variable."""
        query = f"label_values({self.metric}, {self.label or self.name})"
        return {
            "name": self.name,
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": query, "refId": "A"},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


@dataclass(frozen=True)
class Annotation:
    """A mark on every panel wherever `expr` has a sample."""

    name: str
    expr: str
    title: str
    color: str

    def as_json(self) -> dict[str, Any]:
        """Return the annotation."""
        return {
            "name": self.name,
            "datasource": DATASOURCE,
            "enable": True,
            "iconColor": self.color,
            "expr": self.expr,
            "titleFormat": self.title,
            "step": "15s",
        }


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; `uid` never changes, links and bookmarks live on it."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    annotations: Sequence[Annotation] = ()
    tags: Sequence[str] = field(default=("tidegate",))

    def render(self) -> str:
        """Return the JSON Grafana provisions."""
        document = {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "15s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "",
            "templating": {"list": [_datasource_variable(), *(v.as_json() for v in self.variables)]},
            "annotations": {"list": [annotation.as_json() for annotation in self.annotations]},
            "links": [_links()],
            "panels": self._panels(),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def _panels(self) -> list[dict[str, Any]]:
        panels: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            position = {"x": 0, "y": y, "w": GRID_COLUMNS, "h": 1}
            panels.append(
                {
                    "id": len(panels) + 1,
                    "type": "row",
                    "title": row.title,
                    "collapsed": False,
                    "gridPos": position,
                }
                | {"panels": []}
            )
            y += 1
            x = line = 0
            for panel in row.panels:
                if x + panel.width > GRID_COLUMNS:
                    x, y, line = 0, y + line, 0
                panels.append(panel.as_json(len(panels) + 1, x, y))
                x, line = x + panel.width, max(line, panel.height)
            y += line
        return panels


def _datasource_variable() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }


def _links() -> dict[str, Any]:
    # Between our dashboards, keeping the time range and the chosen model.
    return {
        "title": "Tidegate",
        "type": "dashboards",
        "tags": ["tidegate"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }

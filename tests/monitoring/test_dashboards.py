"""The dashboards: what Grafana needs of them, and that every expression is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboards import DASHBOARDS, DASHBOARDS_DIRECTORY
from monitoring.dashboards.builder import Dashboard, Panel, Query, Row
from monitoring.rules import RULES_DIRECTORY
from tests.support.promql import (
    check_expressions,
    metric_names,
    needs_prometheus,
    panels_of,
    rules_of,
    without_variables,
)

FILES = [DASHBOARDS_DIRECTORY / name for name in DASHBOARDS]
# Links and bookmarks outside this repository live on these.
UIDS = {
    "overview.json": "tidegate-overview",
    "model.json": "tidegate-model",
    "triton.json": "tidegate-triton",
}
by_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def load(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def expressions(file: Path) -> list[str]:
    panels = [target["expr"] for panel in panels_of(file) for target in panel["targets"]]
    return panels + [annotation["expr"] for annotation in load(file)["annotations"]["list"]]


def test_uids_are_the_published_ones() -> None:
    assert {file.name: load(file)["uid"] for file in FILES} == UIDS


@needs_prometheus
@by_file
def test_expressions_parse(file: Path, tmp_path: Path) -> None:
    check_expressions(map(without_variables, expressions(file)), tmp_path)


@by_file
def test_recorded_series_exist(file: Path) -> None:
    recorded = {rule["record"] for rule in rules_of(RULES_DIRECTORY / "recording.yaml")}
    used = set().union(*(metric_names(expr) for expr in expressions(file)))
    assert {name for name in used if ":" in name} <= recorded


@by_file
def test_panels_say_what_they_show(file: Path) -> None:
    for panel in panels_of(file):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        if len(panel["targets"]) > 1:
            assert all(target["legendFormat"] != "__auto" for target in panel["targets"]), panel["title"]


@by_file
def test_no_data_source_is_fixed(file: Path) -> None:
    document = load(file)
    parts = [*document["annotations"]["list"], *panels_of(file)]
    parts += [target for panel in panels_of(file) for target in panel["targets"]]
    parts += [variable for variable in document["templating"]["list"] if variable["type"] == "query"]
    assert {part["datasource"]["uid"] for part in parts} == {"${datasource}"}
    assert document["templating"]["list"][0]["type"] == "datasource"


@by_file
def test_panels_do_not_overlap_and_ids_differ(file: Path) -> None:
    panels = load(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        position = panel["gridPos"]
        assert position["x"] + position["w"] <= 24
        for x in range(position["x"], position["x"] + position["w"]):
            for y in range(position["y"], position["y"] + position["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@by_file
def test_every_variable_used_is_defined(file: Path) -> None:
    defined = {variable["name"] for variable in load(file)["templating"]["list"]}
    for name in ("model", "version", "instance"):
        if any(f"${name}" in expr for expr in expressions(file)):
            assert name in defined


def test_wide_panels_wrap_below_the_highest_of_the_line() -> None:
    panels = [Panel(f"p{i}", "A panel.", [Query("up")], width=12, height=4 + i) for i in range(3)]
    document = json.loads(Dashboard("u", "t", "d.", [Row("r", panels), Row("s", panels[:1])]).render())
    placed = {panel["title"]: panel["gridPos"] for panel in document["panels"]}
    assert [document["panels"][i]["gridPos"]["y"] for i in (1, 2, 3)] == [1, 1, 6]
    assert placed["s"]["y"] == 12

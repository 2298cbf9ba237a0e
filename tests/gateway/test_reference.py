"""The reference pages say what the code says, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.metrics import Metrics
from gateway.settings import Settings, environment_name

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def setting_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{environment_name(name)}` | {default} | {field.description} |")
    return rows


def metric_rows() -> list[str]:
    rows = []
    for metric in vars(Metrics()).values():
        if hasattr(metric, "describe"):
            [family] = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(metric._labelnames)
            rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return rows


def table(page: str) -> list[str]:
    return [line for line in (REFERENCE / page).read_text().splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(
    ("page", "rows"), [("settings.md", setting_rows()), ("metrics.md", metric_rows())], ids=str
)
def test_every_row_is_there_and_no_other(page: str, rows: list[str]) -> None:
    """A missing row's text can be copied from the failure into the page."""
    written = table(page)
    assert [row for row in rows if row not in written] == []
    assert [row for row in written if row not in rows] == []


def test_metrics_use_only_bounded_labels() -> None:
    allowed = {"endpoint", "model", "version", "project", "protocol", "code"}
    for metric in vars(Metrics()).values():
        labels: tuple[Any, ...] = getattr(metric, "_labelnames", ())
        assert set(labels) <= allowed, metric


def test_secrets_are_of_a_type_that_hides_them() -> None:
    for name, field in Settings.model_fields.items():
        if {"secret", "pepper", "key"} & set(name.split("_")) and not name.endswith(("_file", "_timeout")):
            assert SecretStr.__name__ in str(field.annotation), name

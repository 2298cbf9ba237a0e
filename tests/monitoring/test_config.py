"""Durations and the scale of time."""

from __future__ import annotations

import re

import pytest

from monitoring.config import RuleConfig, format_duration
from monitoring.rules import rule_files


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (1, "1s"), (90, "90s"), (300, "5m"), (5400, "90m"), (3600, "1h"), (259200, "3d")],
)
def test_durations_as_prometheus_writes_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_duration_prometheus_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="is no duration"):
        format_duration(0.0001)


def test_the_scale_changes_durations_and_nothing_else() -> None:
    plain, scaled = rule_files(RuleConfig()), rule_files(RuleConfig(time_scale=1 / 30))
    assert "for: 2s" in scaled["alerts.yaml"]
    assert "[10s]" in scaled["recording.yaml"]
    duration = re.compile(r"\b\d+(ms|[smhd])\b|/ [\d.]+$", re.MULTILINE)
    for name, text in plain.items():
        assert text != scaled[name]
        assert duration.sub("T", text) == duration.sub("T", scaled[name])

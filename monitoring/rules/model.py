"""What a rule file is made of, and how it becomes the YAML Prometheus reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitoring.config import RuleConfig

SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Recording:
    """A recording rule; `record` is named `level:metric:operation`."""

    record: str
    expr: str


@dataclass(frozen=True)
class Alert:
    """An alerting rule, named `<Component><Condition>`.

    Attributes:
        name: also the name of its runbook.
        expr: PromQL.
        hold: unscaled seconds the condition must last; 0 fires at once.
        severity: `critical` wakes somebody, `warning` waits for working hours, `info` is for looking at.
        summary: one sentence.
        description: a sentence with the measured values.
        labels: besides the severity.
    """

    name: str
    expr: str
    hold: int
    severity: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.name}: severity {self.severity!r} is none of {', '.join(SEVERITIES)}.")


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together, in order; named after their component."""

    name: str
    rules: Sequence[Recording | Alert]


def render(groups: Sequence[Group], config: RuleConfig, header: str) -> str:
    """Return the YAML of a rule file; every alert gets its `runbook_url` here, so none can lack it."""
    rendered = [
        {"name": group.name, "rules": [_rule(rule, config) for rule in group.rules]} for group in groups
    ]
    # One line per sentence: folded strings are hard to search and to review.
    return header + yaml.dump({"groups": rendered}, Dumper=_Dumper, sort_keys=False, width=1000)


def _rule(rule: Recording | Alert, config: RuleConfig) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.record, "expr": rule.expr.strip()}
    return {
        "alert": rule.name,
        "expr": rule.expr.strip(),
        **({"for": config.duration(rule.hold)} if rule.hold else {}),
        "labels": {"severity": rule.severity, **rule.labels},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{config.runbook_base}/{rule.name}.md",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as blocks, so that they can be reviewed."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)

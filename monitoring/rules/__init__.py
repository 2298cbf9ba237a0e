"""Recording and alerting rules: what each file is made of, in order.

A new rule is a function in a module of this package; a new group is a line here as well.
`python -m monitoring rules` writes the YAML.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitoring.config import RuleConfig
from monitoring.rules import models, queue, rollout, slo, targets, triton
from monitoring.rules.model import Group, render

RULES_DIRECTORY = Path(__file__).parent

RECORDINGS: tuple[Callable[[RuleConfig], Group], ...] = (
    slo.recordings,
    models.recordings,
    triton.recordings,
    rollout.recordings,
)
ALERTS: tuple[Callable[[RuleConfig], Group], ...] = (
    targets.alerts,
    slo.alerts,
    models.alerts,
    queue.alerts,
    triton.alerts,
    rollout.alerts,
)

HEADER = "# Written by `python -m monitoring rules`; change the Python beside this file, not the file.\n"


def rule_files(config: RuleConfig) -> dict[str, str]:
    """Return the text of each rule file by its name."""
    return {
        "recording.yaml": render([group(config) for group in RECORDINGS], config, HEADER),
        "alerts.yaml": render([group(config) for group in ALERTS], config, HEADER),
    }

"""What all dashboards share: marks for restarts and rollouts, and colours."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.config import GATEWAY_JOB, TRITON_JOB, RuleConfig
from monitoring.dashboards.builder import Annotation, Panel, Query, Threshold

ANNOTATIONS = (
    Annotation(
        "Gateway restarts",
        f'changes(process_start_time_seconds{{job="{GATEWAY_JOB}"}}[1m]) > 0',
        "Gateway {{instance}} restarted",
        "yellow",
    ),
    Annotation(
        "Triton restarts",
        "increase(tidegate_embedded_triton_restarts_total[1m]) > 0",
        "Triton restarted",
        "red",
    ),
    Annotation(
        "Model process restarts",
        "increase(tidegate_embedded_model_process_restarts_total[1m]) > 0",
        "Process of {{model}} restarted",
        "orange",
    ),
    Annotation(
        "Rollout weight",
        "max by (model) (changes(tidegate_rollout_weight[1m])) > 0",
        "Weight of {{model}}'s candidate changed",
        "purple",
    ),
    Annotation(
        "Stable version changes",
        "max by (model, version) (tidegate_stable_version_info)\n"
        "unless max by (model, version) (tidegate_stable_version_info offset 1m)",
        "{{model}}: version {{version}} is stable",
        "blue",
    ),
)

UP_COLOURS = (Threshold(None, "red"), Threshold(1, "green"))


def error_colours(config: RuleConfig) -> tuple[Threshold, ...]:
    """Return the colours of an error share: the objective, then ten times it."""
    budget = round(1 - config.objectives.availability, 6)
    return (Threshold(None, "green"), Threshold(budget, "orange"), Threshold(10 * budget, "red"))


def limit_colours(limit: float) -> tuple[Threshold, ...]:
    """Return green below `limit` and red from it."""
    return (Threshold(None, "green"), Threshold(limit, "red"))


def up(job: str) -> str:
    """Return PromQL for the number of targets of `job` that answer."""
    return f'sum(up{{job="{job}"}})'


GATEWAY_UP = up(GATEWAY_JOB)
TRITON_UP = up(TRITON_JOB)


def stat_panel(
    title: str,
    description: str,
    queries: Sequence[Query],
    thresholds: Sequence[Threshold],
    unit: str = "short",
) -> Panel:
    """Return one of up to six figures in a row."""
    return Panel(
        title,
        description,
        queries,
        unit=unit,
        kind="stat",
        width=4,
        height=4,
        thresholds=thresholds,
    )

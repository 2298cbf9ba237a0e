"""Rollouts: the candidate against the stable version. Here alone is known how one shows in metrics.

The gateway tells the compared versions by `tidegate_stable_version_info` and
`tidegate_candidate_version_info{model, version}`, always 1, and that a rollout runs by the presence of
`tidegate_rollout_weight{model}`.
"""

from __future__ import annotations

from monitoring.config import RuleConfig
from monitoring.rules.model import Alert, Group, Recording

ALIASES = ("stable", "candidate")


def recordings(config: RuleConfig) -> Group:
    """Return error share, p99 and answers of the stable and the candidate version of each running rollout."""
    rules = [rule for alias in ALIASES for rule in _comparable(config, alias)]
    return Group("rollout-recording", rules)


def _comparable(config: RuleConfig, alias: str) -> list[Recording]:
    window = config.duration(config.holds.rate_window)
    member = f"* on (model, version) group_left () rollout:{alias}_version:info"
    answers = f"sum by (model, version) (rate(tidegate_requests_total[{window}]))"
    failed = f'sum by (model, version) (rate(tidegate_requests_total{{code=~"5.."}}[{window}]))'
    buckets = f"sum by (model, version, le) (rate(tidegate_request_duration_seconds_bucket[{window}]))"
    return [
        Recording(f"rollout:{alias}_version:info", _version(alias)),
        Recording(f"rollout:{alias}_requests:rate5m", f"sum by (model) ({answers} {member})"),
        Recording(
            f"rollout:{alias}_errors:ratio_rate5m",
            f"(sum by (model) ({failed} {member})\n  or 0 * rollout:{alias}_requests:rate5m)\n"
            f"/ (rollout:{alias}_requests:rate5m > 0)",
        ),
        Recording(
            f"rollout:{alias}_duration_seconds:p99_rate5m",
            f"sum by (model) (histogram_quantile(0.99, {buckets}) {member})",
        ),
    ]


def alerts(config: RuleConfig) -> Group:
    """Return the alerts that compare the candidate with stable while a rollout runs."""
    return Group("rollout", (_errors(config), _latency(config)))


def _errors(config: RuleConfig) -> Alert:
    limits = config.thresholds
    return Alert(
        "RolloutCandidateFailing",
        expr=f"rollout:candidate_errors:ratio_rate5m > {limits.candidate_error_ratio:g}\n"
        f"and rollout:candidate_errors:ratio_rate5m > {limits.candidate_error_factor:g} * "
        f"rollout:stable_errors:ratio_rate5m\n{_fair(config)}",
        hold=config.holds.rollout,
        severity="critical",
        summary="A rollout's candidate fails more often than stable.",
        description="{{ $value | humanizePercentage }} of {{ $labels.model }}'s candidate answers are 5xx, "
        f"more than {limits.candidate_error_factor:g} times stable's share.",
    )


def _latency(config: RuleConfig) -> Alert:
    limits = config.thresholds
    return Alert(
        "RolloutCandidateSlow",
        expr=f"rollout:candidate_duration_seconds:p99_rate5m > {limits.candidate_seconds:g}\n"
        f"and rollout:candidate_duration_seconds:p99_rate5m > {limits.candidate_latency_factor:g} * "
        f"rollout:stable_duration_seconds:p99_rate5m\n{_fair(config)}",
        hold=config.holds.rollout,
        severity="warning",
        summary="A rollout's candidate is slower than stable.",
        description="{{ $labels.model }}'s candidate has a p99 of {{ $value | humanizeDuration }}, more than "
        f"{limits.candidate_latency_factor:g} times stable's.",
    )


def _fair(config: RuleConfig) -> str:
    seconds = config.holds.rate_window * config.time_scale
    return f"and rollout:candidate_requests:rate5m >= {config.thresholds.candidate_requests} / {seconds:g}"


def _version(alias: str) -> str:
    """Return PromQL for 1 per (model, version) that `alias` names while a rollout runs there."""
    # max: every gateway replica says the same.
    return f"max by (model, version) (tidegate_{alias}_version_info)\nand on (model) tidegate_rollout_weight"

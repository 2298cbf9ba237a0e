"""The objectives: recorded ratios per window, and alerts on how fast the error budget goes."""

from __future__ import annotations

from monitoring.config import BurnRate, RuleConfig, format_duration
from monitoring.rules.model import Alert, Group, Recording


def recordings(config: RuleConfig) -> Group:
    """Return, per window of the table, the rate and the ratio of failed and of slow requests."""
    rules: list[Recording] = []
    for window in config.windows:
        rules += _availability_window(config, window) + _latency_window(config, window)
    return Group("gateway-slo-recording", rules)


def _availability_window(config: RuleConfig, window: int) -> list[Recording]:
    # The names keep production's windows under any time scale: alerts and dashboards refer to them.
    name, scaled = format_duration(window), config.duration(window)
    return [
        Recording(f"gateway:requests:rate{name}", f"sum(rate(tidegate_requests_total[{scaled}]))"),
        Recording(
            f"gateway:request_errors:rate{name}",
            # A 5xx has no series until it first happens: without the vector the ratio would be absent, not 0.
            f'sum(rate(tidegate_requests_total{{code=~"5.."}}[{scaled}])) or vector(0)',
        ),
        Recording(
            f"gateway:request_errors:ratio_rate{name}",
            f"gateway:request_errors:rate{name} / (gateway:requests:rate{name} > 0)",
        ),
    ]


def _latency_window(config: RuleConfig, window: int) -> list[Recording]:
    name, scaled = format_duration(window), config.duration(window)
    objectives = config.objectives
    series = "tidegate_request_duration_seconds"
    unary = f'protocol!~"{objectives.streaming_protocols}"'
    # prometheus-client writes 1.0, newer Prometheus servers store 1.
    bucket = f'le=~"{objectives.latency_seconds:g}(\\\\.0)?"'
    return [
        Recording(
            f"gateway:slow_requests:rate{name}",
            f"sum(rate({series}_count{{{unary}}}[{scaled}]))\n"
            f"- sum(rate({series}_bucket{{{unary}, {bucket}}}[{scaled}]))",
        ),
        Recording(
            f"gateway:slow_requests:ratio_rate{name}",
            f"gateway:slow_requests:rate{name}\n/ (sum(rate({series}_count{{{unary}}}[{scaled}])) > 0)",
        ),
    ]


def alerts(config: RuleConfig) -> Group:
    """Return one alert per row of the table and objective."""
    rules = [_burn(config, row) for row in config.burn_rates] + [
        _slow_burn(config, row) for row in config.burn_rates
    ]
    return Group("gateway-slo", rules)


def _burn(config: RuleConfig, row: BurnRate) -> Alert:
    return Alert(
        "GatewayErrorBudgetBurn",
        expr=_condition(config, row, "request_errors", 1 - config.objectives.availability),
        hold=row.hold,
        severity=row.severity,
        labels={"long": format_duration(row.long), "short": format_duration(row.short)},
        summary="The error budget burns too fast.",
        description=f"{{{{ $value | humanizePercentage }}}} of the requests in {format_duration(row.long)} "
        f"ended in a 5xx; more than {row.factor * (1 - config.objectives.availability):.2%} is too fast.",
    )


def _slow_burn(config: RuleConfig, row: BurnRate) -> Alert:
    objectives = config.objectives
    return Alert(
        "GatewayLatencyBudgetBurn",
        expr=_condition(config, row, "slow_requests", 1 - objectives.latency),
        hold=row.hold,
        severity="warning",
        labels={"long": format_duration(row.long), "short": format_duration(row.short)},
        summary="Too many requests are slow.",
        description=f"{{{{ $value | humanizePercentage }}}} of the requests in {format_duration(row.long)} "
        f"took longer than {objectives.latency_seconds:g} s; more than "
        f"{row.factor * (1 - objectives.latency):.2%} is too fast.",
    )


def _condition(config: RuleConfig, row: BurnRate, metric: str, budget: float) -> str:
    long, short = format_duration(row.long), format_duration(row.short)
    limit = f"{row.factor:g} * {budget:.6g}"
    events = f"{config.objectives.minimum_events} / {row.long * config.time_scale:g}"
    return (
        f"gateway:{metric}:ratio_rate{long} > {limit}\n"
        f"and gateway:{metric}:ratio_rate{short} > {limit}\n"
        f"and gateway:{metric}:rate{long} >= {events}"
    )

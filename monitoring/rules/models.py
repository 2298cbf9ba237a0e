"""Alerts on single models: a dead model process, calls that fail, a model nobody can call."""

from __future__ import annotations

from monitoring.config import RuleConfig
from monitoring.rules.model import Alert, Group, Recording


def recordings(config: RuleConfig) -> Group:
    """Return each model's rates as callers see them."""
    window = config.duration(config.holds.rate_window)
    buckets = f"sum by (model, le) (rate(tidegate_request_duration_seconds_bucket[{window}]))"
    quantiles = [
        Recording(
            f"model:request_duration_seconds:p{round(q * 100)}_rate5m", f"histogram_quantile({q}, {buckets})"
        )
        for q in (0.5, 0.95, 0.99)
    ]
    return Group(
        "models-recording",
        [
            Recording("model:requests:rate5m", f"sum by (model) (rate(tidegate_requests_total[{window}]))"),
            Recording(
                "model:request_errors:ratio_rate5m",
                f'(sum by (model) (rate(tidegate_requests_total{{code=~"5.."}}[{window}]))\n'
                "  or 0 * model:requests:rate5m)\n/ (model:requests:rate5m > 0)",
            ),
            *quantiles,
        ],
    )


def alerts(config: RuleConfig) -> Group:
    """Return the alerts on single models."""
    return Group(
        "models",
        (_process(config), _process_loop(config), _failing(config), _backend(config), _ready(config)),
    )


def _process(config: RuleConfig) -> Alert:
    return Alert(
        "ModelProcessDown",
        expr="tidegate_embedded_model_process_up == 0",
        hold=config.holds.process,
        severity="critical",
        summary="The process of a model is dead.",
        description="The process of {{ $labels.model }} died and the supervisor has not brought it back.",
    )


def _process_loop(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.restart_window)
    restarts = f"increase(tidegate_embedded_model_process_restarts_total[{window}])"
    return Alert(
        "ModelProcessRestarting",
        expr=f"{restarts} >= {config.thresholds.restarts}",
        hold=0,
        severity="warning",
        summary="The process of a model keeps dying.",
        description=f"{{{{ $value | humanize }}}} restarts of {{{{ $labels.model }}}} within {window}.",
    )


def _failing(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.fast_window)
    # A dead model process as every Triton shows it: READY, and yet no call succeeds.
    # bad_request are values that only the model can refuse, no fault of its own.
    return Alert(
        "ModelFailing",
        expr=f'sum by (model) (rate(tidegate_triton_failures_total{{code!="bad_request"}}[{window}])) > 0\n'
        f'unless sum by (model) (rate(tidegate_requests_total{{code="200"}}[{window}])) > 0',
        hold=config.holds.failing,
        severity="critical",
        summary="Every call of a model fails.",
        description="No call of {{ $labels.model }} succeeds; {{ $value | humanize }} calls/s fail.",
    )


def _backend(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.rate_window)
    return Alert(
        "TritonBackendFailures",
        expr=f'sum by (model, version) (rate(nv_inference_request_failure{{reason="BACKEND"}}[{window}]))\n'
        f"> {config.thresholds.backend_failures_per_second:g}",
        hold=config.holds.refusals,
        severity="warning",
        summary="A model's backend fails requests.",
        description="{{ $labels.model }} version {{ $labels.version }} fails {{ $value | humanize }}/s.",
    )


def _ready(config: RuleConfig) -> Alert:
    return Alert(
        "ModelNotReady",
        # Another version that serves is no reason to call: an old version unloads after every promotion.
        expr="max by (model) (tidegate_model_ready) == 0",
        hold=config.holds.not_ready,
        severity="critical",
        summary="A model is not served.",
        description="No version of {{ $labels.model }} is ready; its callers get 503.",
    )

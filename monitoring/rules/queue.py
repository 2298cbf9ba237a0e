"""Alerts on waiting: queues that grow, stall, or refuse."""

from __future__ import annotations

from monitoring.config import RuleConfig
from monitoring.rules.model import Alert, Group


def alerts(config: RuleConfig) -> Group:
    """Return the alerts on queues and refusals."""
    rules = (
        _growing(config),
        _stalled(config),
        _triton_stalled(config),
        _refusing(config),
        _rejecting(config),
        _credentials(config),
    )
    return Group("queue", rules)


def _growing(config: RuleConfig) -> Alert:
    holds, queued = config.holds, "sum by (model) (tidegate_queued_requests)"
    trend = f"{config.duration(holds.rate_window)}:{config.duration(holds.subquery_step)}"
    return Alert(
        "GatewayQueueGrowing",
        expr=f"{queued} > {config.thresholds.queue_length}\nand deriv({queued}[{trend}]) > 0",
        hold=holds.queue,
        severity="warning",
        summary="The queue of a model grows.",
        description="{{ $value }} requests wait for {{ $labels.model }} and their number rises.",
    )


def _stalled(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.fast_window)
    return Alert(
        "GatewayQueueStalled",
        expr="sum by (model) (tidegate_queued_requests) + sum by (model) (tidegate_in_flight_requests) > 0\n"
        f'unless sum by (model) (rate(tidegate_requests_total{{code="200"}}[{window}])) > 0',
        hold=config.holds.queue,
        severity="critical",
        summary="Requests of a model wait and none gets done.",
        description="{{ $value }} requests of {{ $labels.model }} are under way and none succeeded for "
        f"{window}; Triton or the model hangs.",
    )


def _triton_stalled(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.fast_window)
    return Alert(
        "TritonQueueStalled",
        # Also sees requests that went to Triton directly, past the gateway.
        expr="sum by (instance, model) (nv_inference_pending_request_count) > 0\n"
        f"unless sum by (instance, model) (rate(nv_inference_exec_count[{window}])) > 0",
        hold=config.holds.queue,
        severity="critical",
        summary="Requests wait inside Triton and nothing executes.",
        description="{{ $value }} requests of {{ $labels.model }} wait in Triton at {{ $labels.instance }}.",
    )


def _refusing(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.rate_window)
    return Alert(
        "GatewayRefusing",
        expr=f'sum by (model) (rate(tidegate_refusals_total{{code="overloaded"}}[{window}]))\n'
        f"/ sum by (model) (rate(tidegate_requests_total[{window}]))\n"
        f"> {config.thresholds.refused_share:g}",
        hold=config.holds.refusals,
        severity="warning",
        summary="A model has more requests than room.",
        description="{{ $labels.model }} refuses {{ $value | humanizePercentage }} of its requests with 503.",
    )


def _rejecting(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.rate_window)
    failed = f"sum by (model) (rate(nv_inference_request_failure[{window}]))"
    return Alert(
        "TritonRejecting",
        expr=f'sum by (model) (rate(nv_inference_request_failure{{reason="REJECTED"}}[{window}]))\n'
        f"/ ({failed} + sum by (model) (rate(nv_inference_request_success[{window}])))\n"
        f"> {config.thresholds.refused_share:g}",
        hold=config.holds.refusals,
        severity="warning",
        summary="Triton's own queue is full or times out.",
        description="Triton rejects {{ $value | humanizePercentage }} of {{ $labels.model }}'s requests.",
    )


def _credentials(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.rate_window)
    return Alert(
        "GatewayAuthFailures",
        expr=f"sum by (code) (rate(tidegate_auth_failures_total[{window}]))\n"
        f"> {config.thresholds.auth_failures_per_second:g}",
        hold=config.holds.slow_symptom,
        severity="info",
        summary="Many requests carry no valid key or scope.",
        description="{{ $value | humanize }} requests/s are refused as {{ $labels.code }}.",
    )

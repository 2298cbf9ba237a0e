"""Is the service all right? One screen, no model chosen."""

from __future__ import annotations

from monitoring.config import GATEWAY_JOB, RuleConfig
from monitoring.dashboards.builder import Dashboard, Panel, Query, Row
from monitoring.dashboards.common import (
    ANNOTATIONS,
    GATEWAY_UP,
    TRITON_UP,
    UP_COLOURS,
    error_colours,
    limit_colours,
    stat_panel,
)


def dashboard(config: RuleConfig) -> Dashboard:
    """Return the overview."""
    return Dashboard(
        uid="tidegate-overview",
        title="Tidegate / Overview",
        description="State, objectives and traffic of the whole service.",
        rows=(_state(config), _traffic(config), _latency(), _refused(config), _process()),
        annotations=ANNOTATIONS,
    )


def _state(config: RuleConfig) -> Row:
    availability = config.objectives.availability
    served = "count(max by (model) (tidegate_model_ready) == 1) or vector(0)"
    firing = 'sum(ALERTS{alertstate="firing", severity=~"critical|warning"}) or vector(0)'
    burn = f"gateway:request_errors:ratio_rate1h / {round(1 - availability, 6):g}"
    burning = limit_colours(config.burn_rates[0].factor)
    return Row(
        "State",
        (
            stat_panel("Gateways up", "Gateways that answer Prometheus.", [Query(GATEWAY_UP)], UP_COLOURS),
            stat_panel("Tritons up", "Tritons that answer Prometheus.", [Query(TRITON_UP)], UP_COLOURS),
            stat_panel(
                "Models served", "Models with at least one ready version.", [Query(served)], UP_COLOURS
            ),
            stat_panel(
                "Alerts firing",
                "Critical and warning alerts; each has a page in monitoring/runbooks.",
                [Query(firing)],
                limit_colours(1),
            ),
            stat_panel(
                "Errors, 3 days",
                f"Share of requests answered with a 5xx; the objective allows {1 - availability:.1%}.",
                [Query("gateway:request_errors:ratio_rate3d")],
                error_colours(config),
                unit="percentunit",
            ),
            stat_panel(
                "Error budget burn, 1 hour",
                "1 spends exactly the budget of 30 days in 30 days; red wakes somebody.",
                [Query(burn)],
                burning,
            ),
        ),
    )


def _traffic(config: RuleConfig) -> Row:
    return Row(
        "Traffic",
        (
            Panel(
                "Requests by status",
                "Answers per second by HTTP status.",
                [Query("sum by (code) (rate(tidegate_requests_total[$__rate_interval]))", "{{code}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Requests by model",
                "Answers per second; `unknown` is what named no model we serve.",
                [Query("sum by (model) (rate(tidegate_requests_total[$__rate_interval]))", "{{model}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Error share",
                "Share of 5xx; the lines are the objective and ten times it.",
                [
                    Query("gateway:request_errors:ratio_rate5m", "5 minutes"),
                    Query("gateway:request_errors:ratio_rate1h", "1 hour"),
                ],
                unit="percentunit",
                thresholds=error_colours(config),
            ),
        ),
    )


def _latency() -> Row:
    overhead = "sum by (le) (rate(tidegate_gateway_overhead_seconds_bucket[$__rate_interval]))"
    latency = "sum by (le) (rate(tidegate_request_duration_seconds_bucket[$__rate_interval]))"
    quantiles = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    return Row(
        "Latency",
        (
            Panel(
                "Request duration",
                "From a request's headers to the end of its answer, all models.",
                [Query(f"histogram_quantile({q}, {latency})", name) for q, name in quantiles],
                unit="s",
            ),
            Panel(
                "Gateway overhead",
                "The part spent in the gateway itself: not receiving the body, not queued, not in Triton.",
                [Query(f"histogram_quantile({q}, {overhead})", name) for q, name in quantiles],
                unit="s",
            ),
            Panel(
                "Body bytes",
                "Bytes of request bodies received and answer bodies sent.",
                [
                    Query("sum(rate(tidegate_request_body_bytes_total[$__rate_interval]))", "received"),
                    Query("sum(rate(tidegate_response_body_bytes_total[$__rate_interval]))", "sent"),
                ],
                unit="Bps",
            ),
        ),
    )


def _refused(config: RuleConfig) -> Row:
    return Row(
        "Refused and waiting",
        (
            Panel(
                "Refusals",
                "Requests not sent to Triton, by error code.",
                [Query("sum by (code) (rate(tidegate_refusals_total[$__rate_interval]))", "{{code}}")],
                unit="reqps",
            ),
            Panel(
                "Without valid key or scope",
                "Requests refused before anything else was looked at.",
                [Query("sum by (code) (rate(tidegate_auth_failures_total[$__rate_interval]))", "{{code}}")],
                unit="reqps",
                thresholds=limit_colours(config.thresholds.auth_failures_per_second),
            ),
            Panel(
                "Waiting in the gateway",
                "Requests waiting for a place at their model.",
                [Query("sum by (model) (tidegate_queued_requests)", "{{model}}")],
                thresholds=limit_colours(config.thresholds.queue_length),
            ),
        ),
    )


def _process() -> Row:
    job = f'job="{GATEWAY_JOB}"'
    return Row(
        "Gateway processes",
        (
            Panel(
                "CPU",
                "Cores in use by each gateway; one is all a gateway can use.",
                [Query(f"rate(process_cpu_seconds_total{{{job}}}[$__rate_interval])", "{{instance}}")],
                thresholds=limit_colours(1),
            ),
            Panel(
                "Memory",
                "Resident memory of each gateway; it should be flat under steady load.",
                [Query(f"process_resident_memory_bytes{{{job}}}", "{{instance}}")],
                unit="bytes",
            ),
            Panel(
                "File descriptors",
                "Share of the limit in use; connections that leak show here first.",
                [Query(f"process_open_fds{{{job}}} / process_max_fds{{{job}}}", "{{instance}}")],
                unit="percentunit",
                maximum=1,
            ),
        ),
    )

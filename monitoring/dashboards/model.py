"""One model, or several: what callers see, where the time goes, and how a rollout fares."""

from __future__ import annotations

from monitoring.config import RuleConfig
from monitoring.dashboards.builder import Dashboard, Panel, Query, Row, Variable
from monitoring.dashboards.common import ANNOTATIONS, UP_COLOURS, error_colours, limit_colours
from monitoring.rules.rollout import ALIASES

CHOSEN = 'model=~"$model"'
WEIGHT = 'max by (model) (tidegate_rollout_weight{model=~"$model"})'
DEPLOYS = 'sum by (model, code) (increase(tidegate_deploys_total{model=~"$model"}[1h]))'
CHOSEN_VERSION = 'model=~"$model", version=~"$version"'
REQUESTS = f"rate(tidegate_requests_total{{{CHOSEN_VERSION}}}[$__rate_interval])"


def dashboard(config: RuleConfig) -> Dashboard:
    """Return the dashboard of a model."""
    return Dashboard(
        uid="tidegate-model",
        title="Tidegate / Model",
        description="A model as its callers and Triton see it.",
        rows=(_callers(config), _versions(), _time(), _waiting(config), _rollout(config)),
        variables=(
            Variable("model", "tidegate_model_ready"),
            Variable("version", 'tidegate_model_ready{model=~"$model"}'),
        ),
        annotations=ANNOTATIONS,
    )


def _callers(config: RuleConfig) -> Row:
    buckets = f"rate(tidegate_request_duration_seconds_bucket{{{CHOSEN_VERSION}}}[$__rate_interval])"
    return Row(
        "What callers see",
        (
            Panel(
                "Requests by version and status",
                "Answers per second.",
                [Query(f"sum by (model, version, code) ({REQUESTS})", "{{model}} v{{version}} {{code}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Error share",
                "Share of 5xx over five minutes, all versions.",
                [Query(f"model:request_errors:ratio_rate5m{{{CHOSEN}}}", "{{model}}")],
                unit="percentunit",
                thresholds=error_colours(config),
            ),
            Panel(
                "Request duration",
                "From a request's headers to the end of its answer.",
                [
                    Query(
                        f"histogram_quantile({q}, sum by (model, version, le) ({buckets}))",
                        f"{{{{model}}}} v{{{{version}}}} {name}",
                    )
                    for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
                ],
                unit="s",
            ),
        ),
    )


def _versions() -> Row:
    ready = f"max by (model, version) (tidegate_model_ready{{{CHOSEN_VERSION}}})"
    return Row(
        "Who calls what",
        (
            Panel(
                "Requests by project",
                "Who calls.",
                [Query(f"sum by (project) ({REQUESTS})", "{{project}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Requests by protocol",
                "How they call.",
                [Query(f"sum by (protocol) ({REQUESTS})", "{{protocol}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Ready",
                "1 for every version that is served.",
                [Query(ready, "{{model}} v{{version}}")],
                thresholds=UP_COLOURS,
                maximum=1,
            ),
        ),
    )


def _time() -> Row:
    phases = ("queue", "compute_input", "compute_infer", "compute_output")
    return Row(
        "Where the time goes",
        (
            Panel(
                "Inside Triton",
                "Mean seconds a request spends in each phase; the input and output phases copy tensors.",
                [
                    Query(
                        f"model:triton_{phase}_seconds:mean5m{{{CHOSEN_VERSION}}}",
                        f"{{{{model}}}} v{{{{version}}}} {phase}",
                    )
                    for phase in phases
                ],
                unit="s",
                stacked=True,
            ),
            Panel(
                "Mean batch",
                "Inferences per execution: 1 means dynamic batching finds nothing to merge.",
                [Query(f"model:triton_batch_size:mean5m{{{CHOSEN_VERSION}}}", "{{model}} v{{version}}")],
            ),
            Panel(
                "Busy instances",
                "Instances executing on average; near the instance count the model is saturated.",
                [Query(f"model:triton_busy_instances:rate5m{{{CHOSEN_VERSION}}}", "{{model}} v{{version}}")],
            ),
        ),
    )


def _waiting(config: RuleConfig) -> Row:
    waited = f"rate(tidegate_queue_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval])"
    return Row(
        "Waiting and failing",
        (
            Panel(
                "In Triton and waiting",
                "Requests inside Triton, and requests waiting in the gateway for a place there.",
                [
                    Query(f"sum by (model) (tidegate_in_flight_requests{{{CHOSEN}}})", "{{model}} in Triton"),
                    Query(f"sum by (model) (tidegate_queued_requests{{{CHOSEN}}})", "{{model}} waiting"),
                ],
                thresholds=limit_colours(config.thresholds.queue_length),
            ),
            Panel(
                "Time waiting in the gateway",
                "95 % of the requests waited no longer.",
                [Query(f"histogram_quantile(0.95, sum by (model, le) ({waited}))", "{{model}}")],
                unit="s",
            ),
            Panel(
                "Refused and failed",
                "Requests refused by the gateway, and calls to Triton that gave no usable answer.",
                [
                    Query(
                        f"sum by (model, code) (rate({metric}{{{CHOSEN}}}[$__rate_interval]))",
                        f"{{{{model}}}} {word}: {{{{code}}}}",
                    )
                    for metric, word in (
                        ("tidegate_refusals_total", "refused"),
                        ("tidegate_triton_failures_total", "failed"),
                    )
                ],
                unit="reqps",
            ),
        ),
    )


def _rollout(config: RuleConfig) -> Row:
    def pair(metric: str) -> list[Query]:
        return [Query(f"rollout:{alias}_{metric}{{{CHOSEN}}}", f"{{{{model}}}} {alias}") for alias in ALIASES]

    return Row(
        "Rollout",
        (
            Panel(
                "Candidate's weight",
                "Percent of the requests that the candidate answers.",
                [Query(WEIGHT, "{{model}}")],
                unit="percent",
                maximum=100,
            ),
            Panel("Answers", "Answers per second of each side.", pair("requests:rate5m"), unit="reqps"),
            Panel(
                "Error share",
                "Share of 5xx of each side.",
                pair("errors:ratio_rate5m"),
                unit="percentunit",
                thresholds=limit_colours(config.thresholds.candidate_error_ratio),
            ),
            Panel(
                "p99", "99 % of the answers took no longer.", pair("duration_seconds:p99_rate5m"), unit="s"
            ),
        ),
    )

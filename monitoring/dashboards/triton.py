"""Triton itself: its requests, its processes and its machine."""

from __future__ import annotations

from monitoring.config import TRITON_JOB, RuleConfig
from monitoring.dashboards.builder import Dashboard, Panel, Query, Row, Variable
from monitoring.dashboards.common import ANNOTATIONS, TRITON_UP, UP_COLOURS, limit_colours

# Five panels of one row.
PROCESS_WIDTH = 24 // 5
CHOSEN = 'instance=~"$instance"'


def dashboard(config: RuleConfig) -> Dashboard:
    """Return the dashboard of Triton."""
    return Dashboard(
        uid="tidegate-triton",
        title="Tidegate / Triton",
        description="Triton's own counters, whoever called it.",
        rows=(_processes(config), _requests(config), _machine(), _gpu(config)),
        variables=(Variable("instance", f'up{{job="{TRITON_JOB}"}}'),),
        annotations=ANNOTATIONS,
    )


def _processes(config: RuleConfig) -> Row:
    limit = limit_colours(config.thresholds.restarts)
    return Row(
        "Processes",
        (
            Panel(
                "Tritons up",
                "Tritons that answer Prometheus.",
                [Query(TRITON_UP)],
                kind="stat",
                width=PROCESS_WIDTH,
                height=4,
                thresholds=UP_COLOURS,
            ),
            Panel(
                "Answers",
                "Whether Triton answers its gateways and, if it is an embedded one, its supervisor.",
                [
                    Query("tidegate_triton_up", "gateway {{instance}}"),
                    Query("tidegate_embedded_triton_up", "supervisor {{instance}}"),
                ],
                kind="stat",
                width=PROCESS_WIDTH,
                height=4,
                thresholds=UP_COLOURS,
            ),
            Panel(
                "Model processes",
                "Only an embedded Triton: whether the process of each model lives.",
                [Query("min by (model) (tidegate_embedded_model_process_up)", "{{model}}")],
                kind="stat",
                width=PROCESS_WIDTH,
                height=4,
                thresholds=UP_COLOURS,
            ),
            Panel(
                "Triton restarts, 1 hour",
                "Only an embedded Triton: restarts by its supervisor.",
                [Query("sum(increase(tidegate_embedded_triton_restarts_total[1h]))")],
                kind="stat",
                width=PROCESS_WIDTH,
                height=4,
                thresholds=limit,
            ),
            Panel(
                "Model process restarts, 1 hour",
                "Only an embedded Triton: model processes brought back by its supervisor.",
                [Query("sum(increase(tidegate_embedded_model_process_restarts_total[1h])) or vector(0)")],
                kind="stat",
                width=PROCESS_WIDTH,
                height=4,
                thresholds=limit,
            ),
        ),
    )


def _requests(config: RuleConfig) -> Row:
    def rate(metric: str) -> str:
        return f"rate({metric}{{{CHOSEN}}}[$__rate_interval])"

    return Row(
        "Requests",
        (
            Panel(
                "Successful requests",
                "Requests answered per second.",
                [
                    Query(
                        f"sum by (model, version) ({rate('nv_inference_request_success')})",
                        "{{model}} v{{version}}",
                    )
                ],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Failed requests",
                "By reason: REJECTED is a full or timed-out queue, BACKEND a failing model.",
                [
                    Query(
                        f"sum by (model, reason) ({rate('nv_inference_request_failure')})",
                        "{{model}} {{reason}}",
                    )
                ],
                unit="reqps",
            ),
            Panel(
                "Pending",
                "Requests queued in Triton, not yet executing.",
                [Query(f"sum by (model) (nv_inference_pending_request_count{{{CHOSEN}}})", "{{model}}")],
                thresholds=limit_colours(config.thresholds.queue_length),
            ),
            Panel(
                "Executions and inferences",
                "Their ratio is the mean batch.",
                [
                    Query(f"sum by (model) ({rate('nv_inference_exec_count')})", "{{model}} executions"),
                    Query(f"sum by (model) ({rate('nv_inference_count')})", "{{model}} inferences"),
                ],
                unit="ops",
            ),
            Panel(
                "Mean request duration",
                "Inside Triton, queue included.",
                [
                    Query(
                        f"sum by (model, version) ({rate('nv_inference_request_duration_us')}) / 1e6\n"
                        f"/ (sum by (model, version) ({rate('nv_inference_request_success')}) > 0)",
                        "{{model}} v{{version}}",
                    )
                ],
                unit="s",
            ),
            Panel(
                "Mean queue time",
                "Seconds a request waits inside Triton for an instance.",
                [
                    Query(
                        f"sum by (model, version) ({rate('nv_inference_queue_duration_us')}) / 1e6\n"
                        f"/ (sum by (model, version) ({rate('nv_inference_request_success')}) > 0)",
                        "{{model}} v{{version}}",
                    )
                ],
                unit="s",
            ),
        ),
    )


def _machine() -> Row:
    return Row(
        "Machine",
        (
            Panel(
                "CPU",
                "Share of the machine's CPU in use, by anything.",
                [Query(f"nv_cpu_utilization{{{CHOSEN}}}", "{{instance}}")],
                unit="percentunit",
                maximum=1,
            ),
            Panel(
                "Memory",
                "Of the machine.",
                [
                    Query(f"nv_cpu_memory_used_bytes{{{CHOSEN}}}", "{{instance}} used"),
                    Query(f"nv_cpu_memory_total_bytes{{{CHOSEN}}}", "{{instance}} total"),
                ],
                unit="bytes",
            ),
            Panel(
                "Pinned memory pool",
                "Host memory for copies to and from GPUs.",
                [
                    Query(f"nv_pinned_memory_pool_used_bytes{{{CHOSEN}}}", "{{instance}} used"),
                    Query(f"nv_pinned_memory_pool_total_bytes{{{CHOSEN}}}", "{{instance}} total"),
                ],
                unit="bytes",
            ),
        ),
    )


def _gpu(config: RuleConfig) -> Row:
    return Row(
        "GPU (empty on the CPU)",
        (
            Panel(
                "GPU utilisation",
                "Share of time with work on the GPU; lags behind queues, so do not scale on it.",
                [Query(f"nv_gpu_utilization{{{CHOSEN}}}", "{{gpu_uuid}}")],
                unit="percentunit",
                maximum=1,
            ),
            Panel(
                "GPU memory",
                "Used share of each GPU.",
                [
                    Query(
                        f"nv_gpu_memory_used_bytes{{{CHOSEN}}} / nv_gpu_memory_total_bytes{{{CHOSEN}}}",
                        "{{gpu_uuid}}",
                    )
                ],
                unit="percentunit",
                maximum=1,
                thresholds=limit_colours(config.thresholds.gpu_memory_share),
            ),
            Panel(
                "GPU power",
                "Watts drawn; the limit is the card's.",
                [
                    Query(f"nv_gpu_power_usage{{{CHOSEN}}}", "{{gpu_uuid}}"),
                    Query(f"nv_gpu_power_limit{{{CHOSEN}}}", "{{gpu_uuid}} limit"),
                ],
                unit="watt",
            ),
        ),
    )

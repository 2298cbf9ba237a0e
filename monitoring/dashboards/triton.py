"""Triton itself: its requests, its processes and its machine."""

from __future__ import annotations

from monitoring.config import TRITON_JOB, RuleConfig
from monitoring.dashboards.builder import Dashboard, Panel, Query, Row, Variable
from monitoring.dashboards.common import ANNOTATIONS, TRITON_UP, UP_COLOURS, limit_colours, stat_panel

CHOSEN = 'instance=~"$instance"'
VERSION = "{{model}} v{{version}}"


def dashboard(config: RuleConfig) -> Dashboard:
    """Return the dashboard of Triton."""
    return Dashboard(
        uid="tidegate-triton",
        title="Tidegate / Triton",
        description="Triton's own counters, whoever called it.",
        rows=(_processes(config), _requests(config), _executions(), _machine(), _gpu(config)),
        variables=(Variable("instance", f'up{{job="{TRITON_JOB}"}}'),),
        annotations=ANNOTATIONS,
    )


def _processes(config: RuleConfig) -> Row:
    limit = limit_colours(config.thresholds.restarts)
    answers = [
        Query("tidegate_triton_up", "gateway {{instance}}"),
        Query("tidegate_embedded_triton_up", "supervisor {{instance}}"),
    ]
    alive = [Query("min by (model) (tidegate_embedded_model_process_up)", "{{model}}")]
    restarts = [Query("sum(increase(tidegate_embedded_triton_restarts_total[1h]))")]
    replaced = [Query("sum(increase(tidegate_embedded_model_process_restarts_total[1h])) or vector(0)")]
    return Row(
        "Processes",
        (
            stat_panel("Tritons up", "Tritons that answer Prometheus.", [Query(TRITON_UP)], UP_COLOURS),
            stat_panel("Answers", "Whether Triton answers gateway and supervisor.", answers, UP_COLOURS),
            stat_panel("Model processes", "Embedded only: whether each lives.", alive, UP_COLOURS),
            stat_panel("Triton restarts, 1 hour", "Embedded only: by the supervisor.", restarts, limit),
            stat_panel("Process restarts, 1 hour", "Embedded only: model processes.", replaced, limit),
        ),
    )


def _requests(config: RuleConfig) -> Row:
    pending = f"sum by (model) (nv_inference_pending_request_count{{{CHOSEN}}})"
    return Row(
        "Requests",
        (
            Panel(
                "Successful requests",
                "Requests answered per second.",
                [Query(_sum("model, version", "nv_inference_request_success"), VERSION)],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Failed requests",
                "By reason: REJECTED is a full or timed-out queue, BACKEND a failing model.",
                [Query(_sum("model, reason", "nv_inference_request_failure"), "{{model}} {{reason}}")],
                unit="reqps",
            ),
            Panel(
                "Pending",
                "Requests queued in Triton, not yet executing.",
                [Query(pending, "{{model}}")],
                thresholds=limit_colours(config.thresholds.queue_length),
            ),
        ),
    )


def _executions() -> Row:
    return Row(
        "Executions",
        (
            Panel(
                "Executions and inferences",
                "Their ratio is the mean batch.",
                [
                    Query(_sum("model", "nv_inference_exec_count"), "{{model}} executions"),
                    Query(_sum("model", "nv_inference_count"), "{{model}} inferences"),
                ],
                unit="ops",
            ),
            Panel(
                "Mean request duration",
                "Inside Triton, queue included.",
                [Query(_mean_seconds("nv_inference_request_duration_us"), VERSION)],
                unit="s",
            ),
            Panel(
                "Mean queue time",
                "Seconds a request waits inside Triton for an instance.",
                [Query(_mean_seconds("nv_inference_queue_duration_us"), VERSION)],
                unit="s",
            ),
        ),
    )


def _sum(labels: str, metric: str) -> str:
    return f"sum by ({labels}) (rate({metric}{{{CHOSEN}}}[$__rate_interval]))"


def _mean_seconds(metric: str) -> str:
    answered = _sum("model, version", "nv_inference_request_success")
    return f"{_sum('model, version', metric)} / 1e6\n/ ({answered} > 0)"


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

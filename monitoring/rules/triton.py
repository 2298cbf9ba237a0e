"""Triton's own counters in base units, and its machine."""

from __future__ import annotations

from monitoring.config import RuleConfig
from monitoring.rules.model import Alert, Group, Recording

PHASES = ("queue", "compute_input", "compute_infer", "compute_output")


def recordings(config: RuleConfig) -> Group:
    """Return mean seconds per phase, mean batch and busy instances of each model."""
    window = config.duration(config.holds.rate_window)
    by = "sum by (model, version)"
    phases = [
        Recording(
            f"model:triton_{phase}_seconds:mean5m",
            f"{by} (rate(nv_inference_{phase}_duration_us[{window}]))\n"
            f"/ 1e6 / ({by} (rate(nv_inference_request_success[{window}])) > 0)",
        )
        for phase in PHASES
    ]
    executions = f"{by} (rate(nv_inference_exec_count[{window}]))"
    executing = " + ".join(f"rate(nv_inference_{phase}_duration_us[{window}])" for phase in PHASES[1:])
    return Group(
        "triton-recording",
        [
            *phases,
            Recording(
                "model:triton_batch_size:mean5m",
                f"{by} (rate(nv_inference_count[{window}]))\n/ ({executions} > 0)",
            ),
            Recording(
                # Triton adds the time of an execution once per request of its batch: the mean requests of an
                # execution take that out again.
                "model:triton_busy_instances:rate5m",
                f"{by} ({executing})\n/ 1e6 * {executions}\n"
                f"/ ({by} (rate(nv_inference_request_success[{window}])) > 0)",
            ),
        ],
    )


def alerts(config: RuleConfig) -> Group:
    """Return the alerts on Triton's machine."""
    return Group("triton", (_gpu_memory(config),))


def _gpu_memory(config: RuleConfig) -> Alert:
    return Alert(
        "TritonGpuMemoryFull",
        expr=f"nv_gpu_memory_used_bytes / nv_gpu_memory_total_bytes > {config.thresholds.gpu_memory_share:g}",
        hold=config.holds.refusals,
        severity="warning",
        summary="A GPU's memory is almost full.",
        description="GPU {{ $labels.gpu_uuid }} uses {{ $value | humanizePercentage }}; a load may fail.",
    )

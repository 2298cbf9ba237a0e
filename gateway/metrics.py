"""The gateway's Prometheus metrics.

Labels come only from {endpoint, model, version, project, protocol, code} and hold resolved names only:
what a client merely asked for is counted under `unknown`, so a client cannot create series.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

UNKNOWN = "unknown"

# From a cached tabular model to a long generation; the gateway's overhead has its own finer scale.
LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
OVERHEAD_BUCKETS = (0.00005, 0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.05, 0.25)


class Metrics:
    """All metrics on one registry, made once in `gateway.app` and handed to whoever counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # The client's switch is one for the process: `_created` doubles the series and nothing reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        r = self.registry
        # process_*: memory, CPU seconds, open files of this process.
        ProcessCollector(registry=r)
        self.build_info = Gauge(
            "tidegate_build_info", "Always 1; the label tells the gateway's version.", ["version"], registry=r
        )
        self.requests = Counter(
            "tidegate_requests",
            "Requests answered, by the HTTP status sent.",
            ["protocol", "model", "version", "project", "code"],
            registry=r,
        )
        self.request_duration = Histogram(
            "tidegate_request_duration_seconds",
            "Time from the request's headers to the end of its answer.",
            ["protocol", "model", "version"],
            buckets=LATENCY_BUCKETS,
            registry=r,
        )
        self.gateway_overhead = Histogram(
            "tidegate_gateway_overhead_seconds",
            "The part of the request duration spent in the gateway itself: neither receiving the body, "
            "nor queued, nor waiting for Triton.",
            ["protocol"],
            buckets=OVERHEAD_BUCKETS,
            registry=r,
        )
        self.queue_duration = Histogram(
            "tidegate_queue_duration_seconds",
            "Time requests waited in the gateway for a place at the model.",
            ["model"],
            buckets=LATENCY_BUCKETS,
            registry=r,
        )
        self.in_flight = Gauge(
            "tidegate_in_flight_requests", "Requests now inside Triton.", ["model"], registry=r
        )
        self.queued = Gauge(
            "tidegate_queued_requests", "Requests now waiting in the gateway.", ["model"], registry=r
        )
        self.refusals = Counter(
            "tidegate_refusals",
            "Requests not sent to Triton, by error code.",
            ["model", "project", "code"],
            registry=r,
        )
        self.auth_failures = Counter(
            "tidegate_auth_failures",
            "Requests without a valid key or scope, by error code.",
            ["code"],
            registry=r,
        )
        self.control_plane_up = Gauge(
            "tidegate_control_plane_up",
            "Whether the control plane's database answers; at 0 the keys known still serve.",
            registry=r,
        )
        self.request_bytes = Counter(
            "tidegate_request_body_bytes", "Bytes of request bodies received.", ["protocol"], registry=r
        )
        self.response_bytes = Counter(
            "tidegate_response_body_bytes", "Bytes of response bodies sent.", ["protocol"], registry=r
        )
        self.triton_up = Gauge("tidegate_triton_up", "Whether Triton answers.", registry=r)
        self.triton_failures = Counter(
            "tidegate_triton_failures",
            "Calls to Triton that ended without a usable answer, by error code.",
            ["model", "code"],
            registry=r,
        )
        self.model_ready = Gauge(
            "tidegate_model_ready", "Whether a model version is served.", ["model", "version"], registry=r
        )
        self.stable_version = Gauge(
            "tidegate_stable_version_info",
            "Always 1; the label tells the model's stable version.",
            ["model", "version"],
            registry=r,
        )
        self.candidate_version = Gauge(
            "tidegate_candidate_version_info",
            "Always 1; the label tells the candidate of the model's running rollout.",
            ["model", "version"],
            registry=r,
        )
        self.rollout_weight = Gauge(
            "tidegate_rollout_weight",
            "Percent of the model's requests that the candidate answers; absent without a rollout.",
            ["model"],
            registry=r,
        )
        self.deploys = Counter(
            "tidegate_deploys",
            "Deployments of a version, by `ok` or error code.",
            ["model", "code"],
            registry=r,
        )

"""What the data plane learns about one request while it serves it; for metrics and the access log."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.types import ModelVersion


@dataclass(slots=True)
class RequestRecord:
    """Filled in along the way, so that it also tells how far a failed request came.

    Attributes:
        model_version: what the request was resolved to; None while unknown.
        queue_seconds: time spent waiting for a place at the model.
        triton_seconds: time spent waiting for Triton.
        sent: whether Triton was called.
    """

    model_version: ModelVersion | None = None
    queue_seconds: float = 0.0
    triton_seconds: float = 0.0
    sent: bool = False

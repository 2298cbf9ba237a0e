"""Runs one validated inference on Triton."""

from __future__ import annotations

import logging

from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.triton import wire
from gateway.triton.refusals import ModelProcessDied, to_error, upstream_text
from gateway.triton.upstream import Upstream
from gateway.types import InferRequest, ModelSpec, Tensor

logger = logging.getLogger(__name__)


class TritonInference:
    """The client of Triton's `infer`.

    Args:
        upstream: where Triton is.
        metrics: counts calls that ended without a usable answer.
    """

    def __init__(self, upstream: Upstream, metrics: Metrics) -> None:
        self._upstream = upstream
        self._metrics = metrics

    async def infer(self, spec: ModelSpec, request: InferRequest, deadline: float) -> tuple[Tensor, ...]:
        """Return the output tensors, in the order asked for or the model's.

        Args:
            spec: the version to call and its contract.
            request: validated against `spec`.
            deadline: loop time at which waiting ends.

        Raises:
            BadRequest: the model itself rejected the values.
            Unavailable: Triton is unreachable, the model not served, its queue full or its process gone.
            BadUpstream: the answer is no answer.
            DeadlineExceeded: none came in time.
        """
        parts = wire.encode(wire.request_prefix(self._upstream.host_header, spec), request)
        try:
            response = await self._upstream.send(parts, deadline)
            if response.status == 200:
                return wire.decode(response, spec, request)
            error = to_error(response)
            reason = upstream_text(response)
        except wire.BadAnswer as bad:
            error, reason = bad, bad.reason
        except GatewayError as failure:
            error, reason = failure, failure.message
        self._report(spec, error, reason)
        raise error

    def _report(self, spec: ModelSpec, error: GatewayError, reason: str) -> None:
        target = spec.model_version
        code = "model_process_died" if isinstance(error, ModelProcessDied) else error.code
        self._metrics.triton_failures.labels(target.model, code).inc()
        logger.warning(
            "triton_failure",
            extra={"model": target.model, "version": target.version, "code": code, "reason": reason},
        )

"""Triton's own errors, turned into the gateway's: by status and by the few texts that tell cases apart.

Triton's text never reaches a client: it has held shared-memory names and file paths (CVE-2025-23319). The
operator finds it in the log, next to the request id.
"""

from __future__ import annotations

import msgspec

from gateway.errors import BadRequest, BadUpstream, GatewayError, ModelNotReady, Overloaded
from gateway.triton.connection import UpstreamResponse

REJECTED_BY_MODEL = (
    "The model rejected the input values, although names, datatypes and shapes are right. "
    "Check the values against what the model was trained for."
)
FAILED = "The model failed on this request. Try again; tell the operator if it persists."
QUEUE_FULL = "The model's queue is full. Try again after the seconds in Retry-After."
QUEUE_TIMEOUT = (
    "The request waited too long in the model's queue. Try again after the seconds in Retry-After."
)
NOT_SERVED = "The model is not served at this moment. Try again after the seconds in Retry-After."
PROCESS_DIED = "The model's process ended and is being restarted. Try again after the seconds in Retry-After."

# What the embedded supervisor needs to notice and reload; native Triton needs its pod restarted.
_PROCESS_RETRY_AFTER = 5


class ModelProcessDied(ModelNotReady):
    """The model's Python process is gone, though Triton may still call the model ready."""


class _Body(msgspec.Struct):
    error: str


_DECODER = msgspec.json.Decoder(_Body)


def upstream_text(response: UpstreamResponse) -> str:
    """Return Triton's error text for the log, at most 500 characters."""
    try:
        return _DECODER.decode(response.body).error[:500]
    except (ValueError, RecursionError):
        return response.body[:200].decode("utf-8", "replace")


def to_error(response: UpstreamResponse) -> GatewayError:
    """Return the gateway's error for a non-200 answer to an inference.

    Source of the status map: `HttpCodeFromError` in Triton's `src/http_server.cc`; the texts are those of
    2.51.0 and of the current main branch.
    """
    text = upstream_text(response)
    if response.status == 503:
        if "queue size" in text:
            return Overloaded(QUEUE_FULL)
        if "timeout expired" in text:
            return Overloaded(QUEUE_TIMEOUT)
        return ModelNotReady(NOT_SERVED)
    if response.status == 404:
        return ModelNotReady(NOT_SERVED)  # the catalog knew it a moment ago
    if response.status == 400:
        return BadRequest(REJECTED_BY_MODEL)
    if "Stub process" in text and "not healthy" in text:
        return ModelProcessDied(PROCESS_DIED, retry_after=_PROCESS_RETRY_AFTER)
    return BadUpstream(FAILED)

"""Counts and logs every answered request, once, with resolved names only."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from gateway.api.access_log import AccessLog
from gateway.api.call import Call
from gateway.metrics import UNKNOWN, Metrics

CLIENT_GONE = 499


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended.

    Attributes:
        protocol: of the route.
        status: HTTP status sent; `CLIENT_GONE` when nobody was left to send it to.
        code: error code, "" without an error.
        seconds: from the headers to the end of the answer.
        sent_bytes: size of the answer's body.
    """

    protocol: str
    status: int
    code: str
    seconds: float
    sent_bytes: int


class _ProtocolMeters:
    """The children of one protocol, looked up once: `labels()` costs more than counting does."""

    def __init__(self, metrics: Metrics, protocol: str) -> None:
        self.received = metrics.request_bytes.labels(protocol)
        self.sent = metrics.response_bytes.labels(protocol)
        self.overhead = metrics.gateway_overhead.labels(protocol)


class Accounting:
    """Writes outcomes to the metrics and the access log.

    Args:
        metrics: where to count.
        access_log: gets one line per request; None for no lines.
    """

    def __init__(self, metrics: Metrics, access_log: AccessLog | None) -> None:
        self._metrics = metrics
        self._access_log = access_log
        # The keys hold resolved names only, so these stay as small as the metrics themselves.
        self._requests: dict[tuple[str, str, str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}
        self._protocols: dict[str, _ProtocolMeters] = {}

    def settle(self, call: Call, outcome: Outcome) -> None:
        """Count and log one request."""
        record, protocol = call.record, outcome.protocol
        target = record.model_version
        model, version = (target.model, target.version) if target else (UNKNOWN, UNKNOWN)
        project = call.principal.project or UNKNOWN
        self._counter(protocol, model, version, project, outcome.status).inc()
        self._duration(protocol, model, version).observe(outcome.seconds)
        meters = self._protocols.get(protocol)
        if meters is None:
            meters = self._protocols[protocol] = _ProtocolMeters(self._metrics, protocol)
        meters.received.inc(len(call.body))
        meters.sent.inc(outcome.sent_bytes)
        if record.sent:
            own = outcome.seconds - call.body_seconds - record.queue_seconds - record.triton_seconds
            meters.overhead.observe(max(0.0, own))
        if outcome.code in ("unauthenticated", "forbidden"):
            self._metrics.auth_failures.labels(outcome.code).inc()
        elif outcome.code and not record.sent:
            self._metrics.refusals.labels(model, project, outcome.code).inc()
        if self._access_log is not None:
            self._log(self._access_log, call, outcome)

    def _counter(self, protocol: str, model: str, version: str, project: str, status: int) -> Counter:
        key = (protocol, model, version, project, status)
        counter = self._requests.get(key)
        if counter is None:
            counter = self._metrics.requests.labels(protocol, model, version, project, str(status))
            self._requests[key] = counter
        return counter

    def _duration(self, protocol: str, model: str, version: str) -> Histogram:
        histogram = self._durations.get((protocol, model, version))
        if histogram is None:
            histogram = self._metrics.request_duration.labels(protocol, model, version)
            self._durations[protocol, model, version] = histogram
        return histogram

    def _log(self, access_log: AccessLog, call: Call, outcome: Outcome) -> None:
        target = call.record.model_version
        fields = {
            "request_id": call.request_id,
            "protocol": outcome.protocol,
            "project": call.principal.project or None,
            "key_id": call.principal.key_id or None,
            "model": target.model if target else None,
            "version": target.version if target else None,
            "status": outcome.status,
            "code": outcome.code or None,
            "milliseconds": round(outcome.seconds * 1000, 3),
        }
        access_log.write(fields)

"""Every number of the rules in one place: objectives, burn rates, thresholds, holding times.

All durations are seconds of a production stack. `time_scale` shrinks every one of them at once, so that the
very same expressions are proven against real faults within seconds (`tests/monitoring/test_live_faults.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

GATEWAY_JOB = "tidegate-gateway"
TRITON_JOB = "tidegate-triton"
SUPERVISOR_JOB = "tidegate-supervisor"


@dataclass(frozen=True)
class BurnRate:
    """One row of the multi-window, multi-burn-rate table (Google SRE workbook, chapter 5).

    Attributes:
        severity: of an availability alert; a latency alert is never more than a warning.
        hold: seconds the condition must last.
        long: seconds of the window that tells the budget is really going.
        short: seconds of the window that ends the alert soon after the fault.
        factor: how many times faster than sustainable the budget goes.
    """

    severity: str
    hold: int
    long: int
    short: int
    factor: float


# Of 30 days' budget 14.4 spends 2 % in an hour, 6 spends 5 % in 6 h, 3 and 1 spend 10 % in a day and three.
BURN_RATES = (
    BurnRate("critical", 2 * MINUTE, HOUR, 5 * MINUTE, 14.4),
    BurnRate("critical", 15 * MINUTE, 6 * HOUR, 30 * MINUTE, 6),
    BurnRate("warning", HOUR, DAY, 2 * HOUR, 3),
    BurnRate("warning", 3 * HOUR, 3 * DAY, 6 * HOUR, 1),
)


@dataclass(frozen=True)
class Objectives:
    """What the service promises over 30 days.

    Attributes:
        availability: share of requests not answered with a 5xx.
        latency: share of requests answered within `latency_seconds`.
        latency_seconds: must be a bucket boundary of `tidegate_request_duration_seconds`.
        streaming_protocols: regular expression of protocols whose answers are long by nature.
        minimum_events: fewer failed (or slow) requests than this in the long window never alert: on an almost
            idle stack one failure of ten requests is no burning budget.
    """

    availability: float = 0.999
    latency: float = 0.99
    latency_seconds: float = 1.0
    streaming_protocols: str = "openai|generate"
    minimum_events: int = 10


@dataclass(frozen=True)
class Thresholds:
    """When a symptom is worth a person's attention.

    Attributes:
        restarts: restarts within `restart_window` that are a loop rather than an accident.
        queue_length: requests of one model waiting in the gateway.
        refused_share: share of a model's requests refused for lack of room.
        backend_failures_per_second: failing executions of one model version.
        auth_failures_per_second: refused credentials, all callers together.
        candidate_error_ratio: error share under which a candidate is never called worse.
        candidate_error_factor: how many times stable's error share is worse.
        candidate_seconds: p99 under which a candidate is never called slower.
        candidate_latency_factor: how many times stable's p99 is slower.
        candidate_requests: answers of the candidate within a rate window that make a comparison fair.
        gpu_memory_share: used share of a GPU's memory.
    """

    restarts: int = 3
    queue_length: int = 50
    refused_share: float = 0.01
    backend_failures_per_second: float = 0.0
    auth_failures_per_second: float = 1.0
    candidate_error_ratio: float = 0.01
    candidate_error_factor: float = 2.0
    candidate_seconds: float = 0.05
    candidate_latency_factor: float = 1.5
    candidate_requests: int = 50
    gpu_memory_share: float = 0.95


@dataclass(frozen=True)
class Holds:
    """Seconds and windows of the alerts that are no burn rates.

    Attributes:
        target: a scrape target may miss; covers one restart of a container.
        process: the supervisor brings a model process back within 10 s; then a person must.
        failing: as `process`, seen by callers.
        not_ready: longer than an ordinary load with warm-up.
        queue: longer than a burst.
        refusals: longer than a burst that the autoscaler absorbs.
        rollout: short, because real callers are served by the candidate.
        slow_symptom: what may wait for working hours.
        rate_window: window of ordinary rates; at least four scrapes.
        fast_window: window of the rates that stalled and failing look at.
        restart_window: in which restarts are counted.
        subquery_step: resolution of the queue's trend.
    """

    target: int = MINUTE
    process: int = MINUTE
    failing: int = MINUTE
    not_ready: int = 5 * MINUTE
    queue: int = 2 * MINUTE
    refusals: int = 5 * MINUTE
    rollout: int = 2 * MINUTE
    slow_symptom: int = 15 * MINUTE
    rate_window: int = 5 * MINUTE
    fast_window: int = 2 * MINUTE
    restart_window: int = 15 * MINUTE
    subquery_step: int = 15


@dataclass(frozen=True)
class RuleConfig:
    """All of the above, and how much faster than in production time passes.

    Attributes:
        runbook_base: put before `/<Alert>.md`; the default is the path in this repository.
        time_scale: factor on every duration; 1 in production, smaller in a fault test.
    """

    objectives: Objectives = Objectives()
    thresholds: Thresholds = Thresholds()
    holds: Holds = Holds()
    burn_rates: tuple[BurnRate, ...] = BURN_RATES
    runbook_base: str = "monitoring/runbooks"
    time_scale: float = 1.0

    def duration(self, seconds: float) -> str:
        """Return `seconds`, scaled, as Prometheus writes a duration."""
        return format_duration(seconds * self.time_scale)

    @property
    def windows(self) -> tuple[int, ...]:
        """Every window of the burn-rate table, unscaled, ascending."""
        return tuple(sorted({w for row in self.burn_rates for w in (row.long, row.short)}))


def format_duration(seconds: float) -> str:
    """Return a Prometheus duration (`90` → `90s`, `3600` → `1h`), exact to the millisecond.

    Raises:
        ValueError: for less than a millisecond, which Prometheus would refuse.
    """
    milliseconds = round(seconds * 1000)
    if milliseconds < 1:
        raise ValueError(f"{seconds} s is no duration Prometheus can have; use at least 0.001 s.")
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1)):
        if milliseconds % (length * 1000) == 0:
            return f"{milliseconds // (length * 1000)}{unit}"
    return f"{milliseconds}ms"

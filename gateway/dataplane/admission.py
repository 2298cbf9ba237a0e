"""Waiting happens here and not in Triton, which does not notice that a caller has left.

Per model version a bounded number of requests in flight and a bounded queue in front: Triton's instances
belong to a version, and a candidate that hangs must not take the places of stable. First come first
served; fairness between projects will change `_hand_out` and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter

from gateway.errors import DeadlineExceeded, Overloaded
from gateway.metrics import Metrics
from gateway.types import ModelSpec, ModelVersion, Principal

QUEUE_FULL = "The model's queue is full. Try again after the seconds in Retry-After."
WAITED_TOO_LONG = "The request's deadline passed while it waited for the model. Try again when load is lower."


class Gate:
    """The places at one model version.

    Args:
        model: name of the model, a catalogued one; its versions share their metrics.
        max_queue: most requests that may wait.
        metrics: where in-flight and queued requests are shown.
    """

    def __init__(self, model: str, max_queue: int, metrics: Metrics) -> None:
        self.limit = 1
        self._max_queue = max_queue
        self._in_flight = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._in_flight_gauge = metrics.in_flight.labels(model)
        self._queued_gauge = metrics.queued.labels(model)
        self._queue_duration = metrics.queue_duration.labels(model)

    @property
    def in_flight(self) -> int:
        """Requests that hold a place now."""
        return self._in_flight

    @property
    def queued(self) -> int:
        """Requests that wait now."""
        return len(self._waiters)

    async def enter(self, principal: Principal, deadline: float) -> float:
        """Take a place, waiting for one if needed; `leave` must follow.

        Args:
            principal: who asks; unused until projects share the queue fairly.
            deadline: loop time at which waiting ends.

        Returns:
            Seconds waited.

        Raises:
            Overloaded: as many requests wait as may.
            DeadlineExceeded: no place by the deadline.
        """
        del principal
        if self._in_flight < self.limit and not self._waiters:
            self._in_flight += 1
            self._in_flight_gauge.inc()
            self._queue_duration.observe(0.0)
            return 0.0
        if len(self._waiters) >= self._max_queue:
            raise Overloaded(QUEUE_FULL)
        begin = perf_counter()
        await self._wait(deadline)
        waited = perf_counter() - begin
        self._queue_duration.observe(waited)
        return waited

    def leave(self) -> None:
        """Give the place back: to the next who waits, else to the model."""
        self._in_flight -= 1
        self._in_flight_gauge.dec()
        self._hand_out()

    async def _wait(self, deadline: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._queued_gauge.inc()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the place came in the very moment we gave up
            elif waiter in self._waiters:  # `_hand_out` may have passed over it
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(WAITED_TOO_LONG) from None
            raise
        finally:
            self._queued_gauge.dec()

    def _hand_out(self) -> None:
        # A limit that has shrunk lets places run dry; one that has grown is used up at once.
        while self._waiters and self._in_flight < self.limit:
            waiter = self._waiters.popleft()
            if waiter.done():
                continue
            self._in_flight += 1
            self._in_flight_gauge.inc()
            waiter.set_result(None)


class Admission:
    """The gates of all model versions.

    Args:
        max_in_flight: most requests of one version inside Triton; None derives it from the model: twice what
            its instances can batch, so that Triton always has the next batch at hand.
        max_queue: most requests of one version that wait.
        metrics: where the gates show themselves.
    """

    def __init__(self, *, max_in_flight: int | None, max_queue: int, metrics: Metrics) -> None:
        self._max_in_flight = max_in_flight
        self._max_queue = max_queue
        self._metrics = metrics
        self._gates: dict[ModelVersion, Gate] = {}

    def gate(self, spec: ModelSpec) -> Gate:
        """Return the gate of a catalogued model version."""
        version = spec.model_version
        gate = self._gates.get(version)
        if gate is None:
            gate = self._gates[version] = Gate(version.model, self._max_queue, self._metrics)
        gate.limit = self._max_in_flight or 2 * spec.instances * max(1, spec.max_batch_size)
        return gate

"""A steady stream of inferences in the background, and what came of each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count

import httpx

from tests.gateway.rollouts.operator import Operator

# Each sends a share of the rate; one alone would wait for its own answers.
SENDERS = 4


@dataclass
class Load:
    """What was sent.

    Attributes:
        versions: how many requests each version answered.
        failures: every answer that was not 200, or was that of another version than it claimed.
    """

    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def total(self) -> int:
        """Requests answered so far."""
        return sum(self.versions.values()) + len(self.failures)


@contextmanager
def load(hands: Operator, per_second: float = 50.0) -> Iterator[Load]:
    """Send inferences that name no version, each by another caller, until the block ends."""
    running = Load()
    numbers = count()
    senders = [
        threading.Thread(target=_send, args=(hands, running, numbers, SENDERS / per_second))
        for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    try:
        yield running
    finally:
        running.stopping.set()
        for sender in senders:
            sender.join(60)


def _send(hands: Operator, running: Load, numbers: Iterator[int], pause: float) -> None:
    with httpx.Client(trust_env=False, timeout=30) as client:
        own = replace(hands, client=client)
        due = time.monotonic()
        while not running.stopping.wait(max(0.0, due - time.monotonic())):
            due += pause
            try:
                running.versions[own.answered_by(sticky=f"user-{next(numbers)}")] += 1
            except (AssertionError, httpx.HTTPError) as error:
                running.failures.append(repr(error)[:500])

"""When something that failed may be tried again: ever more rarely."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

FIRST_SECONDS = 2.0
MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Failure:
    count: int
    not_before: float


class Backoff:
    """Remembers failures by key."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, _Failure] = {}

    def failed(self, key: Hashable) -> bool:
        """Return whether the last try failed."""
        return key in self._failures

    def due(self, key: Hashable, now: float) -> bool:
        """Return whether it may be tried at loop time `now`."""
        failure = self._failures.get(key)
        return failure is None or now >= failure.not_before

    def fail(self, key: Hashable, now: float) -> float:
        """Take note of a failure; return the seconds until the next try."""
        before = self._failures.get(key)
        count = before.count + 1 if before else 1
        seconds = min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** (count - 1))
        self._failures[key] = _Failure(count, now + seconds)
        return seconds

    def clear(self, key: Hashable) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)

"""How long to wait before trying again, the longer the more often it failed."""

from __future__ import annotations


class Backoff:
    """Delays that double up to a cap and start over after a stable time.

    Args:
        first: seconds before the first retry.
        cap: longest delay in seconds.
        stable_after: seconds of success after which the next delay is `first` again.
    """

    def __init__(self, first: float = 0.25, cap: float = 30.0, stable_after: float = 60.0) -> None:
        self._first = first
        self._cap = cap
        self._stable_after = stable_after
        self._next = first

    def delay(self, uptime: float) -> float:
        """Seconds to wait now.

        Args:
            uptime: seconds since the last try, i.e. how long it went well.
        """
        if uptime >= self._stable_after:
            self._next = self._first
        delay = self._next
        self._next = min(self._cap, self._next * 2)
        return delay

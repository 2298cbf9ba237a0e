"""What came of the traffic: counts per kind and status, and how long the answers took."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping

from rich.table import Table

from monitoring.traffic.mix import Kind

# Load may cause them on any request.
LOAD_STATUSES = (429, 503)


class Summary:
    """Collects results from the sending threads."""

    def __init__(self, mix: Mapping[str, Kind]) -> None:
        self._mix = mix
        self._lock = threading.Lock()
        self._answers: dict[str, Counter[int]] = defaultdict(Counter)
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._unanswered: Counter[str] = Counter()
        self._not_sent = 0

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._answers[kind][status] += 1
            self._seconds[kind].append(seconds)

    def unanswered(self, reason: str) -> None:
        """Count a request that got no answer."""
        with self._lock:
            self._unanswered[reason] += 1

    def not_sent(self) -> None:
        """Count a request that found every place taken."""
        with self._lock:
            self._not_sent += 1

    @property
    def statuses(self) -> Counter[int]:
        """Answers per HTTP status."""
        with self._lock:
            return sum(self._answers.values(), Counter())

    @property
    def refused_to_send(self) -> int:
        """Requests that found every place taken."""
        with self._lock:
            return self._not_sent

    @property
    def surprises(self) -> int:
        """Answers whose status fits neither their kind nor load, and requests without an answer."""
        with self._lock:
            wrong = sum(
                count
                for kind, answers in self._answers.items()
                for status, count in answers.items()
                if status not in self._mix[kind].expected + LOAD_STATUSES
            )
            return wrong + self._unanswered.total()

    def line(self) -> str:
        """Return the counts so far in one line."""
        counts = "  ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{counts}  without answer: {self._unanswered.total()}"

    def table(self) -> Table:
        """Return a row per kind and status."""
        table = Table("kind", "status", "answers", "p50 ms", "p99 ms", "as expected")
        with self._lock:
            for kind, answers in sorted(self._answers.items()):
                times = sorted(self._seconds[kind])
                for index, (status, count) in enumerate(sorted(answers.items())):
                    right = status in self._mix[kind].expected
                    verdict = "yes" if right else "load" if status in LOAD_STATUSES else "NO"
                    quantiles = (_quantile(times, 0.5), _quantile(times, 0.99)) if index == 0 else ("", "")
                    table.add_row(kind, str(status), str(count), *quantiles, verdict)
            for reason, count in sorted(self._unanswered.items()):
                table.add_row(reason, "-", str(count), "", "", "NO")
            if self._not_sent:
                table.add_row("not sent: all places taken", "-", str(self._not_sent), "", "", "load")
        return table


def _quantile(ordered: list[float], share: float) -> str:
    return f"{1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.1f}"

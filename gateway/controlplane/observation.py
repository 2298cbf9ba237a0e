"""What this gateway saw each version answer since a rollout began, read from its own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.metrics import Metrics

SERVER_ERROR = "5"


@dataclass(frozen=True, slots=True)
class Answers:
    """What one version answered.

    Attributes:
        requests: all of them.
        errors: those with a 5xx status.
    """

    requests: int
    errors: int


Observed: TypeAlias = Mapping[str, Answers]
_Counts: TypeAlias = Counter[tuple[str, bool]]


class Observation:
    """Subtracts what was counted before a rollout began from what is counted now.

    A gateway that did not start the rollout itself, or was restarted since, counts from its own start.

    Args:
        metrics: where requests are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._before: dict[str, _Counts] = {}

    def begin(self, model: str) -> None:
        """Count from here."""
        self._before[model] = self._counts(model)

    def since_begin(self, model: str) -> Observed:
        """Return what each version answered, by version."""
        now, before = self._counts(model), self._before.get(model, Counter())
        found: dict[str, Answers] = {}
        for version in sorted({version for version, _ in now}, key=lambda text: (len(text), text)):
            errors = now[version, True] - before[version, True]
            requests = errors + now[version, False] - before[version, False]
            if requests:
                found[version] = Answers(requests, errors)
        return found

    def _counts(self, model: str) -> _Counts:
        counts: _Counts = Counter()
        for family in self._metrics.requests.collect():
            for sample in family.samples:
                labels = sample.labels
                if sample.name.endswith("_total") and labels["model"] == model:
                    failed = labels["code"].startswith(SERVER_ERROR)
                    counts[labels["version"], failed] += int(sample.value)
        return counts

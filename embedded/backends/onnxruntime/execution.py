"""Running a batch of requests: one run for all that fit together, and only the guilty one fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .errors import BackendError, public_text

Array = npt.NDArray[Any]
Feeds = dict[str, Array]
Outcome = dict[str, Array] | Exception


@dataclass(frozen=True)
class Job:
    """One decoded request.

    Attributes:
        feeds: input name → array; the first dimension is the batch when the model batches.
        outputs: names of the outputs the request asks for.
    """

    feeds: Feeds
    outputs: Sequence[str]


class Executor:
    """Runs jobs on a session.

    Args:
        session: the loaded model.
        batched: whether the first dimension of every tensor is the batch (max_batch_size > 0).
        options: options of each run, if any.
        on_fallback: called with the number of jobs when a merged run failed and they are run alone.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        *,
        batched: bool,
        options: ort.RunOptions | None,
        on_fallback: Callable[[int, Exception], None],
    ) -> None:
        self._session = session
        self._batched = batched
        self._options = options
        self._on_fallback = on_fallback

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run the jobs; the outcomes are in their order, an exception for each that failed."""
        outcomes: list[Outcome] = [BackendError("not run")] * len(jobs)
        for members in self._groups(jobs):
            group = [jobs[index] for index in members]
            for index, outcome in zip(members, self._run_group(group), strict=True):
                outcomes[index] = outcome
        return outcomes

    def _groups(self, jobs: Sequence[Job]) -> list[list[int]]:
        """Indexes of the jobs that may share a run: the same inputs with equal shapes after the batch."""
        if len(jobs) == 1:
            return [[0]]
        if not self._batched:
            return [[index] for index in range(len(jobs))]
        groups: dict[tuple[tuple[str, tuple[int, ...]], ...], list[int]] = {}
        for index, job in enumerate(jobs):
            key = tuple((name, array.shape[1:]) for name, array in job.feeds.items())
            groups.setdefault(key, []).append(index)
        return list(groups.values())

    def _run_group(self, group: list[Job]) -> list[Outcome]:
        if len(group) == 1:
            return [self._run_alone(group[0])]
        try:
            return self._run_merged(group)
        except Exception as error:
            # One request's values can fail the whole run (an index out of range): find out whose.
            self._on_fallback(len(group), error)
            return [self._run_alone(job) for job in group]

    def _run_alone(self, job: Job) -> Outcome:
        try:
            return self._session_run(job.outputs, job.feeds)
        except Exception as error:
            return error

    def _run_merged(self, group: list[Job]) -> list[Outcome]:
        feeds = {name: np.concatenate([job.feeds[name] for job in group]) for name in group[0].feeds}
        names = list(dict.fromkeys(name for job in group for name in job.outputs))
        merged = self._session_run(names, feeds)
        sizes = [len(next(iter(job.feeds.values()))) for job in group]
        _check_rows(merged, sum(sizes))
        outcomes: list[Outcome] = []
        start = 0
        for job, size in zip(group, sizes, strict=True):
            outcomes.append({name: merged[name][start : start + size] for name in job.outputs})
            start += size
        return outcomes

    def _session_run(self, names: Sequence[str], feeds: Feeds) -> dict[str, Array]:
        values = self._session.run(names, feeds, self._options)
        return dict(zip(names, values, strict=True))


def _check_rows(outputs: Mapping[str, Array], rows: int) -> None:
    for name, array in outputs.items():
        if array.ndim == 0 or array.shape[0] != rows:
            raise BackendError(f"output '{name}' has shape {list(array.shape)} for a batch of {rows}")


def describe(error: Exception) -> str:
    """A sentence about a failed run that is safe to send to a client."""
    return f"the model failed on this request: {public_text(error)}"

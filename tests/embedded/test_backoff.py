"""Delays grow, stop growing, and start over."""

from __future__ import annotations

from embedded.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(first=1, cap=5)
    assert [backoff.delay(0) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_stable_run_starts_over() -> None:
    backoff = Backoff(first=1, cap=60, stable_after=10)
    assert [backoff.delay(0), backoff.delay(9.9), backoff.delay(10), backoff.delay(0)] == [1, 2, 1, 2]

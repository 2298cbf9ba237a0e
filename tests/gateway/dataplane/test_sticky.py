"""The buckets are even, stable, and shuffled by every rollout."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.dataplane.sticky import BUCKETS, bucket

CALLERS = [f"user-{n}" for n in range(10_000)]
# Half width of the 99.9 % interval of a binomial distribution, in standard deviations.
Z = 3.2905


@pytest.mark.parametrize("weight", [1, 10, 50, 90])
@pytest.mark.parametrize("rollout", ["a1", "b2", "c3"])
def test_the_share_is_inside_the_binomial_interval(rollout: str, weight: int) -> None:
    share = weight / 100
    got = sum(bucket(rollout, caller) < weight for caller in CALLERS)
    deviation = (len(CALLERS) * share * (1 - share)) ** 0.5
    assert abs(got - len(CALLERS) * share) <= Z * deviation


def test_buckets_are_even() -> None:
    counts = Counter(bucket("a1", f"caller-{n}") for n in range(100_000))
    assert set(counts) == set(range(BUCKETS))
    expected = 100_000 / BUCKETS
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 148.2  # 99.9 % quantile of chi-square with 99 degrees of freedom


def test_a_caller_stays_in_their_bucket() -> None:
    # Written down, so that a change of the hash, which would move every caller, cannot pass unseen.
    assert [bucket("rollout", value) for value in ("alice", "bob", "")] == [74, 24, 44]


def test_another_rollout_shuffles_the_callers() -> None:
    first = {caller for caller in CALLERS if bucket("a1", caller) < 10}
    second = {caller for caller in CALLERS if bucket("b2", caller) < 10}
    assert 50 < len(first & second) < 160  # a tenth of a tenth, were they independent


def test_raising_the_weight_moves_callers_only_to_the_candidate() -> None:
    at_ten = {caller for caller in CALLERS if bucket("a1", caller) < 10}
    at_thirty = {caller for caller in CALLERS if bucket("a1", caller) < 30}
    assert at_ten < at_thirty

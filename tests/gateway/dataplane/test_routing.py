"""What a request asked for, and which versions may answer it."""

from __future__ import annotations

import pytest

from gateway.dataplane.routing import choose
from gateway.types import RoutingPolicy

QUIET = RoutingPolicy("digits", "2", {"stable": "2", "next": "3"}, frozenset({"1", "2", "3"}))


def rollout(weight: int) -> RoutingPolicy:
    aliases = {"stable": "1", "candidate": "2"}
    return RoutingPolicy("digits", "1", aliases, frozenset({"1", "2"}), "r1", "2", weight)


@pytest.mark.parametrize(
    ("wanted", "versions"),
    [
        ("", ("2",)),
        ("stable", ("2",)),
        ("next", ("3",)),
        ("1", ("1",)),  # whether it is loaded is not asked here
        ("4", ()),  # loaded perhaps, but never admitted
        ("candidate", ()),
        ("02", ()),
        ("next ", ()),
    ],
)
def test_without_a_rollout(wanted: str, versions: tuple[str, ...]) -> None:
    assert choose(QUIET, wanted, "caller") == versions


def test_at_weight_zero_nobody_and_at_a_hundred_everybody_gets_the_candidate() -> None:
    callers = [f"caller-{n}" for n in range(500)]
    assert {choose(rollout(0), "", caller) for caller in callers} == {("1",)}
    assert {choose(rollout(100), "", caller) for caller in callers} == {("2", "1")}


def test_a_rollout_decides_only_where_no_version_is_named() -> None:
    assert choose(rollout(100), "stable", "caller") == ("1",)
    assert choose(rollout(0), "candidate", "caller") == ("2",)
    assert choose(rollout(100), "1", "caller") == ("1",)


def test_one_caller_always_gets_the_same_version() -> None:
    for n in range(200):
        answers = {choose(rollout(50), "", f"caller-{n}") for _ in range(5)}
        assert len(answers) == 1

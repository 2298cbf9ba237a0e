"""Canary rollouts: the share, the stickiness, promotion, abort and rollback."""

from __future__ import annotations

import pytest

from tests.gateway.rollouts.operator import Operator, eventually

CALLERS = 600
# Half width of the 99.9 % interval of a binomial distribution, in standard deviations.
Z = 3.2905


def test_the_observed_share_fits_the_weight_and_every_caller_stays(hands: Operator) -> None:
    started = hands.done("POST", "/rollout", {"candidate": 2, "weight": 10})
    assert (started["state"], started["stable"], started["candidate"]) == ("running", "1", "2")
    answered = {f"user-{n}": hands.answered_by(sticky=f"user-{n}") for n in range(CALLERS)}
    share = sum(version == "2" for version in answered.values())
    assert abs(share - CALLERS * 0.1) <= Z * (CALLERS * 0.1 * 0.9) ** 0.5
    for caller, version in list(answered.items())[:60]:
        assert hands.answered_by(sticky=caller) == version

    status = hands.done("GET", "/rollout")
    total = CALLERS + 60
    assert sum(seen["requests"] for seen in status["observed"].values()) == total
    assert status["observed"]["2"]["requests"] >= share
    assert status["observed"]["2"]["errors"] == 0
    assert hands.metric("tidegate_rollout_weight", model=hands.model) == 10
    assert hands.metric("tidegate_candidate_version_info", model=hands.model, version="2") == 1

    hands.done("PATCH", "/rollout", {"weight": 40})
    raised = {caller: hands.answered_by(sticky=caller) for caller in list(answered)[:100]}
    assert all(raised[caller] == "2" for caller in raised if answered[caller] == "2")


def test_without_the_header_the_key_decides(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 50})
    by_key = {}
    for _ in range(12):
        other = hands.other(key=hands.gateway.create_key())
        answers = {other.answered_by() for _ in range(4)}
        assert len(answers) == 1
        by_key[other.key] = answers.pop()
    assert set(by_key.values()) == {"1", "2"}  # one side only: one in 2048


def test_weight_zero_is_a_dark_launch(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 0})
    assert {hands.answered_by(sticky=f"user-{n}") for n in range(50)} == {"1"}
    assert hands.answered_by("candidate") == "2"
    assert hands.answered_by("2") == "2"


def test_promotion_makes_the_candidate_stable(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 0})
    ended = hands.done("POST", "/rollout/promote", {"reason": "better"})
    assert (ended["state"], ended["reason"]) == ("promoted", "better")
    assert hands.answered_by() == "2"
    assert hands.infer("candidate").status_code == 404
    assert hands.metric("tidegate_rollout_weight", model=hands.model) is None
    assert hands.metric("tidegate_candidate_version_info", model=hands.model, version="2") is None
    eventually(lambda: hands.loaded() == {"2"})


def test_abort_sends_everybody_back(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 100})
    assert hands.answered_by() == "2"
    assert hands.done("POST", "/rollout/abort")["state"] == "aborted"
    assert hands.answered_by() == "1"
    eventually(lambda: hands.loaded() == {"1"})
    assert hands.done("GET", "/rollout")["state"] == "aborted"


def test_rollback_is_one_call_also_when_the_old_version_was_unloaded(hands: Operator) -> None:
    assert "no previous stable version" in hands.refused("POST", "/rollback", 409)
    hands.deploy(2)
    eventually(lambda: hands.loaded() == {"2"})
    back = hands.done("POST", "/rollback")
    assert (back["stable"], back["previous_stable"]) == ("1", "2")
    assert hands.answered_by() == "1"
    assert hands.done("POST", "/rollback")["stable"] == "2"
    assert hands.answered_by() == "2"


def test_contradictions_are_conflicts(hands: Operator) -> None:
    assert "No rollout" in hands.refused("POST", "/rollout/promote", 409)
    assert "No rollout" in hands.refused("POST", "/rollout/abort", 409)
    assert "choose another" in hands.refused("POST", "/rollout", 409, {"candidate": 1, "weight": 5})
    assert hands.refused("GET", "/rollout", 404)
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 5})
    for path, body in (
        ("/rollout", {"candidate": 2, "weight": 5}),
        ("/deploy", {"version": 2}),
        ("/deploy", {"version": 2, "alias": "candidate"}),
        ("/rollback", None),
    ):
        assert "promote or abort" in hands.refused("POST", path, 409, body)
    assert "promote or abort" in hands.refused("DELETE", "/aliases/candidate", 409)
    for weight in (-1, 101, 5.5, "5", True, None):
        hands.refused("PATCH", "/rollout", 400, {"weight": weight})


@pytest.mark.parametrize("value", ["two words", "x" * 129])
def test_a_sticky_header_that_is_no_word_is_refused(hands: Operator, value: str) -> None:
    assert hands.infer(sticky=value).status_code == 400


def test_history_has_every_change(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 5})
    hands.done("PATCH", "/rollout", {"weight": 7})
    hands.done("PATCH", "/rollout", {"weight": 7})
    hands.done("POST", "/rollout/promote")
    hands.done("POST", "/rollback")
    changes = hands.admin("GET", f"/history?model={hands.model}").json()["changes"]
    assert [change["action"] for change in changes] == [
        "rollback", "rollout.promote", "rollout.weight", "rollout.start", "deploy",
    ]  # fmt: skip
    assert changes[2]["detail"] | {"rollout": ""} == {"rollout": "", "from": 5, "to": 7}
    assert {change["actor"] for change in changes} == {hands.gateway.admin_key.split("_")[1]}
    older = hands.admin("GET", f"/history?model={hands.model}&before={changes[2]['revision']}&limit=1").json()
    assert [change["action"] for change in older["changes"]] == ["rollout.start"]

"""Nothing that an operator does may cost a request (LIFE-1)."""

from __future__ import annotations

import time
from pathlib import Path

from tests.gateway.rollouts.load import load
from tests.gateway.rollouts.operator import Operator, eventually
from tests.support.versioned_models import publish, publish_corrupt, publish_empty

Z = 3.2905


def test_promotions_and_rollbacks_lose_no_request(hands: Operator) -> None:
    """10 promotions and 5 rollbacks, each with the old version unloaded under the requests."""
    with load(hands) as running:
        for _ in range(5):
            for candidate in (2, 1):
                hands.done("POST", "/rollout", {"candidate": candidate, "weight": 30})
                time.sleep(0.1)
                hands.done("POST", "/rollout/promote")
                assert hands.answered_by() == str(candidate)
            hands.done("POST", "/rollback")
            assert hands.answered_by() == "2"
            eventually(lambda: hands.loaded() == {"2"})
            hands.deploy(1)
            assert hands.answered_by() == "1"
    assert running.failures == []
    assert running.total > 100
    assert set(running.versions) == {"1", "2"}


def test_the_share_under_load_is_the_weight(hands: Operator) -> None:
    hands.done("POST", "/rollout", {"candidate": 2, "weight": 10})
    with load(hands, per_second=150) as running:
        eventually(lambda: running.total >= 800, seconds=90)
    assert running.failures == []
    deviation = (running.total * 0.1 * 0.9) ** 0.5
    assert abs(running.versions["2"] - running.total * 0.1) <= Z * deviation


def test_refused_versions_cost_no_request(hands: Operator, repository: Path) -> None:
    publish_corrupt(repository, 3, name=hands.model)
    publish_empty(repository, 4, name=hands.model)
    publish(repository, 5, factor=1.0, name=hands.model)  # its golden request expects 5
    with load(hands) as running:
        for _ in range(2):
            for version in (3, 4, 5):
                hands.refused("POST", "/deploy", 422, {"version": version})
                hands.refused("POST", "/rollout", 422, {"candidate": version, "weight": 50})
        eventually(lambda: running.total > 100)
    assert running.failures == []
    assert set(running.versions) == {"1"}

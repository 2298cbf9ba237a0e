"""The view that requests are routed by follows the database, and survives its absence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.controlplane.database import Database, database_url
from gateway.controlplane.rollout_store import RolloutStore
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_store import RoutingStore
from gateway.errors import Unavailable
from gateway.metrics import Metrics


class Looks:
    """Counts the looks at Triton, and what the view was at each."""

    def __init__(self) -> None:
        self.routing: Routing | None = None
        self.seen: list[str | None] = []

    async def __call__(self) -> None:
        assert self.routing is not None
        policy = self.routing.policy("digits")
        self.seen.append(policy.stable if policy else None)


def view(database: Database) -> tuple[Routing, Looks, Metrics]:
    looks, metrics = Looks(), Metrics()
    looks.routing = Routing(RoutingStore(database), metrics, looks)
    return looks.routing, looks, metrics


async def test_triton_is_looked_at_before_a_change_takes_effect(any_database: Database) -> None:
    routing, looks, _ = view(any_database)
    store = RoutingStore(any_database)
    await routing.refresh()
    assert looks.seen == []
    for version in ("1", "2"):
        await store.admit("digits", version, "d", "stable", "tester", [])
        await routing.refresh()
        await routing.refresh()
    assert looks.seen == [None, "1"]
    policy = routing.policy("digits")
    assert policy is not None
    assert policy.stable == "2"
    assert routing.policy("other") is None


async def test_changes_that_route_nothing_are_no_change(any_database: Database) -> None:
    routing, looks, _ = view(any_database)
    store = RoutingStore(any_database)
    await store.admit("digits", "1", "d", "stable", "tester", [])
    await routing.refresh()
    await store.record_refusal("digits", "2", "load", "It cannot be loaded.", "tester")
    await routing.refresh()
    assert len(looks.seen) == 1


async def test_the_metrics_show_what_is_true_and_nothing_else(any_database: Database) -> None:
    routing, _, metrics = view(any_database)
    store, rollouts = RoutingStore(any_database), RolloutStore(any_database)

    def shown(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"model": "digits", **labels})

    await store.admit("digits", "1", "d", "stable", "tester", [])
    await rollouts.start("digits", "2", "d", 10, "tester")
    await routing.refresh()
    assert shown("tidegate_stable_version_info", version="1") == 1
    assert shown("tidegate_candidate_version_info", version="2") == 1
    assert shown("tidegate_rollout_weight") == 10
    await rollouts.promote("digits", "2", "tester", "")
    await routing.refresh()
    assert shown("tidegate_stable_version_info", version="1") is None
    assert shown("tidegate_stable_version_info", version="2") == 1
    assert shown("tidegate_candidate_version_info", version="2") is None
    assert shown("tidegate_rollout_weight") is None


async def test_the_last_view_stays_while_the_database_is_gone(database: Database, tmp_path: Path) -> None:
    await RoutingStore(database).admit("digits", "1", "d", "stable", "tester", [])
    elsewhere = Database(database_url(None, tmp_path))
    routing, _, _ = view(elsewhere)
    await routing.refresh()
    # A directory in place of the file: opening it fails like a lost disk.
    await elsewhere.close()
    file = tmp_path / "gateway.db"
    file.rename(tmp_path / "away.db")
    file.mkdir()
    with pytest.raises(Unavailable):
        await routing.refresh()
    policy = routing.policy("digits")
    assert policy is not None
    assert policy.stable == "1"
    await elsewhere.close()

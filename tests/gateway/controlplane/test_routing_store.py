"""Versions, aliases and rollouts in real databases of both kinds."""

from __future__ import annotations

import asyncio

import pytest

from gateway.controlplane.database import Database
from gateway.controlplane.rollout_store import RolloutStore
from gateway.controlplane.routing_records import Alias
from gateway.controlplane.routing_store import RoutingStore
from gateway.errors import Conflict, NotFound

STEPS = [{"step": "checksum", "outcome": "passed", "seconds": 0.01}]


@pytest.fixture
def store(any_database: Database) -> RoutingStore:
    return RoutingStore(any_database)


@pytest.fixture
def rollouts(any_database: Database) -> RolloutStore:
    return RolloutStore(any_database)


async def deploy(store: RoutingStore, version: str, alias: str = "stable", model: str = "digits") -> bool:
    return await store.admit(model, version, f"digest-{version}", alias, "tester", STEPS)


async def test_an_unknown_model_has_an_empty_state(store: RoutingStore) -> None:
    state = await store.model("digits")
    assert (state.stable, state.wanted, state.rollout, state.policy()) == (None, (), None, None)
    assert await store.models() == (0, {})


async def test_deploying_admits_and_moves_the_alias(store: RoutingStore) -> None:
    assert await deploy(store, "1")
    assert await deploy(store, "2")
    state = await store.model("digits")
    assert state.aliases == {"stable": Alias("2", "1")}
    assert state.admitted == {"1": "digest-1", "2": "digest-2"}
    assert state.wanted == ("2",)
    policy = state.policy()
    assert policy is not None
    assert (policy.stable, policy.admitted, policy.rollout) == ("2", frozenset({"1", "2"}), "")


async def test_deploying_the_same_again_changes_nothing(store: RoutingStore) -> None:
    await deploy(store, "1")
    before = await store.revision()
    assert not await deploy(store, "1")
    assert await store.revision() == before
    assert len(await store.history()) == 1


async def test_own_aliases_come_and_go_and_stable_stays(store: RoutingStore) -> None:
    await deploy(store, "1")
    await deploy(store, "2", "next")
    state = await store.model("digits")
    assert state.wanted == ("1", "2")
    assert state.policy().aliases == {"stable": "1", "next": "2"}  # type: ignore[union-attr]
    await store.delete_alias("digits", "next", "tester")
    assert (await store.model("digits")).wanted == ("1",)
    with pytest.raises(NotFound, match="no alias `next`"):
        await store.delete_alias("digits", "next", "tester")
    with pytest.raises(Conflict, match="needs its alias"):
        await store.delete_alias("digits", "stable", "tester")


async def test_a_rollout_runs_and_is_promoted(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    started = await rollouts.start("digits", "2", "digest-2", 10, "tester")
    policy = (await store.model("digits")).policy()
    assert policy is not None
    assert (policy.stable, policy.candidate, policy.weight, policy.rollout) == ("1", "2", 10, started.id)
    assert policy.aliases == {"stable": "1", "candidate": "2"}
    assert (await rollouts.set_weight("digits", 50, "tester")).weight == 50

    ended = await rollouts.promote("digits", "2", "tester", "looks good")
    assert (ended.state, ended.reason, ended.ended_at is not None) == ("promoted", "looks good", True)
    state = await store.model("digits")
    assert state.aliases == {"stable": Alias("2", "1")}
    assert state.rollout is None
    latest = await rollouts.latest("digits")
    assert latest == ended


async def test_an_aborted_rollout_leaves_stable_alone(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    await rollouts.start("digits", "2", "digest-2", 10, "tester")
    assert (await rollouts.abort("digits", "tester", "")).state == "aborted"
    state = await store.model("digits")
    assert state.aliases == {"stable": Alias("1", None)}
    assert "2" in state.admitted  # it passed; only its trial in traffic ended


async def test_contradictions_are_conflicts(store: RoutingStore, rollouts: RolloutStore) -> None:
    with pytest.raises(Conflict, match="no stable version"):
        await rollouts.start("digits", "2", "d", 10, "tester")
    await deploy(store, "1")
    with pytest.raises(Conflict, match="choose another"):
        await rollouts.start("digits", "1", "d", 10, "tester")
    for change in (
        rollouts.set_weight("digits", 1, "tester"),
        rollouts.promote("digits", "2", "tester", ""),
        rollouts.abort("digits", "tester", ""),
    ):
        with pytest.raises(Conflict, match="No rollout"):
            await change
    await rollouts.start("digits", "2", "d", 10, "tester")
    with pytest.raises(Conflict, match="is running"):
        await rollouts.start("digits", "3", "d", 10, "tester")
    for alias in ("stable", "candidate"):
        with pytest.raises(Conflict, match="promote or abort it first"):
            await deploy(store, "3", alias)
    with pytest.raises(Conflict, match="is running"):
        await store.delete_alias("digits", "candidate", "tester")
    with pytest.raises(Conflict, match="Another rollout"):
        await rollouts.promote("digits", "3", "tester", "")
    assert await deploy(store, "3", "next")  # an alias of one's own is nobody's business


async def test_refused_changes_leave_no_trace(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    before = await store.models()
    with pytest.raises(Conflict):
        await rollouts.start("digits", "1", "d", 10, "tester")
    assert await store.models() == before


async def test_rollback_swaps_stable_and_its_predecessor(store: RoutingStore) -> None:
    await deploy(store, "1")
    await deploy(store, "2")
    await store.rollback("digits", "2", "1", "digest-1", "tester")
    assert (await store.model("digits")).aliases["stable"] == Alias("1", "2")
    with pytest.raises(Conflict, match="changed meanwhile"):
        await store.rollback("digits", "2", "1", "digest-1", "tester")


async def test_only_one_of_many_starts_at_once_wins(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    starts = [rollouts.start("digits", str(n), f"digest-{n}", 5, "tester") for n in range(2, 8)]
    done = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in done) == len(done) - 1
    assert len(await store.history()) == 2


async def test_history_tells_who_did_what(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    await deploy(store, "1", model="other")
    await rollouts.start("digits", "2", "digest-2", 10, "alice")
    await store.record_refusal("digits", "3", "load", "It cannot be loaded.", "bob")
    newest, start, first = await store.history(subject="digits")
    assert (newest.action, newest.actor) == ("deploy.refused", "bob")
    assert newest.detail == {"version": "3", "step": "load", "reason": "It cannot be loaded."}
    assert (start.action, start.actor, start.detail["weight"]) == ("rollout.start", "alice", 10)
    assert first.detail == {"alias": "stable", "version": "1", "previous": None, "steps": STEPS}
    assert [entry.revision for entry in await store.history(before=start.revision, limit=1)] == [2]


async def test_models_do_not_mix(store: RoutingStore, rollouts: RolloutStore) -> None:
    await deploy(store, "1")
    await deploy(store, "7", model="other")
    await rollouts.start("other", "8", "digest-8", 1, "tester")
    _, states = await store.models()
    assert states.keys() == {"digits", "other"}
    assert states["digits"].rollout is None
    assert states["digits"].wanted == ("1",)
    assert states["other"].wanted == ("7", "8")

"""Leases in real databases of both kinds."""

from __future__ import annotations

import asyncio

from gateway.controlplane.database import Database
from gateway.controlplane.leases import Leases


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_one_holder_at_a_time(any_database: Database) -> None:
    leases = Leases(any_database)
    async with leases.held("model/digits") as first, leases.held("model/digits") as second:
        assert (first, second) == (True, False)
        async with leases.held("model/other") as other:
            assert other
    async with leases.held("model/digits") as again:
        assert again


async def test_many_ask_at_once_and_one_gets_it(any_database: Database) -> None:
    leases = Leases(any_database)
    taken = await asyncio.gather(*(leases.take("model/digits", f"holder-{n}") for n in range(8)))
    assert sum(taken) == 1


async def test_a_dead_holders_lease_expires(any_database: Database) -> None:
    clock = Clock()
    leases = Leases(any_database, seconds=15, now=clock)
    assert await leases.take("model/digits", "dead")
    clock.now += 14.9
    assert not await leases.take("model/digits", "heir")
    clock.now += 0.1
    assert await leases.take("model/digits", "heir")
    assert not await leases.take("model/digits", "dead")


async def test_a_living_holder_keeps_it_beyond_its_length(any_database: Database) -> None:
    leases = Leases(any_database, seconds=0.6)
    async with leases.held("model/digits") as mine:
        assert mine
        for _ in range(4):
            await asyncio.sleep(0.3)
            assert not await leases.take("model/digits", "thief")


async def test_the_patient_get_it_when_it_is_returned(any_database: Database) -> None:
    leases = Leases(any_database)
    async with leases.held("model/digits"), leases.held("model/digits", patience=0.2) as early:
        assert not early

    async def hold_shortly() -> None:
        async with leases.held("model/digits"):
            await asyncio.sleep(0.3)

    holding = asyncio.create_task(hold_shortly())
    await asyncio.sleep(0.1)
    async with leases.held("model/digits", patience=10) as mine:
        assert mine
    await holding

"""Waiting in the gateway: bounded, in order, and without lost places."""

from __future__ import annotations

import asyncio
import random

import pytest

from gateway.dataplane.admission import Admission, Gate
from gateway.errors import DeadlineExceeded, Overloaded
from gateway.metrics import Metrics
from gateway.types import ModelSpec, ModelVersion, Principal

SOMEONE = Principal("k", "p", frozenset({"infer"}))


def spec(instances: int = 1, max_batch_size: int = 0) -> ModelSpec:
    return ModelSpec(ModelVersion("m", "1"), "", (), (), max_batch_size, instances)


def gate(limit: int = 1, max_queue: int = 2) -> Gate:
    return Admission(max_in_flight=limit, max_queue=max_queue, metrics=Metrics()).gate(spec())


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def waiting(at: Gate, seconds: float = 5.0) -> asyncio.Task[float]:
    task = asyncio.create_task(at.enter(SOMEONE, soon(seconds)))
    await asyncio.sleep(0)
    return task


async def test_one_runs_some_wait_the_rest_are_refused_at_once() -> None:
    at = gate(limit=1, max_queue=2)
    assert await at.enter(SOMEONE, soon()) == 0.0
    tasks = [await waiting(at), await waiting(at)]
    for _ in range(9):
        with pytest.raises(Overloaded) as error:
            await at.enter(SOMEONE, soon())
        assert error.value.retry_after == 1
    assert (at.in_flight, at.queued) == (1, 2)
    for task in tasks:
        at.leave()
        assert await task > 0.0
    at.leave()
    assert (at.in_flight, at.queued) == (0, 0)


async def test_first_come_first_served() -> None:
    at = gate(limit=1, max_queue=10)
    await at.enter(SOMEONE, soon())
    order: list[int] = []

    async def go(number: int) -> None:
        await at.enter(SOMEONE, soon())
        order.append(number)
        at.leave()

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(go(number)))
        await asyncio.sleep(0)
    at.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_the_deadline_ends_the_wait() -> None:
    at = gate()
    await at.enter(SOMEONE, soon())
    with pytest.raises(DeadlineExceeded):
        await at.enter(SOMEONE, soon(0.02))
    assert at.queued == 0
    at.leave()
    assert await at.enter(SOMEONE, soon()) == 0.0


async def test_a_caller_who_left_frees_its_place_in_the_queue() -> None:
    at = gate(limit=1, max_queue=1)
    await at.enter(SOMEONE, soon())
    gone = await waiting(at)
    gone.cancel()
    await asyncio.wait([gone])
    stays = await waiting(at)
    at.leave()
    await stays
    assert (at.in_flight, at.queued) == (1, 0)


async def test_leaving_in_the_moment_the_place_comes_passes_it_on() -> None:
    at = gate(limit=1, max_queue=2)
    await at.enter(SOMEONE, soon())
    unlucky, next_one = await waiting(at), await waiting(at)
    at.leave()  # hands the place to `unlucky` …
    unlucky.cancel()  # … which leaves before it runs
    await asyncio.wait([unlucky])
    await next_one
    assert (at.in_flight, at.queued) == (1, 0)


async def test_nothing_is_lost_in_a_long_random_history() -> None:
    at, chance = gate(limit=3, max_queue=5), random.Random(4)

    async def go() -> None:
        try:
            await at.enter(SOMEONE, soon(chance.choice((0.001, 0.01, 5))))
        except (DeadlineExceeded, Overloaded):
            return
        try:
            assert at.in_flight <= 3
            await asyncio.sleep(chance.choice((0, 0.001, 0.003)))
        finally:
            at.leave()

    tasks = []
    for _ in range(1000):
        tasks.append(asyncio.create_task(go()))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(0.0005)
    await asyncio.wait(tasks)
    assert (at.in_flight, at.queued) == (0, 0)


@pytest.mark.parametrize(("instances", "batch", "limit"), [(1, 0, 2), (2, 0, 4), (1, 8, 16), (3, 32, 192)])
def test_the_limit_follows_the_model(instances: int, batch: int, limit: int) -> None:
    admission = Admission(max_in_flight=None, max_queue=1, metrics=Metrics())
    assert admission.gate(spec(instances, batch)).limit == limit
    assert admission.gate(spec(1, 0)).limit == 2  # the same gate, for the model as it is now


async def test_the_gauges_tell_the_truth() -> None:
    metrics = Metrics()
    at = Admission(max_in_flight=1, max_queue=2, metrics=metrics).gate(spec())

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"model": "m"})

    await at.enter(SOMEONE, soon())
    task = await waiting(at)
    assert value("tidegate_in_flight_requests") == 1
    assert value("tidegate_queued_requests") == 1
    at.leave()
    await task
    at.leave()
    assert value("tidegate_in_flight_requests") == 0
    assert value("tidegate_queued_requests") == 0
    assert value("tidegate_queue_duration_seconds_count") == 2


async def test_a_candidate_that_hangs_takes_no_place_of_stable() -> None:
    metrics = Metrics()
    admission = Admission(max_in_flight=1, max_queue=0, metrics=metrics)
    stable, candidate = (
        admission.gate(ModelSpec(ModelVersion("m", version), "", (), (), 0)) for version in ("1", "2")
    )
    await candidate.enter(SOMEONE, soon())
    with pytest.raises(Overloaded):
        await candidate.enter(SOMEONE, soon())
    assert await stable.enter(SOMEONE, soon()) == 0.0
    assert metrics.registry.get_sample_value("tidegate_in_flight_requests", {"model": "m"}) == 2

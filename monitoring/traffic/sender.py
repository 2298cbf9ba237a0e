"""Sends requests at a steady rate, whatever the answers do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from monitoring.traffic.mix import Kind, Model, Request
from monitoring.traffic.settings import TrafficSettings
from monitoring.traffic.summary import Summary


def send(
    client: httpx.Client,
    key: Mapping[str, str],
    models: Sequence[Model],
    mix: Mapping[str, Kind],
    settings: TrafficSettings,
    summary: Summary,
    progress: Callable[[], None],
) -> None:
    """Send `rate` requests per second for `duration` seconds, at most `settings.concurrency` at a time.

    Args:
        client: knows the gateway's address.
        key: the header of the API key.
        models: chosen among with equal chance.
        mix: chosen among by weight.
        settings: how much.
        summary: counts what comes of it; complete when this returns.
        progress: called once per request due.
    """
    places = threading.Semaphore(settings.concurrency)
    requests = _requests(models, mix, settings.seed)
    start = time.monotonic()

    def one(name: str, request: Request) -> None:
        try:
            _send_one(client, key, name, request, summary)
        finally:
            places.release()

    with ThreadPoolExecutor(settings.concurrency) as pool:
        for number in range(round(settings.rate * settings.duration)):
            time.sleep(max(0.0, start + number / settings.rate - time.monotonic()))
            name, request = next(requests)
            if places.acquire(blocking=False):
                pool.submit(one, name, request)
            else:
                summary.not_sent()
            progress()


def _requests(models: Sequence[Model], mix: Mapping[str, Kind], seed: int) -> Iterator[tuple[str, Request]]:
    dice = random.Random(seed)  # noqa: S311 - repeatable traffic, no secret
    weights = [kind.weight for kind in mix.values()]
    while True:
        (name,) = dice.choices(list(mix), weights)
        yield name, mix[name].build(dice.choice(models), dice)


def _send_one(
    client: httpx.Client, key: Mapping[str, str], kind: str, request: Request, summary: Summary
) -> None:
    headers = {**request.headers, **(key if request.with_key else {})}
    start = time.monotonic()
    try:
        response = client.request(request.method, request.path, content=request.content, headers=headers)
    except httpx.HTTPError as error:
        summary.unanswered(type(error).__name__)
    else:
        summary.answered(kind, response.status_code, time.monotonic() - start)

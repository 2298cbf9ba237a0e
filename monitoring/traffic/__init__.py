"""Traffic to look at the dashboards with: a realistic mix of good and bad requests to a running gateway.

A new kind of request is a function in `traffic.mix` and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitoring.traffic import mix
from monitoring.traffic.discovery import discover
from monitoring.traffic.mix import Kind
from monitoring.traffic.sender import send
from monitoring.traffic.settings import TrafficSettings, api_key
from monitoring.traffic.summary import Summary

MIX: Mapping[str, Kind] = {
    "v2 json": Kind(45, mix.v2_json),
    "v2 binary": Kind(25, mix.v2_binary),
    "v1 predict": Kind(15, mix.v1_predict),
    "metadata": Kind(5, mix.metadata),
    "wrong shape": Kind(3, mix.wrong_shape, (400,)),
    "broken json": Kind(2, mix.broken_json, (400,)),
    "unknown model": Kind(2, mix.unknown_model, (404,)),
    "without key": Kind(2, mix.without_key, (401,)),
    "wrong key": Kind(1, mix.wrong_key, (401,)),
}


def run(settings: TrafficSettings, state_dir: Path, console: Console) -> Summary:
    """Send the traffic with progress and print the summary; Ctrl-C ends it early, summary included.

    Raises:
        StackUnreachable: when there is no key, no gateway or no model.
        UnsupportedInput: when no model takes inputs the traffic can make.
    """
    key = {"Authorization": f"Bearer {api_key(state_dir)}"}
    limits = httpx.Limits(
        max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
    )
    summary = Summary(MIX)
    client = httpx.Client(base_url=settings.url, timeout=settings.timeout, limits=limits, trust_env=False)
    with client, _progress(console) as progress:
        models = discover(client, key, settings.models)
        names = ", ".join(model.name for model in models)
        console.print(
            f"{settings.rate:g} requests/s for {settings.duration:g} s to {names} at {settings.url}"
        )
        task = progress.add_task("sending", total=round(settings.rate * settings.duration), counts="")
        try:
            send(
                client,
                key,
                models,
                MIX,
                settings,
                summary,
                lambda: progress.update(task, advance=1, counts=summary.line()),
            )
        except KeyboardInterrupt:
            console.print("Stopped early.")
    console.print(summary.table())
    return summary


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[counts]}"))
    return Progress(*columns, console=console)

"""What a person sees while Prometheus runs: its targets once, then every alert that fires or resolves."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from monitoring.errors import PrometheusDied
from monitoring.prometheus import Prometheus

POLL_SECONDS = 2.0
# Prometheus takes up its targets only some seconds after it is ready.
DISCOVERY_SECONDS = 10.0


def watch(prometheus: Prometheus, console: Console) -> None:
    """Print until Ctrl-C or SIGTERM.

    Raises:
        PrometheusDied: when Prometheus ends by itself.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    url = prometheus.config.url
    console.print(f"Prometheus: {url}", highlight=False)
    with console.status("Waiting for the first scrape of every target …"):
        _wait_for_scrapes(prometheus, stopped)
    targets = prometheus.targets()
    console.print(_table(targets))
    if any(target["health"] != "up" for target in targets):
        console.print("Start what is down with `make up`; Prometheus notices by itself.")
    console.print("Alerts are printed as they fire and resolve. Ctrl-C stops.")
    firing: dict[str, str] = {}
    while not stopped.wait(POLL_SECONDS):
        firing = _report(prometheus, firing, console)
    console.print("Stopping Prometheus.")


def _wait_for_scrapes(prometheus: Prometheus, stopped: threading.Event) -> None:
    deadline = time.monotonic() + DISCOVERY_SECONDS + prometheus.config.scrape.interval
    while time.monotonic() < deadline and not stopped.wait(0.2):
        targets = prometheus.targets()
        if targets and all(target["health"] != "unknown" for target in targets):
            return


def _table(targets: Sequence[dict[str, Any]]) -> Table:
    table = Table("job", "target", "health", "last error")
    for target in targets:
        labels = target["labels"]
        table.add_row(labels["job"], labels["instance"], target["health"], target["lastError"])
    return table


def _report(prometheus: Prometheus, before: dict[str, str], console: Console) -> dict[str, str]:
    try:
        alerts = [alert for alert in prometheus.alerts() if alert["state"] == "firing"]
    except httpx.HTTPError:
        if prometheus.exit_code is not None:
            raise PrometheusDied(f"Prometheus ended by itself; look into {prometheus.log}.") from None
        return before
    now = {_key(alert): alert["annotations"]["description"] for alert in alerts}
    for word, keys in (("firing", now.keys() - before.keys()), ("resolved", before.keys() - now.keys())):
        for key in sorted(keys):
            line = f"{time.strftime('%H:%M:%S')} {word:8} {key} {now.get(key, '')}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return now


def _key(alert: dict[str, Any]) -> str:
    labels = dict(alert["labels"])
    name = labels.pop("alertname")
    return f"{name}{{{', '.join(f'{k}={v}' for k, v in sorted(labels.items()))}}}"

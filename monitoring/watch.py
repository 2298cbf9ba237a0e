"""What a person sees while Prometheus runs: its targets once, then every alert as it changes."""

from __future__ import annotations

import time
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from monitoring.errors import PrometheusDied
from monitoring.prometheus import Prometheus

POLL_SECONDS = 2.0
FIRST_SCRAPE_SECONDS = 30.0


def watch(prometheus: Prometheus, console: Console) -> None:
    """Print until Ctrl-C.

    Raises:
        PrometheusDied: when Prometheus ends by itself.
    """
    url = prometheus.config.url
    console.print(f"Prometheus: {url}  (targets {url}/targets, alerts {url}/alerts)")
    seen: dict[str, str] = {}
    try:
        with console.status("Waiting for the first scrape of every target …"):
            _wait_for_scrapes(prometheus)
        console.print(_targets(prometheus))
        console.print("Alerts are printed as they change. Ctrl-C stops.")
        while True:
            seen = _report(prometheus, seen, console)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        console.print("Stopping Prometheus.")


def _wait_for_scrapes(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + FIRST_SCRAPE_SECONDS
    while time.monotonic() < deadline:
        if all(target["health"] != "unknown" for target in prometheus.targets()):
            return
        time.sleep(0.5)


def _targets(prometheus: Prometheus) -> Table:
    table = Table("job", "target", "health", "last error")
    for target in prometheus.targets():
        labels = target["labels"]
        table.add_row(labels["job"], labels["instance"], target["health"], target["lastError"])
    return table


def _report(prometheus: Prometheus, seen: dict[str, str], console: Console) -> dict[str, str]:
    try:
        alerts = prometheus.alerts()
    except httpx.HTTPError:
        if prometheus.exit_code is not None:
            raise PrometheusDied(f"Prometheus ended by itself; look into {prometheus.log}.") from None
        return seen
    now = {_key(alert): alert["state"] for alert in alerts}
    texts = {_key(alert): alert["annotations"].get("description", "") for alert in alerts}
    clock = time.strftime("%H:%M:%S")
    for key, state in now.items():
        if seen.get(key) != state:
            console.print(f"{clock} {state:8} {key}: {texts[key]}", markup=False, highlight=False)
    for key in seen.keys() - now.keys():
        console.print(f"{clock} {'resolved':8} {key}", markup=False, highlight=False)
    return now


def _key(alert: dict[str, Any]) -> str:
    labels = dict(alert["labels"])
    name = labels.pop("alertname")
    return f"{name}{{{', '.join(f'{k}={v}' for k, v in sorted(labels.items()))}}}"

"""A real Prometheus for tests, with our rules, against a real stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from monitoring.config import RuleConfig
from monitoring.prometheus import Prometheus, PrometheusConfig, running
from monitoring.scrape import ScrapeConfig
from tests.support.triton import free_ports


@contextmanager
def running_prometheus(
    directory: Path,
    urls: Mapping[str, str],
    *,
    interval: float = 0.5,
    rules: RuleConfig = RuleConfig(),  # noqa: B008 - frozen
) -> Iterator[Prometheus]:
    """Run Prometheus until the block ends; every target has been scraped once when it begins.

    Args:
        directory: for configuration, data and log.
        urls: one URL of each job; only its host and port count.
        interval: seconds between scrapes and between evaluations.
        rules: numbers and time scale of the rules.
    """
    targets = {job: (urlsplit(url).netloc,) for job, url in urls.items()}
    config = PrometheusConfig(
        directory=directory,
        port=free_ports(1)[0],
        scrape=ScrapeConfig(targets=targets, interval=interval),
        rules=rules,
    )
    directory.mkdir(parents=True, exist_ok=True)
    with running(config) as prometheus:
        wait_for(lambda: len(prometheus.query("up == 1")) == len(targets), 60, f"not all up: {urls}")
        yield prometheus


def wait_for(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    """Return once `condition` is true; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def firing(prometheus: Prometheus) -> set[str]:
    """Return the alerts that fire now: each name, and `name:model` where one names a model."""
    found: set[str] = set()
    for alert in prometheus.alerts():
        if alert["state"] == "firing":
            labels = alert["labels"]
            found |= {labels["alertname"], f"{labels['alertname']}:{labels.get('model', '')}"}
    return found

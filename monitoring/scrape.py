"""The scrape configuration of Prometheus: one job per component, the rules beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB, format_duration

HEADER = "# Written by `python -m monitoring rules`; change monitoring/scrape.py, not the file.\n"


@dataclass(frozen=True)
class ScrapeConfig:
    """What Prometheus scrapes, how often, and which rules it evaluates.

    Attributes:
        targets: `host:port` by job; the alerts know the jobs by name. The default is what `make up` starts.
        rule_files: globs, relative to the configuration file.
        interval: seconds between scrapes and between evaluations.
    """

    targets: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            GATEWAY_JOB: ("127.0.0.1:8081",),
            TRITON_JOB: ("127.0.0.1:8002",),
            SUPERVISOR_JOB: ("127.0.0.1:8003",),
        }
    )
    rule_files: Sequence[str] = ("rules/*.yaml",)
    interval: float = 15.0

    def render(self) -> str:
        """Return the YAML of `prometheus.yml`."""
        interval = format_duration(self.interval)
        document = {
            "global": {
                "scrape_interval": interval,
                # A target that answers slower than it is asked is as good as down.
                "scrape_timeout": format_duration(min(self.interval, 10.0)),
                "evaluation_interval": interval,
            },
            "rule_files": list(self.rule_files),
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                for job, targets in self.targets.items()
            ],
        }
        return HEADER + yaml.safe_dump(document, sort_keys=False)

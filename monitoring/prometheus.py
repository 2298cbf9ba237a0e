"""A real Prometheus as a child process, with our scrape configuration and rules."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from monitoring.config import RuleConfig
from monitoring.errors import MonitoringError, ProgramMissing, PrometheusDied
from monitoring.rules import rule_files
from monitoring.scrape import ScrapeConfig

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_TAIL_LINES = 10


@dataclass(frozen=True)
class PrometheusConfig:
    """What to run and where.

    Attributes:
        directory: configuration, data and log; survives restarts.
        port: of the web interface and the API.
        host: address it binds.
        scrape: targets; its `rule_files` are replaced by ours.
        rules: numbers of the rules; a fault test scales their time.
        retention: how long samples are kept, as Prometheus writes a duration.
    """

    directory: Path
    port: int = 9090
    host: str = "127.0.0.1"
    scrape: ScrapeConfig = field(default_factory=ScrapeConfig)
    rules: RuleConfig = field(default_factory=RuleConfig)
    retention: str = "7d"

    @property
    def url(self) -> str:
        """Base URL of the web interface and the API."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """Return Prometheus' command line.

        Raises:
            ProgramMissing: without the Debian package.
        """
        return [
            program("prometheus"),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--storage.tsdb.retention.time={self.retention}",
            f"--web.listen-address={self.host}:{self.port}",
        ]

    def write(self) -> None:
        """Write the configuration and the rules into the directory."""
        rules = self.directory / "rules"
        rules.mkdir(parents=True, exist_ok=True)
        for name, text in rule_files(self.rules).items():
            (rules / name).write_text(text)
        (self.directory / "prometheus.yml").write_text(self.scrape.render())


def program(name: str) -> str:
    """Return the path of a program of the Debian package `prometheus`.

    Raises:
        ProgramMissing: when it is not installed.
    """
    if path := shutil.which(name):
        return path
    raise ProgramMissing(f"The program `{name}` is not installed. Run `apt-get install prometheus`.")


class Prometheus:
    """A running Prometheus and the few questions we ask it."""

    def __init__(self, config: PrometheusConfig, process: subprocess.Popen[bytes], log: Path) -> None:
        self.config = config
        self.log = log
        self._process = process
        self._client = httpx.Client(base_url=config.url, timeout=10, trust_env=False)

    @property
    def exit_code(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._process.poll()

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Return once it answers queries.

        Raises:
            PrometheusDied: when it ends first or `seconds` pass.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise PrometheusDied(f"Prometheus ended by itself:\n{self._tail()}{self._hint()}")
            try:
                if self._client.get("/-/ready").is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(POLL_SECONDS)
        raise PrometheusDied(f"Prometheus was not ready after {seconds:.0f} s. Look into {self.log}.")

    def api(self, path: str, **parameters: str) -> Any:
        """Return the `data` of GET `/api/v1/<path>`.

        Raises:
            MonitoringError: when Prometheus refuses the question.
        """
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        if answer.get("status") != "success":
            raise MonitoringError(f"Prometheus refuses {path} {parameters}: {answer['error']}. Correct it.")
        return answer["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return an instant query's samples: `{"metric": {label: value}, "value": [time, text]}` each."""
        result: list[dict[str, Any]] = self.api("query", query=expr)["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """Return what is pending or firing: `{"labels": …, "annotations": …, "state": …}` each."""
        result: list[dict[str, Any]] = self.api("alerts")["alerts"]
        return result

    def targets(self) -> list[dict[str, Any]]:
        """Return the targets: `{"labels": …, "health": "up"|"down"|"unknown", "lastError": …}` each."""
        result: list[dict[str, Any]] = self.api("targets")["activeTargets"]
        return result

    def stop(self) -> None:
        """Stop it; kill it should it not end in time."""
        self._client.close()
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "".join(f"  {line}\n" for line in lines)

    def _hint(self) -> str:
        if "address already in use" in self.log.read_text(errors="replace"):
            return f"Port {self.config.port} is taken: choose another with --port."
        return f"Its whole log: {self.log}"


@contextmanager
def running(config: PrometheusConfig) -> Iterator[Prometheus]:
    """Start Prometheus, yield it once it is ready, and stop it on the way out.

    Raises:
        ProgramMissing: without the Debian package.
        PrometheusDied: when it does not come up.
    """
    command = config.command()
    config.write()
    log = config.directory / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    prometheus = Prometheus(config, process, log)
    try:
        prometheus.wait_until_ready()
        yield prometheus
    finally:
        prometheus.stop()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

"""Runs a Triton for as long as it is wanted: starts it, watches it, starts it again, stops it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from embedded.backoff import Backoff
from embedded.errors import StartError
from embedded.launcher import Installation
from embedded.loaded_models import LoadedModels
from embedded.metrics import SupervisorMetrics
from embedded.model_watch import ModelWatch
from embedded.ports import require_free
from embedded.process import TritonProcess
from embedded.shared_memory import sweep_dead, this_process
from embedded.triton_api import TritonApi

_LOGGER = logging.getLogger("embedded.supervisor")


@dataclass(frozen=True)
class SupervisorConfig:
    """How the supervisor watches.

    Attributes:
        metrics_port: port of the supervisor's own metrics.
        tick_seconds: how often it looks whether the server's process lives.
        probe_seconds: how often it asks the server whether it is live.
        hang_seconds: how long the server may stay silent before it is killed and started again.
    """

    metrics_port: int = 8003
    tick_seconds: float = 0.1
    probe_seconds: float = 1.0
    hang_seconds: float = 30.0


class Supervisor:
    """Keeps one embedded Triton running.

    Args:
        installation: the prepared server.
        config: how to watch it.
        metrics: where to count.
        stop: set by whoever wants it to end, e.g. a signal handler.
    """

    def __init__(
        self,
        installation: Installation,
        config: SupervisorConfig,
        metrics: SupervisorMetrics,
        stop: threading.Event,
    ) -> None:
        self._installation = installation
        self._config = config
        self._metrics = metrics
        self._stop = stop
        self._memory = LoadedModels()
        self._backoff = Backoff()

    def run(self) -> bool:
        """Run until `stop` is set. Call it from the main thread, whose end also ends the server.

        Returns:
            Whether the server stopped by itself, with every request answered.

        Raises:
            ConfigurationError: a port is taken.
            StartError: the very first start failed; a later one is tried again and again.
        """
        config = self._installation.config
        require_free(config.host, config.ports)
        swept = sweep_dead()
        if swept:
            _LOGGER.info("removed shared memory of dead servers", extra={"regions": len(swept)})
        generation = 0
        while True:
            process = self._start(generation)
            graceful = self._run_once(process, first=generation == 0)
            if self._stop.is_set():
                return graceful
            generation += 1
            self._metrics.restarts.inc()
            delay = self._backoff.delay(time.monotonic() - process.started_at)
            _LOGGER.warning("server will be started again", extra={"delay_seconds": delay})
            if self._stop.wait(delay):
                return True

    def _start(self, generation: int) -> TritonProcess:
        load_models = () if self._memory.known else self._installation.config.load_models
        process = TritonProcess(self._installation, this_process(generation), load_models)
        _LOGGER.info("server started", extra={"pid": process.pid, "start": generation + 1})
        return process

    def _run_once(self, process: TritonProcess, *, first: bool) -> bool:
        """Look after one server until it is gone; returns whether it stopped gracefully."""
        try:
            with self._api() as api:
                if self._wait_live(process, api):
                    with self._watching_models(process):
                        self._watch(process, api)
                elif first and not self._stop.is_set():
                    raise StartError(
                        f"Triton did not come up (exit code {process.exit_code()}); the lines of logger "
                        "'triton' above say why."
                    )
            return process.stop() if self._stop.is_set() else True
        finally:
            self._metrics.up.set(0)
            code = process.kill()
            level = logging.INFO if self._stop.is_set() else logging.ERROR
            _LOGGER.log(level, "server ended", extra={"pid": process.pid, "exit_code": code})

    def _wait_live(self, process: TritonProcess, api: TritonApi) -> bool:
        deadline = process.started_at + self._installation.config.start_timeout_seconds
        while time.monotonic() < deadline and not self._stop.is_set() and process.exit_code() is None:
            if api.is_live():
                seconds = round(time.monotonic() - process.started_at, 3)
                _LOGGER.info("server is live", extra={"pid": process.pid, "seconds": seconds})
                self._metrics.up.set(1)
                return True
            self._stop.wait(self._config.tick_seconds)
        return False

    def _watch(self, process: TritonProcess, api: TritonApi) -> None:
        """Return when the server died, hung, or should stop."""
        answered = next_probe = time.monotonic()
        silent = False
        while not self._stop.wait(self._config.tick_seconds) and process.exit_code() is None:
            if time.monotonic() < next_probe:
                continue
            live = api.is_live()
            now = time.monotonic()
            next_probe = now + self._config.probe_seconds
            if live:
                answered = now
            if live == silent:
                silent = not live
                self._metrics.up.set(live)
                _LOGGER.warning("server answers again" if live else "server does not answer")
            if now - answered >= self._config.hang_seconds:
                _LOGGER.error("server hangs and is killed", extra={"seconds": round(now - answered, 1)})
                return

    @contextmanager
    def _watching_models(self, process: TritonProcess) -> Iterator[None]:
        config = self._installation.config
        ended = threading.Event()
        with self._api() as api:
            watch = ModelWatch(
                api,
                process.pid,
                config.model_repository.resolve(),
                self._memory,
                self._metrics,
                leftover_seconds=config.exit_timeout_seconds,
            )
            thread = threading.Thread(target=watch.run, args=(ended,), name="model-watch", daemon=True)
            thread.start()
            try:
                yield
            finally:
                ended.set()
                # A load it waits for may take long, but ends with the server at the latest.
                thread.join(timeout=1.0)

    def _api(self) -> TritonApi:
        config = self._installation.config
        return TritonApi(config.http_url, config.metrics_url, self._installation.secret)


def supervise(installation: Installation, config: SupervisorConfig, stop: threading.Event) -> bool:
    """Run a supervised Triton, with metrics, until `stop` is set; see `Supervisor.run`."""
    metrics = SupervisorMetrics()
    server, thread = metrics.serve(installation.config.host, config.metrics_port)
    try:
        return Supervisor(installation, config, metrics, stop).run()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

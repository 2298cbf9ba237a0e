"""Keeps the models of a live server alive: restores them after a restart, replaces dead processes."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from embedded.backoff import Backoff
from embedded.errors import TritonApiError, TritonUnreachableError
from embedded.loaded_models import LoadedModel, LoadedModels
from embedded.metrics import SupervisorMetrics
from embedded.model_processes import ModelProcess, model_processes
from embedded.triton_api import TritonApi

_LOGGER = logging.getLogger("embedded.model_watch")

LOOK_SECONDS = 0.4
_CONFIG_SECONDS = 10.0
_RESTORE_TRIES = 3
# Each load keeps one of Triton's HTTP threads busy; some must stay free for everybody else.
_RESTORE_THREADS = 4
# A parameter no backend knows: it makes the configuration differ, and so Triton start new processes.
_MARK = "tidegate_process_restart"

_Signature = tuple[frozenset[str], frozenset[int]]


class ModelWatch:
    """Watches the models of one run of the server, from a thread of its own.

    Args:
        api: the server.
        server_pid: its process id.
        repository: its model repository, resolved.
        memory: what is loaded; outlives the server.
        metrics: where to report.
        leftover_seconds: how long a replaced process may finish its requests before it is ended.
    """

    def __init__(
        self,
        api: TritonApi,
        server_pid: int,
        repository: Path,
        memory: LoadedModels,
        metrics: SupervisorMetrics,
        leftover_seconds: float = 25.0,
    ) -> None:
        self._api = api
        self._server_pid = server_pid
        self._repository = repository
        self._memory = memory
        self._metrics = metrics
        self._leftover_seconds = leftover_seconds
        self._cache: dict[str, tuple[_Signature, float, LoadedModel]] = {}
        self._suspects: frozenset[str] = frozenset()
        self._backoffs: dict[str, Backoff] = {}
        self._not_before: dict[str, float] = {}
        self._recovered_at: dict[str, float] = {}
        self._leftovers: dict[int, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Restore what was loaded, then look after the models until told to stop."""
        self._restore(stop)
        while not stop.is_set():
            try:
                self.look()
            except TritonUnreachableError:
                pass  # the supervisor watches the server itself, and says so
            except TritonApiError as error:
                _LOGGER.warning("cannot see the models: %s", error)
            stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Look once: remember what is loaded, and replace processes found dead twice in a row."""
        processes = model_processes(self._server_pid, self._repository)
        loaded = self._loaded(processes)
        self._memory.remember(loaded.values())
        incomplete = {name for name, model in loaded.items() if _dead(model, processes)}
        self._metrics.set_model_processes(
            {name: name not in incomplete for name, model in loaded.items() if model.processes_per_version}
        )
        # One look may fall between the start of a new process and the end of an old one.
        for name in sorted(incomplete & self._suspects):
            self._replace(loaded[name], processes)
        self._suspects = frozenset(incomplete)
        self._end_leftovers(processes)

    def _loaded(self, processes: list[ModelProcess]) -> dict[str, LoadedModel]:
        versions: dict[str, set[str]] = {}
        for entry in self._api.index():
            if entry.state == "READY":
                versions.setdefault(entry.model, set()).add(entry.version)
        loaded: dict[str, LoadedModel] = {}
        for name, ready in versions.items():
            pids = frozenset(process.pid for process in processes if process.model == name)
            model = self._describe(name, frozenset(ready), pids)
            if model is not None:
                loaded[name] = model
        self._cache = {name: entry for name, entry in self._cache.items() if name in loaded}
        return loaded

    def _describe(self, name: str, versions: frozenset[str], pids: frozenset[int]) -> LoadedModel | None:
        """The model with its configuration, asked for again whenever something about the model changed."""
        signature = (versions, pids)
        cached = self._cache.get(name)
        fresh = cached is not None and cached[0] == signature and time.monotonic() < cached[1]
        if cached is not None and fresh:
            return cached[2]
        try:
            model = LoadedModel(name, versions, self._api.config(name))
        except TritonUnreachableError:
            raise
        except TritonApiError:
            return None  # unloaded since the index was read
        self._cache[name] = (signature, time.monotonic() + _CONFIG_SECONDS, model)
        return model

    def _replace(self, model: LoadedModel, processes: list[ModelProcess]) -> None:
        """Bring a model with dead processes back.

        A load with a changed configuration makes Triton start new processes beside the old ones and
        switch when they are ready. Unloading first would fail the requests that healthy instances of the
        model still answer, and can hang on the dead process.
        """
        now = time.monotonic()
        if now < self._not_before.get(model.name, 0.0):
            return
        dead = _dead(model, processes)
        _LOGGER.error("model process died", extra={"model": model.name, "dead": dead})
        config = model.restoring_config()
        config["parameters"] = {
            **(config.get("parameters") or {}),
            _MARK: {"string_value": str(time.time_ns())},
        }
        backoff = self._backoffs.setdefault(model.name, Backoff(first=1.0))
        self._not_before[model.name] = now + backoff.delay(now - self._recovered_at.get(model.name, 0.0))
        try:
            self._api.load(model.name, config)
        except TritonApiError as error:
            _LOGGER.error("model process was not replaced: %s", error, extra={"model": model.name})
            return
        self._recovered_at[model.name] = time.monotonic()
        self._metrics.model_process_restarts.labels(model.name).inc()
        for process in processes:
            # Triton may never get round to ending the dead process's siblings.
            if process.model == model.name:
                self._leftovers[process.pid] = time.monotonic() + self._leftover_seconds
        seconds = round(time.monotonic() - now, 3)
        _LOGGER.info("model process replaced", extra={"model": model.name, "seconds": seconds})

    def _end_leftovers(self, processes: list[ModelProcess]) -> None:
        alive = {process.pid for process in processes}
        self._leftovers = {pid: due for pid, due in self._leftovers.items() if pid in alive}
        for pid, due in self._leftovers.items():
            if time.monotonic() >= due:
                os.kill(pid, signal.SIGKILL)
                _LOGGER.info("ended a replaced model process", extra={"pid": pid})

    def _restore(self, stop: threading.Event) -> None:
        models = self._memory.models()
        with ThreadPoolExecutor(_RESTORE_THREADS, thread_name_prefix="restore") as pool:
            # An ensemble pulls in the models it connects, which must come with their own configuration.
            for is_ensemble in (False, True):
                wanted = [model for model in models if model.is_ensemble is is_ensemble]
                list(pool.map(lambda model: self._restore_model(model, stop), wanted))

    def _restore_model(self, model: LoadedModel, stop: threading.Event) -> None:
        backoff = Backoff(first=1.0)
        for _ in range(_RESTORE_TRIES):
            if stop.is_set():
                return
            try:
                self._api.load(model.name, model.restoring_config())
            except TritonUnreachableError:
                return  # died again; what is remembered stays
            except TritonApiError as error:
                _LOGGER.error("model was not restored: %s", error, extra={"model": model.name})
                stop.wait(backoff.delay(0.0))
            else:
                _LOGGER.info("model restored", extra={"model": model.name})
                return


def _dead(model: LoadedModel, processes: list[ModelProcess]) -> int:
    """How many processes the ready versions of a model lack."""
    alive = Counter(process.version for process in processes if process.model == model.name)
    return sum(max(0, model.processes_per_version - alive[version]) for version in model.versions)

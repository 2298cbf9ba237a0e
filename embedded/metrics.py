"""The supervisor's own metrics, served on a loopback port of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, start_http_server

from embedded.ports import require_free


class SupervisorMetrics:
    """What the supervisor counts; labels are names of models that are loaded, so they are bounded."""

    def __init__(self) -> None:
        # The client's switch is one for the process: `_created` doubles the series and nothing reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.up = Gauge(
            "tidegate_embedded_triton_up",
            "1 while the embedded Triton answers, else 0.",
            registry=self.registry,
        )
        self.restarts = Counter(
            "tidegate_embedded_triton_restarts",
            "Times the embedded Triton was started again after it died or hung.",
            registry=self.registry,
        )
        self.model_process_restarts = Counter(
            "tidegate_embedded_model_process_restarts",
            "Times dead model processes of a model were replaced.",
            ["model"],
            registry=self.registry,
        )
        self._model_process_up = Gauge(
            "tidegate_embedded_model_process_up",
            "1 while every model process of a loaded model is alive, else 0.",
            ["model"],
            registry=self.registry,
        )
        self._models: set[str] = set()

    def set_model_processes(self, up: Mapping[str, bool]) -> None:
        """Report the loaded models: name → whether all of their processes are alive."""
        for model, alive in up.items():
            self._model_process_up.labels(model).set(alive)
            # Exists at zero from the first look on, so that an increase can be seen.
            self.model_process_restarts.labels(model)
        for gone in self._models - up.keys():
            with contextlib.suppress(KeyError):
                self._model_process_up.remove(gone)
        self._models = set(up)

    def serve(self, host: str, port: int) -> tuple[WSGIServer, Thread]:
        """Serve `/metrics` from a thread of its own.

        Raises:
            PortInUseError: something already listens there.
        """
        require_free(host, {"--supervisor-port": port})
        return start_http_server(port, host, registry=self.registry)

"""The settings of an embedded Triton."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embedded.errors import ConfigurationError

_MIB = 1024 * 1024


@dataclass(frozen=True)
class TritonConfig:
    """How to run one Triton on this machine.

    Attributes:
        model_repository: directory of models in Triton's layout.
        state_dir: where the assembled backends, the admin secret and nothing else is kept; mode 0700.
        host: address all three ports listen on. Triton authenticates nobody: keep it on loopback.
        http_port: Triton's REST API.
        grpc_port: Triton's gRPC API.
        metrics_port: Triton's own Prometheus metrics.
        admin_secret: value of the header that opens the restricted APIs; None uses the one kept in
            `state_dir`, which is generated at the first start.
        load_models: models to load at start; `("*",)` means all. Empty leaves loading to the gateway.
        exit_timeout_seconds: how long requests in flight may still run after SIGTERM.
        start_timeout_seconds: how long the server may take to answer, loading `load_models` included.
        http_threads: Triton's HTTP threads; a load keeps one busy until it is done.
        shm_bytes: shared memory each model process starts with; it grows by itself and never shrinks.
        response_cache_bytes: size of Triton's response cache; 0 leaves it out.
        log_verbose: Triton's verbosity; 0 is quiet.
    """

    model_repository: Path
    state_dir: Path
    host: str = "127.0.0.1"
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    admin_secret: str | None = None
    load_models: tuple[str, ...] = ()
    exit_timeout_seconds: int = 25
    start_timeout_seconds: float = 300.0
    http_threads: int = 8
    shm_bytes: int = 4 * _MIB
    response_cache_bytes: int = 0
    log_verbose: int = 0

    def __post_init__(self) -> None:
        if not self.model_repository.is_dir():
            raise ConfigurationError(
                f"The model repository {self.model_repository} is not a directory; create it, or name "
                "another with --model-repository."
            )
        ports = self.ports
        for name, port in ports.items():
            if not 1 <= port <= 65535:
                raise ConfigurationError(f"Port {port} ({name}) does not exist; use one from 1 to 65535.")
        if len(set(ports.values())) < len(ports):
            listed = ", ".join(f"{name} {port}" for name, port in ports.items())
            raise ConfigurationError(f"Two of Triton's ports are the same ({listed}); give each its own.")
        if "*" in self.load_models and len(self.load_models) > 1:
            raise ConfigurationError("'*' already loads every model; name either '*' or single models.")
        if self.shm_bytes < _MIB:
            raise ConfigurationError(f"shm_bytes is {self.shm_bytes}; a model process needs at least {_MIB}.")

    @property
    def ports(self) -> dict[str, int]:
        """Triton's ports by the option that sets them."""
        return {
            "--http-port": self.http_port,
            "--grpc-port": self.grpc_port,
            "--metrics-port": self.metrics_port,
        }

    @property
    def http_url(self) -> str:
        """Base URL of the REST API."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def metrics_url(self) -> str:
        """URL of Triton's own metrics."""
        return f"http://{self.host}:{self.metrics_port}/metrics"

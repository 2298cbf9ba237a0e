"""`python -m embedded`: a supervised Triton in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import typer

from embedded import options
from embedded.config import TritonConfig
from embedded.errors import ConfigurationError, EmbeddedTritonError
from embedded.launcher import prepare
from embedded.logs import configure
from embedded.supervisor import SupervisorConfig, supervise

_EXAMPLES = """Run a real Triton on this machine, watch it, and start it again when it dies.

\b
Examples:
  # Triton for a gateway, which decides what is loaded
  python -m embedded --model-repository model_repository

\b
  # Triton by itself, with every model of the repository
  python -m embedded --model-repository model_repository --load-model '*'

\b
  # two models, other ports
  python -m embedded --model-repository model_repository --load-model digits \\
      --load-model diabetes --http-port 9000 --grpc-port 9001 --metrics-port 9002

Logs are JSON lines on standard error. SIGTERM and Ctrl-C let requests in flight finish; a second signal
does not.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=_EXAMPLES)
def run(
    model_repository: options.ModelRepository = Path("model_repository"),
    state_dir: options.StateDir = Path(".tidegate"),
    load_model: options.LoadModel = None,
    host: options.Host = "127.0.0.1",
    http_port: options.HttpPort = 8000,
    grpc_port: options.GrpcPort = 8001,
    metrics_port: options.MetricsPort = 8002,
    supervisor_port: options.SupervisorPort = 8003,
    admin_secret_file: options.AdminSecretFile = None,
    exit_timeout: options.ExitTimeout = 25,
    start_timeout: options.StartTimeout = 300.0,
    hang_timeout: options.HangTimeout = 30.0,
    http_threads: options.HttpThreads = 8,
    shm_bytes: options.ShmBytes = 4 << 20,
    response_cache_bytes: options.ResponseCacheBytes = 0,
    log_verbose: options.LogVerbose = 0,
    log_level: options.LogLevel = "INFO",
) -> None:
    """Run a supervised Triton in the foreground."""
    try:
        configure(_level(log_level))
        config = TritonConfig(
            model_repository=model_repository,
            state_dir=state_dir,
            host=host,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            admin_secret=_secret(admin_secret_file),
            load_models=tuple(load_model or ()),
            exit_timeout_seconds=exit_timeout,
            start_timeout_seconds=start_timeout,
            http_threads=http_threads,
            shm_bytes=shm_bytes,
            response_cache_bytes=response_cache_bytes,
            log_verbose=log_verbose,
        )
        graceful = _supervise(config, SupervisorConfig(supervisor_port, hang_seconds=hang_timeout))
    except EmbeddedTritonError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if graceful else 1)


def _supervise(config: TritonConfig, watching: SupervisorConfig) -> bool:
    stop = _stop_on_signals()
    return supervise(prepare(config), watching, stop)


def _level(name: str) -> str:
    if name.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigurationError(f"'{name}' is no log level; use DEBUG, INFO, WARNING or ERROR.")
    return name.upper()


def _secret(file: Path | None) -> str | None:
    secret = os.environ.get("TIDEGATE_TRITON_ADMIN_SECRET")
    if secret or file is None:
        return secret or None
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"The admin secret file {file} cannot be read ({error.strerror}); correct --admin-secret-file."
        ) from None


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            # Nobody wants to wait any longer; the kernel ends the server with this process.
            sys.exit(1)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


if __name__ == "__main__":
    app(prog_name="python -m embedded")

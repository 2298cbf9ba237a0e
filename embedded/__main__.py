"""`python -m embedded`: a supervised Triton in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

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
    model_repository: Annotated[
        Path, typer.Option(envvar="TIDEGATE_MODEL_REPOSITORY", help="Directory of models in Triton's layout.")
    ] = Path("model_repository"),
    state_dir: Annotated[
        Path, typer.Option(envvar="TIDEGATE_STATE_DIR", help="For assembled backends and the admin secret.")
    ] = Path(".tidegate"),
    load_model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|*", help="Load a model at start; may be repeated. '*' loads all."),
    ] = None,
    host: Annotated[
        str, typer.Option(envvar="TIDEGATE_TRITON_HOST", help="Address of every port; keep it on loopback.")
    ] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(envvar="TIDEGATE_TRITON_HTTP_PORT", help="Triton's REST API.")
    ] = 8000,
    grpc_port: Annotated[
        int, typer.Option(envvar="TIDEGATE_TRITON_GRPC_PORT", help="Triton's gRPC API.")
    ] = 8001,
    metrics_port: Annotated[
        int, typer.Option(envvar="TIDEGATE_TRITON_METRICS_PORT", help="Triton's own metrics.")
    ] = 8002,
    supervisor_port: Annotated[
        int, typer.Option(envvar="TIDEGATE_SUPERVISOR_PORT", help="The supervisor's metrics.")
    ] = 8003,
    admin_secret_file: Annotated[
        Path | None,
        typer.Option(
            envvar="TIDEGATE_TRITON_ADMIN_SECRET_FILE",
            help="File with the secret of Triton's restricted APIs; TIDEGATE_TRITON_ADMIN_SECRET holds the "
            "secret itself. Without either, one is made in the state directory.",
        ),
    ] = None,
    exit_timeout: Annotated[
        int,
        typer.Option(
            envvar="TIDEGATE_TRITON_EXIT_TIMEOUT", min=1, help="Seconds for requests in flight at the end."
        ),
    ] = 25,
    start_timeout: Annotated[
        float,
        typer.Option(
            envvar="TIDEGATE_TRITON_START_TIMEOUT", help="Seconds until Triton must answer, loading included."
        ),
    ] = 300.0,
    hang_timeout: Annotated[
        float,
        typer.Option(envvar="TIDEGATE_TRITON_HANG_TIMEOUT", help="Seconds of silence until it is restarted."),
    ] = 30.0,
    http_threads: Annotated[
        int, typer.Option(envvar="TIDEGATE_TRITON_HTTP_THREADS", min=2, help="Triton's HTTP threads.")
    ] = 8,
    shm_bytes: Annotated[
        int,
        typer.Option(envvar="TIDEGATE_TRITON_SHM_BYTES", help="Shared memory a model process starts with."),
    ] = 4 << 20,
    response_cache_bytes: Annotated[
        int,
        typer.Option(envvar="TIDEGATE_TRITON_RESPONSE_CACHE_BYTES", help="Response cache; 0 for none."),
    ] = 0,
    log_verbose: Annotated[
        int, typer.Option(envvar="TIDEGATE_TRITON_LOG_VERBOSE", min=0, help="Triton's verbosity.")
    ] = 0,
    log_level: Annotated[
        str, typer.Option(envvar="TIDEGATE_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO",
) -> None:
    """Run a supervised Triton in the foreground."""
    configure(log_level.upper())
    stop = _stop_on_signals()
    try:
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
        watching = SupervisorConfig(metrics_port=supervisor_port, hang_seconds=hang_timeout)
        graceful = supervise(prepare(config), watching, stop)
    except EmbeddedTritonError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if graceful else 1)


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

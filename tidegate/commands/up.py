"""`tidegate up`: the whole stack on this machine."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import httpx
import typer

from tidegate.commands.options import (
    DEFAULT_REPOSITORY,
    DEFAULT_STATE_DIR,
    RepositoryOption,
    StateDirOption,
)
from tidegate.errors import CommandError, GatewayRefused
from tidegate.gateway_client import GatewayClient
from tidegate.output import err, out
from tidegate.sample_models import build_missing
from tidegate.stack import StackConfig, running, wait_until_ready
from tidegate.state import StateDirectory
from tidegate.welcome import welcome

READY_SECONDS = 120.0
WATCH_SECONDS = 0.5


def up(
    *,
    repository: RepositoryOption = DEFAULT_REPOSITORY,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
    samples: Annotated[
        bool, typer.Option(help="Train and export the default sample models that are not in the repository.")
    ] = True,
    host: Annotated[str, typer.Option(help="Address every port binds.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Gateway: inference and admin API.")] = 8080,
    ops_port: Annotated[int, typer.Option(help="Gateway: metrics and probes.")] = 8081,
    triton_http_port: Annotated[int, typer.Option(help="Triton: HTTP.")] = 8000,
    triton_grpc_port: Annotated[int, typer.Option(help="Triton: gRPC.")] = 8001,
    triton_metrics_port: Annotated[int, typer.Option(help="Triton: metrics.")] = 8002,
    supervisor_port: Annotated[int, typer.Option(help="Triton's supervisor: metrics.")] = 8003,
) -> None:
    """Start the embedded Triton and the gateway, and serve the model repository.

    The default sample models are trained and exported first if they are not there. Ctrl-C drains the
    gateway, then stops Triton.

    [bold]Examples[/bold]

      tidegate up
      tidegate up --no-samples --repository /srv/models
      tidegate up --http-port 9080 --ops-port 9081
    """
    # Before anything slow: a stop during training must end the command as one later would.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    state = StateDirectory(state_dir.absolute())
    config = StackConfig(
        state=state,
        model_repository=repository.absolute(),
        host=host,
        http_port=http_port,
        ops_port=ops_port,
        triton_http_port=triton_http_port,
        triton_grpc_port=triton_grpc_port,
        triton_metrics_port=triton_metrics_port,
        supervisor_port=supervisor_port,
    )
    try:
        state.create()
        with state.claimed():
            _create(repository)
            if samples:
                build_missing(state, repository)
            _serve(config)
    except KeyboardInterrupt:
        err.print("Stopped.")


def _serve(config: StackConfig) -> None:
    started = time.monotonic()
    with running(config) as children:
        with err.status("Starting Triton and the gateway, loading the models …"):
            wait_until_ready(config, children, READY_SECONDS)
        api_key = _api_key(config)
        out.print(welcome(config, api_key, time.monotonic() - started), soft_wrap=True, highlight=False)
        try:
            while True:
                time.sleep(WATCH_SECONDS)
                for child in children:
                    child.check()
        except KeyboardInterrupt:
            err.print("\nDraining the gateway, then stopping Triton …")
            raise


def _create(repository: Path) -> None:
    try:
        repository.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{repository} cannot be the model repository ({error.strerror}); "
            "name a directory with --repository."
        ) from error


def _api_key(config: StackConfig) -> str:
    """Return the key of an earlier start if the gateway still takes it, else a new one."""
    if key := config.state.read_api_key():
        with GatewayClient(config.gateway_url, key) as client:
            try:
                client.get("/v1/models")
            except GatewayRefused as refused:
                if refused.status != httpx.codes.UNAUTHORIZED:
                    raise
                err.print("The key in .tidegate/api-key is no longer valid; a new one takes its place.")
            else:
                return key
    with GatewayClient(config.gateway_url, config.state.admin_key()) as client:
        created = client.post(
            "/admin/v1/keys",
            {"project": "default", "name": "tidegate up", "scopes": ["infer", "read"], "models": ["*"]},
        )
    if not isinstance(created, dict) or "key" not in created:
        raise CommandError("The gateway created no API key; look into .tidegate/logs/gateway.log.")
    key = str(created["key"])
    config.state.write_api_key(key)
    return key


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # The second Ctrl-C must not cut the drain short half-way: the children have deadlines of their own.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

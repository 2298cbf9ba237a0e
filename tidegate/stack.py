"""The local stack: an embedded Triton and a gateway in front of it, started and stopped in order."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tidegate.children import Child
from tidegate.errors import ChildDied, CommandError
from tidegate.state import StateDirectory

POLL_SECONDS = 0.1
# The gateway gets its drain time, then Triton its exit timeout; both with room to spare.
GATEWAY_STOP_SECONDS = 40.0
TRITON_STOP_SECONDS = 45.0


@dataclass(frozen=True)
class StackConfig:
    """Where the local stack listens and what it serves.

    Attributes:
        state: directory of keys, database and logs.
        model_repository: Triton's model repository.
        host: address every port binds.
        http_port: the gateway's inference and admin API.
        ops_port: the gateway's metrics and probes.
        triton_http_port: Triton's HTTP.
        triton_grpc_port: Triton's gRPC.
        triton_metrics_port: Triton's metrics.
        supervisor_port: the Triton supervisor's metrics.
    """

    state: StateDirectory
    model_repository: Path
    host: str = "127.0.0.1"
    http_port: int = 8080
    ops_port: int = 8081
    triton_http_port: int = 8000
    triton_grpc_port: int = 8001
    triton_metrics_port: int = 8002
    supervisor_port: int = 8003

    @property
    def gateway_url(self) -> str:
        """Base URL of the inference and admin API."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def ops_url(self) -> str:
        """Base URL of metrics and probes."""
        return f"http://{self.host}:{self.ops_port}"

    @property
    def triton_url(self) -> str:
        """Base URL of Triton's HTTP."""
        return f"http://{self.host}:{self.triton_http_port}"

    @property
    def supervisor_url(self) -> str:
        """Base URL of the Triton supervisor's metrics."""
        return f"http://{self.host}:{self.supervisor_port}"

    def ports(self) -> dict[str, int]:
        """Return every port by the option of `tidegate up` that sets it."""
        return {
            "--http-port": self.http_port,
            "--ops-port": self.ops_port,
            "--triton-http-port": self.triton_http_port,
            "--triton-grpc-port": self.triton_grpc_port,
            "--triton-metrics-port": self.triton_metrics_port,
            "--supervisor-port": self.supervisor_port,
        }

    def triton_command(self) -> list[str]:
        """Return the supervisor's command line."""
        return [
            sys.executable, "-m", "embedded",
            "--model-repository", str(self.model_repository),
            "--state-dir", str(self.state.path),
            "--host", self.host,
            "--http-port", str(self.triton_http_port),
            "--grpc-port", str(self.triton_grpc_port),
            "--metrics-port", str(self.triton_metrics_port),
            "--supervisor-port", str(self.supervisor_port),
        ]  # fmt: skip

    def gateway_environment(self) -> dict[str, str]:
        """Return what the gateway is told through its environment."""
        return {
            "TIDEGATE_HTTP_HOST": self.host,
            "TIDEGATE_HTTP_PORT": str(self.http_port),
            "TIDEGATE_OPS_HOST": self.host,
            "TIDEGATE_OPS_PORT": str(self.ops_port),
            "TIDEGATE_TRITON_URLS": self.triton_url,
            "TIDEGATE_STATE_DIR": str(self.state.path),
            "TIDEGATE_MODEL_REPOSITORY": str(self.model_repository),
        }


@contextmanager
def running(config: StackConfig) -> Iterator[tuple[Child, Child]]:
    """Start Triton's supervisor and the gateway; stop them, gateway first, on the way out.

    Yields:
        The two children, (triton, gateway). They are started, not yet ready.

    Raises:
        CommandError: a port is taken; nothing was started.
    """
    # Imported late: commands that start nothing run where the embedded Triton is not installed.
    from embedded.errors import ConfigurationError
    from embedded.ports import require_free

    # Here as well as in the children: whoever answers on a taken port would be mistaken for the new stack.
    try:
        require_free(config.host, config.ports())
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    # A new secret at every start: it opens Triton's restricted APIs and nobody but these two needs it.
    secret = os.environ.get("TIDEGATE_TRITON_ADMIN_SECRET") or secrets.token_hex(32)
    environment = {**os.environ, "TIDEGATE_TRITON_ADMIN_SECRET": secret, "PYTHONUNBUFFERED": "1"}
    triton = Child(
        "The embedded Triton", config.triton_command(), environment, config.state.logs / "triton.log"
    )
    try:
        gateway = Child(
            "The gateway",
            [sys.executable, "-m", "gateway"],
            {**environment, **config.gateway_environment()},
            config.state.logs / "gateway.log",
        )
        try:
            yield triton, gateway
        finally:
            gateway.stop(GATEWAY_STOP_SECONDS)
    finally:
        triton.stop(TRITON_STOP_SECONDS)


def wait_until_ready(config: StackConfig, children: tuple[Child, ...], seconds: float) -> None:
    """Return once the gateway says it can serve.

    Raises:
        ChildDied: when a child ends first, or `seconds` pass.
    """
    deadline = time.monotonic() + seconds
    reason = "it does not answer yet"
    with httpx.Client(base_url=config.ops_url, timeout=2, trust_env=False) as client:
        while time.monotonic() < deadline:
            for child in children:
                child.check()
            try:
                response = client.get("/readyz")
                if response.is_success:
                    return
                reason = response.text.strip()
            except httpx.HTTPError:
                pass
            time.sleep(POLL_SECONDS)
    logs = ", ".join(str(child.log) for child in children)
    raise ChildDied(f"The gateway was not ready after {seconds:.0f} s: {reason}. Look into {logs}.")

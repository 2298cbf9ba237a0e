"""Builds the clients of one Triton from the settings; called once, by `gateway.app`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.triton.inference import TritonInference
from gateway.triton.repository import TritonRepository
from gateway.triton.upstream import Upstream


@dataclass(frozen=True, slots=True)
class TritonClients:
    """All that speaks to Triton, over one pool of connections.

    Attributes:
        upstream: the connections.
        repository: what is there, load, unload, contracts.
        inference: inferences.
    """

    upstream: Upstream
    repository: TritonRepository
    inference: TritonInference


def triton_clients(settings: Settings, metrics: Metrics) -> TritonClients:
    """Return the clients; nothing is connected yet.

    Raises:
        OSError: the file with the admin secret cannot be read.
    """
    upstream = Upstream(
        settings.triton_url,
        connections=settings.triton_connections,
        connect_timeout=settings.triton_connect_timeout,
        max_response_bytes=settings.max_response_bytes,
    )
    repository = TritonRepository(
        upstream, admin_header=settings.triton_admin_header, admin_secret=_admin_secret(settings)
    )
    return TritonClients(upstream, repository, TritonInference(upstream, metrics))


def _admin_secret(settings: Settings) -> str | None:
    if settings.triton_admin_secret is not None:
        return settings.triton_admin_secret.get_secret_value()
    path: Path | None = settings.triton_admin_secret_file
    return path.read_text(encoding="utf-8").strip() if path is not None else None

"""Builds the data plane from the settings; called once, by `gateway.app`."""

from __future__ import annotations

from pathlib import Path

from gateway.dataplane.admission import Admission
from gateway.dataplane.catalog import Catalog
from gateway.dataplane.loader import Loader
from gateway.dataplane.plane import Permits, Plane
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.triton import TritonInference, TritonRepository, Upstream


def build(settings: Settings, metrics: Metrics, permits: Permits) -> Plane:
    """Return a data plane that is not yet started.

    Args:
        settings: of the gateway.
        metrics: where everything is counted.
        permits: whether a principal may use a model.
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
    # Catalog and loader tell each other: an index shows what to load, a load changes the index.
    catalog = Catalog(
        repository,
        interval=settings.catalog_interval,
        metrics=metrics,
        on_index=lambda index: loader.offer(index),
    )
    loader = Loader(repository, timeout=settings.model_load_timeout, on_loaded=catalog.refresh)
    admission = Admission(max_in_flight=settings.max_in_flight, max_queue=settings.max_queue, metrics=metrics)
    return Plane(
        catalog=catalog,
        loader=loader,
        admission=admission,
        inference=TritonInference(upstream, metrics),
        upstream=upstream,
        permits=permits,
    )


def _admin_secret(settings: Settings) -> str | None:
    if settings.triton_admin_secret is not None:
        return settings.triton_admin_secret.get_secret_value()
    path: Path | None = settings.triton_admin_secret_file
    return path.read_text(encoding="utf-8").strip() if path is not None else None

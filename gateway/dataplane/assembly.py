"""Builds the data plane from the settings; called once, by `gateway.app`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.dataplane.admission import Admission
from gateway.dataplane.catalog import Catalog
from gateway.dataplane.plane import Permits, Plane
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.triton import IndexEntry, TritonClients
from gateway.types import PolicyOf


def build(
    settings: Settings,
    metrics: Metrics,
    triton: TritonClients,
    *,
    permits: Permits,
    policies: PolicyOf,
    on_index: Callable[[Sequence[IndexEntry]], None],
    pending: Callable[[], Sequence[str]],
) -> Plane:
    """Return a data plane that is not yet started.

    Args:
        settings: of the gateway.
        metrics: where everything is counted.
        triton: the clients of Triton.
        permits: whether a principal may use a model.
        policies: how the requests for a model are routed.
        on_index: called with every fresh index of Triton's.
        pending: models that are on their way into Triton.
    """
    catalog = Catalog(
        triton.repository,
        interval=settings.catalog_interval,
        metrics=metrics,
        policies=policies,
        on_index=on_index,
    )
    admission = Admission(max_in_flight=settings.max_in_flight, max_queue=settings.max_queue, metrics=metrics)
    return Plane(
        catalog=catalog,
        admission=admission,
        inference=triton.inference,
        upstream=triton.upstream,
        permits=permits,
        policies=policies,
        pending=pending,
    )

"""Builds what deploys versions and steers rollouts; called once, by `gateway.app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.controlplane.database import Database
from gateway.controlplane.deployer import Deployer
from gateway.controlplane.leases import Leases
from gateway.controlplane.manifest import VersionFiles
from gateway.controlplane.observation import Observation
from gateway.controlplane.overview import Overview
from gateway.controlplane.reconciler import Reconciler
from gateway.controlplane.rollout_store import RolloutStore
from gateway.controlplane.rollouts import Rollouts
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_store import RoutingStore
from gateway.controlplane.trial import Trials
from gateway.controlplane.version_sets import VersionSets
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.triton import TritonClients


@dataclass(frozen=True, slots=True)
class Versions:
    """All that decides which versions serve.

    Attributes:
        store: aliases and admitted versions in the database.
        files: the model repository on disk.
        routing: how requests are routed, in memory.
        deployer: deploys versions.
        rollouts: starts, steers and ends rollouts.
        reconciler: makes Triton hold what is named.
        overview: what there is to see.
    """

    store: RoutingStore
    files: VersionFiles
    routing: Routing
    deployer: Deployer
    rollouts: Rollouts
    reconciler: Reconciler
    overview: Overview


def build_versions(
    settings: Settings,
    metrics: Metrics,
    database: Database,
    triton: TritonClients,
    look: Callable[[], Awaitable[None]],
) -> Versions:
    """Return everything, connected; nothing runs yet.

    Args:
        settings: of the gateway.
        metrics: where everything is counted.
        database: the control plane's.
        triton: the clients of Triton.
        look: makes the data plane look at Triton at once.
    """
    files = VersionFiles(settings.model_repository, require_manifest=settings.require_manifest)
    store, leases = RoutingStore(database), Leases(database)
    sets = VersionSets(triton.repository, files, load_timeout=settings.model_load_timeout)
    routing = Routing(store, metrics, before_change=look)
    trials = Trials(files, sets, triton.repository, triton.inference)
    deployer = Deployer(trials, store, leases, routing, metrics)
    rollouts = Rollouts(deployer, RolloutStore(database), store, routing, sets, Observation(metrics))
    reconciler = Reconciler(
        files=files,
        triton=sets,
        deployer=deployer,
        store=store,
        routing=routing,
        leases=leases,
        look=look,
        unload_grace=settings.unload_grace,
        auto_deploy=settings.auto_deploy,
    )
    return Versions(
        store, files, routing, deployer, rollouts, reconciler, Overview(files, routing, reconciler)
    )

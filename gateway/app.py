"""The composition root: everything the gateway is made of is constructed here, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.api import error_answers
from gateway.api.admin import Admin, admin_routes
from gateway.api.admin_models import AdminModels, model_routes
from gateway.api.admin_rollouts import AdminRollouts, rollout_routes
from gateway.api.drain import Drain
from gateway.api.front import FrontedAPI
from gateway.api.guarded_route import Guard, GuardedRoute
from gateway.api.ops import ops_app
from gateway.api.routes import inference_routes
from gateway.controlplane.assembly import Versions, build_versions
from gateway.controlplane.authenticator import Authenticator
from gateway.controlplane.authorization import permits
from gateway.controlplane.control_plane import ControlPlane
from gateway.controlplane.database import Database, database_url
from gateway.controlplane.pepper import load_pepper
from gateway.controlplane.principals import Principals
from gateway.controlplane.reconciler import Reconciler
from gateway.controlplane.state_directory import StateDirectory
from gateway.controlplane.store import Store
from gateway.dataplane import Plane, build
from gateway.errors import CannotStart
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.triton import TritonClients, triton_clients

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gateway:
    """A gateway that is built and can be started.

    Attributes:
        api: the inference and admin API.
        ops: metrics and probes.
        drain: told when the gateway is about to stop.
        control_plane: projects, keys, aliases and rollouts.
        plane: the way of inferences to Triton.
        reconciler: makes Triton hold what aliases and rollouts name.
        metrics: everything counted.
    """

    api: FastAPI
    ops: ASGIApp
    drain: Drain
    control_plane: ControlPlane
    plane: Plane
    reconciler: Reconciler
    metrics: Metrics

    async def start(self) -> None:
        """Start what runs in the background.

        Raises:
            CannotStart: when the gateway cannot work as it is set up.
        """
        await self.control_plane.start()
        await self.plane.start()

    async def stop(self) -> None:
        """Stop it in the opposite order."""
        await self.reconciler.stop()
        await self.plane.stop()
        await self.control_plane.stop()


def create_app(settings: Settings) -> Gateway:
    """Build the gateway; nothing is connected, opened or listened to before `start`.

    Raises:
        CannotStart: when the settings contradict what is found on this machine.
    """
    metrics = Metrics()
    metrics.build_info.labels(_version()).set(1)
    state = StateDirectory(settings.state_dir)
    if settings.database_url is None:
        state.create()
    pepper = load_pepper(settings, state)
    database = Database(database_url(settings.database_url, settings.state_dir))
    store = Store(database)
    principals = Principals(store, settings.principals_interval, metrics.control_plane_up)
    plane, versions = _serving(settings, metrics, database)
    control_plane = ControlPlane(settings, state, database, store, principals, versions.routing, pepper)
    drain = Drain()

    authenticator = Authenticator(principals, pepper)
    guard = Guard(authenticator, metrics, settings.access_log)
    inference = inference_routes(
        plane=plane, authenticator=authenticator, metrics=metrics, settings=settings, version=_version()
    )
    models = AdminModels(versions.overview, versions.deployer, versions.store, versions.routing)
    api = _api(
        inference,
        [
            *admin_routes(Admin(store, pepper, principals.refresh), guard),
            *model_routes(models, guard),
            *rollout_routes(AdminRollouts(versions.rollouts, models), guard),
        ],
    )
    checks = (drain.problems, control_plane.problems, versions.files.problems, plane.problems)
    ops = ops_app(metrics.registry, checks)
    return Gateway(api, ops, drain, control_plane, plane, versions.reconciler, metrics)


def _serving(settings: Settings, metrics: Metrics, database: Database) -> tuple[Plane, Versions]:
    triton = _triton(settings, metrics)
    # Each of the two needs the other: what Triton holds decides about routing, and aliases about Triton.
    plane = build(
        settings,
        metrics,
        triton,
        permits=permits,
        policies=lambda model: versions.routing.policy(model),
        on_index=lambda index: versions.reconciler.offer(index),
        pending=lambda: versions.reconciler.pending,
    )
    versions = build_versions(settings, metrics, database, triton, plane.look)
    return plane, versions


def _triton(settings: Settings, metrics: Metrics) -> TritonClients:
    try:
        return triton_clients(settings, metrics)
    except OSError as error:
        raise CannotStart(
            f"TIDEGATE_TRITON_ADMIN_SECRET_FILE cannot be read ({error}); name a file this user can read."
        ) from error


def _api(inference: list[Route], routes: list[GuardedRoute]) -> FastAPI:
    # No /docs: its page loads scripts from a content delivery network. No slash redirects: their target
    # would be built from the client's Host header.
    api = FrontedAPI(
        inference,
        title="Tidegate",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    error_answers.install(api)
    api.router.routes.extend(routes)
    return api


def _version() -> str:
    try:
        return version("tidegate")
    except PackageNotFoundError:
        return "unknown"

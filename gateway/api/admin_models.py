"""`/admin/v1/models`: versions, aliases, deployments and the history of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from gateway.api.guarded_route import Guard, GuardedRoute
from gateway.controlplane.authorization import permits
from gateway.controlplane.deployer import Deployer
from gateway.controlplane.overview import ModelView, Overview
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_store import RoutingStore
from gateway.errors import BadRequest, NotFound
from gateway.types import STABLE, Principal

READ = ("read", "deploy")
DEPLOY = ("deploy",)
HISTORY_PAGE = 1000
UNKNOWN_MODEL = (
    "This model is unknown, or not permitted to this key. GET /admin/v1/models lists what there is."
)


def _as_text(value: object) -> object:
    # Versions are numbers to people and text to the protocols; both are taken.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Version = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=r"^[1-9][0-9]{0,9}$")]
ALIAS_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"
Alias = Annotated[str, StringConstraints(pattern=ALIAS_PATTERN)]
AliasPath = Annotated[str, Path(pattern=ALIAS_PATTERN)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewDeployment(_In):
    """What is needed to deploy a version."""

    version: Version
    alias: Alias = Field(STABLE, description="what shall name the version when it passed every step")


class NewAlias(_In):
    """What an alias shall name."""

    version: Version


class StepOut(BaseModel):
    """One step of a deployment."""

    step: str
    outcome: str
    seconds: float


class DeploymentOut(BaseModel):
    """A version that passed every step."""

    model: str
    version: str
    alias: str
    previous: str | None
    steps: list[StepOut]


class VersionOut(BaseModel):
    """One version of a model."""

    version: str
    published: bool
    admitted: bool
    loaded: bool


class RunningOut(BaseModel):
    """The rollout that is running."""

    id: str
    candidate: str
    weight: int


class ModelOut(BaseModel):
    """One model."""

    model: str
    stable: str | None
    previous_stable: str | None
    aliases: dict[str, str]
    rollout: RunningOut | None
    versions: list[VersionOut]


class ModelsOut(BaseModel):
    """Every model this key may reach."""

    models: list[ModelOut]


class HistoryEntryOut(BaseModel):
    """One change."""

    revision: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class HistoryOut(BaseModel):
    """Changes, newest first."""

    changes: list[HistoryEntryOut]


class AdminModels:
    """The handlers; the caller's scope is checked before they run, the model's name in them."""

    def __init__(self, overview: Overview, deployer: Deployer, store: RoutingStore, routing: Routing) -> None:
        self._overview = overview
        self._deployer = deployer
        self._store = store
        self._routing = routing

    async def known(self, request: Request, model: str) -> ModelView:
        """Return a model this caller may reach.

        Raises:
            NotFound: it does not exist, or is not theirs.
        """
        if permits(request.state.principal, model):
            found = await asyncio.to_thread(self._overview.model, model)
            if found is not None:
                return found
        raise NotFound(UNKNOWN_MODEL)

    async def list_models(self, request: Request) -> ModelsOut:
        """List the models with their versions and aliases."""
        names = [name for name in self._overview.names() if permits(request.state.principal, name)]
        views = await asyncio.to_thread(lambda: [self._overview.model(name) for name in names])
        return ModelsOut(models=[_model(view) for view in views if view is not None])

    async def show_model(self, request: Request, model: str) -> ModelOut:
        """Show one model."""
        return _model(await self.known(request, model))

    async def deploy(self, request: Request, model: str, new: NewDeployment) -> DeploymentOut:
        """Verify, load and try out a version, then let an alias name it; answers when that is done."""
        return await self._deploy(request, model, new.version, new.alias)

    async def set_alias(self, request: Request, model: str, alias: AliasPath, new: NewAlias) -> DeploymentOut:
        """Let an alias name a version, which goes through the same steps as a deployment."""
        return await self._deploy(request, model, new.version, alias)

    async def delete_alias(self, request: Request, model: str, alias: AliasPath) -> ModelOut:
        """Remove an alias; a version that nothing names any more is unloaded after a while."""
        await self.known(request, model)
        await self._store.delete_alias(model, alias, request.state.principal.key_id)
        await self._routing.refresh()
        return _model(await self.known(request, model))

    async def history(
        self,
        request: Request,
        model: Annotated[str | None, Query(max_length=128)] = None,
        before: Annotated[
            int | None, Query(ge=1, description="only changes older than this revision")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=HISTORY_PAGE)] = 100,
    ) -> HistoryOut:
        """List changes, newest first: of one model, or of everything for a key with scope `admin`."""
        principal: Principal = request.state.principal
        if model is not None:
            await self.known(request, model)
        elif "admin" not in principal.scopes:
            raise BadRequest("Name the model with ?model=; only a key with scope `admin` sees every change.")
        entries = await self._store.history(subject=model, before=before, limit=limit)
        return HistoryOut(
            changes=[
                HistoryEntryOut(**{name: getattr(entry, name) for name in HistoryEntryOut.model_fields})
                for entry in entries
            ]
        )

    async def _deploy(self, request: Request, model: str, version: str, alias: str) -> DeploymentOut:
        await self.known(request, model)
        done = await self._deployer.deploy(model, version, alias, request.state.principal.key_id)
        return DeploymentOut(
            model=done.model,
            version=done.version,
            alias=done.alias,
            previous=done.previous,
            steps=[StepOut(**step) for step in done.steps],
        )


def model_routes(admin: AdminModels, guard: Guard) -> list[GuardedRoute]:
    """Return the routes of models, aliases and history."""
    model = "/admin/v1/models/{model}"
    table: tuple[tuple[str, str, Callable[..., Any], tuple[str, ...]], ...] = (
        ("GET", "/admin/v1/models", admin.list_models, READ),
        ("GET", model, admin.show_model, READ),
        ("POST", f"{model}/deploy", admin.deploy, DEPLOY),
        ("PUT", f"{model}/aliases/{{alias}}", admin.set_alias, DEPLOY),
        ("DELETE", f"{model}/aliases/{{alias}}", admin.delete_alias, DEPLOY),
        ("GET", "/admin/v1/history", admin.history, READ),
    )
    return [
        GuardedRoute(path, endpoint, guard=guard, needs=needs, methods=[method], tags=["models"])
        for method, path, endpoint, needs in table
    ]


def _model(view: ModelView) -> ModelOut:
    state, rollout = view.state, view.state.rollout
    return ModelOut(
        model=state.model,
        stable=state.stable,
        previous_stable=view.previous_stable,
        aliases={name: alias.version for name, alias in sorted(state.aliases.items())},
        rollout=RunningOut(id=rollout.id, candidate=rollout.candidate, weight=rollout.weight)
        if rollout
        else None,
        versions=[
            VersionOut(**{name: getattr(version, name) for name in VersionOut.model_fields})
            for version in view.versions
        ],
    )

"""`/admin/v1/models/{model}/rollout`: canary rollouts, promotion and rollback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.api.admin_models import DEPLOY, READ, AdminModels, Version
from gateway.api.guarded_route import Guard, GuardedRoute
from gateway.controlplane.observation import Observed
from gateway.controlplane.rollouts import Rollouts
from gateway.controlplane.routing_records import Rollout

Weight = Annotated[int, Field(strict=True, ge=0, le=100, description="percent of the requests")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewRollout(_In):
    """What is needed to start a rollout."""

    candidate: Version
    weight: Weight


class NewWeight(_In):
    """How many requests the candidate shall answer."""

    weight: Weight


class Ending(_In):
    """Why a rollout is ended."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class RolloutOut(BaseModel):
    """A rollout."""

    id: str
    model: str
    stable: str
    candidate: str
    weight: int
    state: str
    actor: str
    reason: str
    started_at: datetime
    ended_at: datetime | None


class ObservedOut(BaseModel):
    """What one version answered since the rollout started, as this gateway saw it."""

    requests: int
    errors: int
    share: float = Field(description="of the requests of all versions, 0 to 1")


class StatusOut(RolloutOut):
    """A rollout with what its versions answered."""

    observed: dict[str, ObservedOut]


class RollbackOut(BaseModel):
    """The stable version after a rollback."""

    model: str
    stable: str | None
    previous_stable: str | None


class AdminRollouts:
    """The handlers; the caller's scope is checked before they run, the model's name in them."""

    def __init__(self, rollouts: Rollouts, models: AdminModels) -> None:
        self._rollouts = rollouts
        self._models = models

    async def start(self, request: Request, model: str, new: NewRollout) -> RolloutOut:
        """Try a candidate out and let it answer a share of the requests; sticky by key or header."""
        await self._models.known(request, model)
        actor = request.state.principal.key_id
        return _rollout(await self._rollouts.start(model, new.candidate, new.weight, actor))

    async def set_weight(self, request: Request, model: str, new: NewWeight) -> RolloutOut:
        """Change the share of the candidate."""
        await self._models.known(request, model)
        return _rollout(await self._rollouts.set_weight(model, new.weight, request.state.principal.key_id))

    async def promote(self, request: Request, model: str, ending: Ending | None = None) -> RolloutOut:
        """Make the candidate the stable version."""
        await self._models.known(request, model)
        reason = ending.reason if ending else ""
        return _rollout(await self._rollouts.promote(model, request.state.principal.key_id, reason))

    async def abort(self, request: Request, model: str, ending: Ending | None = None) -> RolloutOut:
        """End the rollout; the stable version answers everything again."""
        await self._models.known(request, model)
        reason = ending.reason if ending else ""
        return _rollout(await self._rollouts.abort(model, request.state.principal.key_id, reason))

    async def rollback(self, request: Request, model: str) -> RollbackOut:
        """Make the previous stable version stable again; doing it twice returns to where it began."""
        await self._models.known(request, model)
        state = await self._rollouts.rollback(model, request.state.principal.key_id)
        return RollbackOut(model=model, stable=state.stable, previous_stable=state.aliases["stable"].previous)

    async def status(self, request: Request, model: str) -> StatusOut:
        """Show the running or last rollout."""
        await self._models.known(request, model)
        found, observed = await self._rollouts.status(model)
        return StatusOut(**_rollout(found).model_dump(), observed=_observed(observed))


def rollout_routes(admin: AdminRollouts, guard: Guard) -> list[GuardedRoute]:
    """Return the routes of rollouts."""
    model = "/admin/v1/models/{model}"
    table: tuple[tuple[str, str, Callable[..., Any], tuple[str, ...], int], ...] = (
        ("GET", f"{model}/rollout", admin.status, READ, 200),
        ("POST", f"{model}/rollout", admin.start, DEPLOY, 201),
        ("PATCH", f"{model}/rollout", admin.set_weight, DEPLOY, 200),
        ("POST", f"{model}/rollout/promote", admin.promote, DEPLOY, 200),
        ("POST", f"{model}/rollout/abort", admin.abort, DEPLOY, 200),
        ("POST", f"{model}/rollback", admin.rollback, DEPLOY, 200),
    )
    return [
        GuardedRoute(
            path, endpoint, guard=guard, needs=needs, methods=[method], status_code=status, tags=["rollouts"]
        )
        for method, path, endpoint, needs, status in table
    ]


def _rollout(rollout: Rollout) -> RolloutOut:
    return RolloutOut(**{name: getattr(rollout, name) for name in RolloutOut.model_fields})


def _observed(observed: Observed) -> dict[str, ObservedOut]:
    total = sum(answers.requests for answers in observed.values())
    return {
        version: ObservedOut(
            requests=answers.requests, errors=answers.errors, share=round(answers.requests / total, 4)
        )
        for version, answers in observed.items()
    }

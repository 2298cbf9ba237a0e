"""`/admin/v1`: projects and API keys."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from gateway.api.guarded_route import Guard, GuardedRoute
from gateway.controlplane import keys
from gateway.controlplane.keys import key_hash
from gateway.controlplane.records import KeyRecord, Project
from gateway.controlplane.store import Store

_GLOB = re.compile(r"[A-Za-z0-9._*?\-]{1,128}")


def _glob(value: str) -> str:
    if not _GLOB.fullmatch(value):
        raise ValueError("a model is 1 to 128 of A-Z a-z 0-9 . _ - with the wildcards * and ?")
    return value


def _single_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("use printable characters on one line")
    return value


def _in_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("it must lie in the future")
    return value


ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Scope = Literal["infer", "read", "deploy", "admin"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewProject(_In):
    """What is needed to create a project."""

    name: ProjectName


class NewKey(_In):
    """What is needed to create an API key."""

    project: ProjectName = Field("default", description="owner; created if it does not exist")
    name: Annotated[str, StringConstraints(max_length=200), AfterValidator(_single_line)] = Field(
        "", description="what it is for"
    )
    scopes: list[Scope] = Field(["infer", "read"], min_length=1, max_length=4)
    models: list[Annotated[str, AfterValidator(_glob)]] = Field(
        ["*"], min_length=1, max_length=64, description="globs of the model names it may reach"
    )
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_future)] | None = Field(
        None, description="ISO 8601 with time zone; from then on it is refused"
    )


class ProjectOut(BaseModel):
    """A project."""

    name: str
    created_at: datetime


class ProjectsOut(BaseModel):
    """Every project."""

    projects: list[ProjectOut]


class KeyOut(BaseModel):
    """An API key without its secret."""

    key_id: str
    project: str
    name: str
    scopes: list[str]
    models: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKeyOut(KeyOut):
    """A new API key; this answer is the only one that ever holds `key`."""

    key: str


class KeysOut(BaseModel):
    """Every API key."""

    keys: list[KeyOut]


class Admin:
    """The handlers; `refresh` makes a change effective here before it is answered."""

    def __init__(self, store: Store, pepper: bytes, refresh: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._pepper = pepper
        self._refresh = refresh

    async def create_project(self, request: Request, new: NewProject) -> ProjectOut:
        """Create a project."""
        return _project(await self._store.create_project(new.name, request.state.principal.key_id))

    async def list_projects(self) -> ProjectsOut:
        """List every project by name."""
        return ProjectsOut(projects=[_project(project) for project in await self._store.list_projects()])

    async def create_key(self, request: Request, new: NewKey) -> CreatedKeyOut:
        """Create an API key and show it, once."""
        key = keys.generate()
        record = KeyRecord(
            key_id=key.key_id,
            project=new.project,
            name=new.name,
            scopes=tuple(dict.fromkeys(new.scopes)),
            models=tuple(dict.fromkeys(new.models)),
            created_at=datetime.now(UTC),
            expires_at=new.expires_at,
        )
        await self._store.create_key(record, key_hash(self._pepper, key.text), request.state.principal.key_id)
        await self._refresh()
        return CreatedKeyOut(**_key(record), key=key.text.decode())

    async def list_keys(self, project: Annotated[ProjectName | None, Query()] = None) -> KeysOut:
        """List every API key, of one project if given, oldest first."""
        return KeysOut(keys=[KeyOut(**_key(record)) for record in await self._store.list_keys(project)])

    async def revoke_key(self, request: Request, key_id: str) -> KeyOut:
        """Revoke an API key for good; doing it again changes nothing."""
        record = await self._store.revoke_key(key_id, request.state.principal.key_id)
        await self._refresh()
        return KeyOut(**_key(record))


def admin_routes(admin: Admin, guard: Guard) -> list[GuardedRoute]:
    """Return the routes of `/admin/v1`, all with scope `admin`."""
    table: tuple[tuple[str, str, Callable[..., Any], int], ...] = (
        ("POST", "/admin/v1/projects", admin.create_project, 201),
        ("GET", "/admin/v1/projects", admin.list_projects, 200),
        ("POST", "/admin/v1/keys", admin.create_key, 201),
        ("GET", "/admin/v1/keys", admin.list_keys, 200),
        ("DELETE", "/admin/v1/keys/{key_id}", admin.revoke_key, 200),
    )
    return [
        GuardedRoute(
            path,
            endpoint,
            guard=guard,
            needs=("admin",),
            methods=[method],
            status_code=status,
            tags=["admin"],
        )
        for method, path, endpoint, status in table
    ]


def _project(project: Project) -> ProjectOut:
    return ProjectOut(name=project.name, created_at=project.created_at)


def _key(record: KeyRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in KeyOut.model_fields}

"""What an operator wants to see of a model: versions, aliases, and what is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.controlplane.manifest import VersionFiles
from gateway.controlplane.reconciler import Reconciler
from gateway.controlplane.routing import Routing
from gateway.controlplane.routing_records import ModelState
from gateway.types import STABLE


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version.

    Attributes:
        version: its number.
        published: whether its folder lies in the model repository.
        admitted: whether it passed every step of a deployment.
        loaded: whether Triton served it when last looked at.
    """

    version: str
    published: bool
    admitted: bool
    loaded: bool


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model.

    Attributes:
        state: aliases, admitted versions and the running rollout.
        versions: every version anybody knows, highest first.
    """

    state: ModelState
    versions: tuple[VersionView, ...]

    @property
    def previous_stable(self) -> str | None:
        """The version a rollback returns to, or None."""
        alias = self.state.aliases.get(STABLE)
        return alias.previous if alias else None


class Overview:
    """Puts together what the database, the model repository and Triton say.

    Args:
        files: the model repository on disk.
        routing: aliases and rollouts.
        reconciler: what Triton holds.
    """

    def __init__(self, files: VersionFiles, routing: Routing, reconciler: Reconciler) -> None:
        self._files = files
        self._routing = routing
        self._reconciler = reconciler

    def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        return tuple(sorted({*self._routing.states, *self._reconciler.models}))

    def model(self, name: str) -> ModelView | None:
        """Return what is known of a model; None when that is nothing. Reads a directory."""
        state = self._routing.states.get(name, ModelState(name, {}, {}))
        published, loaded = self._files.versions(name), self._reconciler.held(name).ready
        versions = sorted({*published, *state.admitted, *loaded}, key=int, reverse=True)
        if not versions and name not in self._reconciler.models:
            return None
        return ModelView(
            state,
            tuple(
                VersionView(version, version in published, version in state.admitted, version in loaded)
                for version in versions
            ),
        )

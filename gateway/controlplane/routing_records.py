"""Versions, aliases and rollouts as the rest of the gateway sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.types import CANDIDATE, STABLE, RoutingPolicy

RUNNING, PROMOTED, ABORTED = "running", "promoted", "aborted"


@dataclass(frozen=True, slots=True)
class Alias:
    """A movable name of a version.

    Attributes:
        version: the version it names.
        previous: the version it named before, None when it never moved.
    """

    version: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class Rollout:
    """The change of a model from its stable version to a candidate.

    Attributes:
        id: of this rollout; requests are assigned by it, so another rollout shuffles them anew.
        model: the model.
        stable: its stable version when the rollout started.
        candidate: the version under trial.
        weight: percent of requests the candidate answers.
        state: `running`, `promoted` or `aborted`.
        actor: id of the key that started it.
        reason: why it was ended, "" when nobody said.
        started_at: UTC.
        ended_at: UTC; None while it runs.
    """

    id: str
    model: str
    stable: str
    candidate: str
    weight: int
    state: str
    actor: str
    reason: str
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelState:
    """Everything the control plane knows of one model.

    Attributes:
        model: its name.
        aliases: by name.
        admitted: digest of the manifest by admitted version.
        rollout: the running one, or None.
    """

    model: str
    aliases: Mapping[str, Alias]
    admitted: Mapping[str, str]
    rollout: Rollout | None = None

    @property
    def stable(self) -> str | None:
        """The stable version, or None while the model has none."""
        found = self.aliases.get(STABLE)
        return None if found is None else found.version

    @property
    def wanted(self) -> tuple[str, ...]:
        """The versions Triton must hold, the most important first."""
        first = [self.aliases[name].version for name in (STABLE, CANDIDATE) if name in self.aliases]
        if self.rollout is not None:
            first += [self.rollout.stable, self.rollout.candidate]
        return tuple(dict.fromkeys([*first, *(alias.version for alias in self.aliases.values())]))

    def policy(self) -> RoutingPolicy | None:
        """Return how requests are routed, or None while nothing is stable."""
        if self.stable is None:
            return None
        rollout = self.rollout
        return RoutingPolicy(
            model=self.model,
            stable=self.stable,
            aliases={name: alias.version for name, alias in self.aliases.items()},
            admitted=frozenset(self.admitted),
            rollout=rollout.id if rollout else "",
            candidate=rollout.candidate if rollout else "",
            weight=rollout.weight if rollout else 0,
        )

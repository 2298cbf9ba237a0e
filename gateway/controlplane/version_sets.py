"""Which versions of a model Triton holds, and making it hold others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gateway.controlplane.manifest import VersionFiles
from gateway.errors import UnusableVersion
from gateway.triton import IndexEntry, TritonRepository
from gateway.triton.model_config import with_versions

LOAD = "load"


@dataclass(frozen=True, slots=True)
class Held:
    """The versions of one model in Triton.

    Attributes:
        ready: they serve.
        busy: they are being loaded or unloaded.
    """

    ready: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()


def held(index: Iterable[IndexEntry]) -> dict[str, Held]:
    """Return what Triton holds of every model of its index, by name."""
    ready: dict[str, set[str]] = {}
    busy: dict[str, set[str]] = {}
    for row in index:
        versions = ready.setdefault(row.name, set())
        if not row.version.isdecimal():
            continue
        if row.state == "READY":
            versions.add(row.version)
        elif row.state in ("LOADING", "UNLOADING"):
            busy.setdefault(row.name, set()).add(row.version)
    return {name: Held(frozenset(found), frozenset(busy.get(name, ()))) for name, found in ready.items()}


class VersionSets:
    """Changes what Triton holds, one model at a time; whoever calls holds the model's lease.

    Args:
        repository: Triton's repository API.
        files: the model repository on disk.
        load_timeout: seconds one load may take.
    """

    def __init__(self, repository: TritonRepository, files: VersionFiles, *, load_timeout: float) -> None:
        self._repository = repository
        self._files = files
        self._load_timeout = load_timeout

    async def held(self, model: str) -> Held:
        """Return what Triton holds of a model now.

        Raises:
            Unavailable: Triton cannot be reached.
            BadUpstream: it answered with something else.
        """
        return held(await self._repository.index()).get(model, Held())

    async def hold(self, model: str, versions: Collection[str]) -> None:
        """Make Triton hold exactly these versions; those it holds already go on serving meanwhile.

        Args:
            model: the model.
            versions: verified ones; none takes the model out of service.

        Raises:
            UnusableVersion: the model's config.pbtxt cannot be used.
            LoadFailed: Triton refused; what it held it still holds.
            DeadlineExceeded: not done in time; Triton may still be at it.
            Unavailable: Triton cannot be reached.
        """
        if not versions:
            await self._repository.unload(model)
            return
        try:
            config = with_versions(self._files.config(model), model, versions)
        except ValueError:
            raise UnusableVersion(
                f"The config.pbtxt of {model} cannot be understood; publish the model again.", step=LOAD
            ) from None
        await self._repository.load(model, self._load_timeout, config)

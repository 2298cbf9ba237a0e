"""What the server has loaded, remembered so that it can be loaded again after the server died.

The gateway decides what is loaded; this only keeps the last answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LoadedModel:
    """A model with at least one ready version.

    Attributes:
        name: name of the model.
        versions: its ready versions.
        config: its effective configuration, whatever it was loaded with.
    """

    name: str
    versions: frozenset[str]
    config: Mapping[str, Any]

    @property
    def is_ensemble(self) -> bool:
        """Whether it only connects other models."""
        return "ensemble_scheduling" in self.config

    @property
    def processes_per_version(self) -> int:
        """Model processes each of its versions has; 0 for a model that runs inside the server."""
        if self.config.get("runtime") != "model.py" and self.config.get("backend") != "python":
            return 0
        return sum(int(group.get("count", 1)) for group in self.config.get("instance_group", []))

    def restoring_config(self) -> dict[str, Any]:
        """A configuration that loads exactly the versions that were ready.

        With the model's own policy (`latest`, say), a version published in the meantime would go live
        without anybody having asked for it.
        """
        versions = sorted(int(version) for version in self.versions)
        return {**self.config, "version_policy": {"specific": {"versions": versions}}}


class LoadedModels:
    """The models to bring back after a restart."""

    def __init__(self) -> None:
        self._models: dict[str, LoadedModel] = {}
        self._known = False

    @property
    def known(self) -> bool:
        """Whether a server was ever asked; before that, the start-up list of models applies."""
        return self._known

    def remember(self, models: Iterable[LoadedModel]) -> None:
        """Replace what is remembered."""
        self._models = {model.name: model for model in models}
        self._known = True

    def models(self) -> list[LoadedModel]:
        """What was loaded when the server was last asked."""
        return list(self._models.values())

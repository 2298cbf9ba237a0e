"""The sub-commands; a new one is a file here and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer

from tidegate.commands import deploy, export, history, keys, models, rollout, samples, up, version

COMMANDS: tuple[Callable[..., None], ...] = (
    up.up,
    export.export,
    deploy.deploy,
    history.history,
    version.version,
)

GROUPS: Mapping[str, tuple[typer.Typer, str]] = {
    "models": (models.app, "Show the versions in the model repository, and which of them serve."),
    "keys": (keys.app, "Create, list and revoke API keys of a running gateway."),
    "rollout": (rollout.app, "Try a candidate on a share of the requests, then promote or abort it."),
    "samples": (samples.app, "List, train and export the sample models."),
}

"""`tidegate export`: a trained model becomes a version in the model repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export import ExportError
from tidegate.commands.options import (
    DEFAULT_REPOSITORY,
    DEFAULT_STATE_DIR,
    JsonOption,
    RepositoryOption,
    StateDirOption,
)
from tidegate.errors import CommandError
from tidegate.output import err, print_json
from tidegate.sample_models import export_with_progress
from tidegate.state import StateDirectory


def export(
    spec: Annotated[Path, typer.Argument(help="The model's export spec (YAML).")],
    *,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights to take instead of the spec's.")] = None,
    repository: RepositoryOption = DEFAULT_REPOSITORY,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
    as_json: JsonOption = False,
) -> None:
    """Export a trained PyTorch model, prove it equal to PyTorch, and publish it as the next version.

    Nothing is published when a check fails.

    [bold]Examples[/bold]

      tidegate export samples/digits/export.yaml
      tidegate export my_model.yaml --checkpoint best.safetensors --repository /srv/models
    """
    try:
        result = export_with_progress(spec, repository, StateDirectory(state_dir), checkpoint)
    except ExportError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({"model": result.model, "version": result.version, "path": result.path})
        return
    difference = max((row.max_abs for row in result.parity), default=0.0)
    err.print(
        f"Published {result.model} version {result.version}: {result.path} "
        f"(differs from PyTorch by at most {difference:.1e}).",
        soft_wrap=True,
        highlight=False,
    )
    err.print(_next_step(result.model, result.version), soft_wrap=True, highlight=False)


def _next_step(model: str, version: int) -> str:
    if version == 1:
        return "A running gateway serves the first version of a model by itself."
    return (
        f"Put it into service with `tidegate deploy {model}@{version}`, or try it on some requests first: "
        f"`tidegate rollout start {model} --candidate {version}`."
    )

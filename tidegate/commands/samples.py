"""`tidegate samples`: the sample models, trained on real data."""

from __future__ import annotations

from typing import Annotated

import typer

from export import ModelRepository
from samples import SAMPLES
from tidegate.commands.options import (
    DEFAULT_REPOSITORY,
    DEFAULT_STATE_DIR,
    JsonOption,
    RepositoryOption,
    StateDirOption,
)
from tidegate.errors import CommandError
from tidegate.output import err, print_json, print_rows
from tidegate.sample_models import build as build_samples
from tidegate.state import StateDirectory

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_samples(*, repository: RepositoryOption = DEFAULT_REPOSITORY, as_json: JsonOption = False) -> None:
    """List the sample models and the versions published of each.

    [bold]Examples[/bold]

      tidegate samples list
      tidegate samples list --json
    """
    published = ModelRepository(repository)
    rows = [
        {"name": sample.name, "versions": published.versions(sample.name), "description": sample.description}
        for sample in SAMPLES.values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_rows(("name", "versions", "description"), rows, empty="")


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `tidegate samples list`.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Build every sample.")] = False,
    retrain: Annotated[bool, typer.Option(help="Train even when the checkpoint is up to date.")] = False,
    repository: RepositoryOption = DEFAULT_REPOSITORY,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Train samples on their real data and export each as a new version.

    [bold]Examples[/bold]

      tidegate samples build digits
      tidegate samples build --all --retrain
    """
    chosen = list(SAMPLES) if everything else names or []
    if not chosen:
        raise CommandError("Name the samples to build, or say --all; `tidegate samples list` shows them.")
    for result in build_samples(chosen, StateDirectory(state_dir), repository, retrain=retrain):
        err.print(f"Published {result.model} version {result.version}: {result.path}")

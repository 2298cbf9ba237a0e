"""`tidegate models`: what lies in the model repository, and what of it a gateway serves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from export import ExportError, ModelRepository
from tidegate.commands.options import (
    DEFAULT_REPOSITORY,
    DEFAULT_STATE_DIR,
    DEFAULT_URL,
    JsonOption,
    RepositoryOption,
    StateDirOption,
    UrlOption,
)
from tidegate.errors import CommandError
from tidegate.gateway_client import admin_client
from tidegate.output import err, print_json, print_rows

app = typer.Typer(no_args_is_help=True)

COLUMNS = ("model", "version", "target", "precision", "created", "training_score", "bytes")
SERVING_COLUMNS = ("model", "stable", "previous_stable", "rollout", "aliases", "loaded", "published")


@app.command("list")
def list_models(*, repository: RepositoryOption = DEFAULT_REPOSITORY, as_json: JsonOption = False) -> None:
    """List every version of every model in the repository, served or not.

    [bold]Examples[/bold]

      tidegate models list
      tidegate models list --repository /srv/models --json
    """
    found = ModelRepository(repository)
    rows = [_row(found, model, version) for model in found.models() for version in found.versions(model)]
    if as_json:
        print_json(rows)
    else:
        print_rows(
            COLUMNS, rows, empty=f"No model in {repository}: `tidegate samples build digits` makes one."
        )


@app.command()
def serving(
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Show which versions a running gateway serves, under which aliases, and the running rollouts.

    [bold]Examples[/bold]

      tidegate models serving
      tidegate models serving --json
    """
    with admin_client(url, state_dir) as client:
        models = client.get("/admin/v1/models")["models"]
    if as_json:
        print_json(models)
        return
    rows = [_serving_row(model) for model in models]
    print_rows(SERVING_COLUMNS, rows, empty="The gateway knows no model: `tidegate export` publishes one.")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="NAME or NAME@VERSION; the highest version by default.")],
    *,
    repository: RepositoryOption = DEFAULT_REPOSITORY,
) -> None:
    """Print a version's manifest: provenance, measured parity, and the hash of every file.

    [bold]Examples[/bold]

      tidegate models show digits
      tidegate models show digits@1
    """
    found = ModelRepository(repository)
    name, _, wanted = model.partition("@")
    try:
        if wanted and not wanted.isdecimal():
            raise CommandError(f"{wanted} is no version: write the number, e.g. {name}@1.")
        version = int(wanted) if wanted else max(found.versions(name), default=0)
        print_json(found.manifest(name, version))
    except ExportError as error:
        raise CommandError(str(error)) from error


@app.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    *,
    repository: RepositoryOption = DEFAULT_REPOSITORY,
    as_json: JsonOption = False,
) -> None:
    """Hash every published file again and compare it with its manifest; exits with 1 on a difference.

    [bold]Examples[/bold]

      tidegate models verify
      tidegate models verify digits --repository /srv/models
    """
    found = ModelRepository(repository)
    checked: list[dict[str, Any]] = []
    try:
        for name in [model] if model else found.models():
            for version in found.versions(name):
                problems = [f"{problem.file} {problem.what}" for problem in found.verify(name, version)]
                checked.append({"model": name, "version": version, "problems": problems})
    except ExportError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json(checked)
    else:
        for row in checked:
            err.print(f"{row['model']} {row['version']}: {'; '.join(row['problems']) or 'intact'}")
    if any(row["problems"] for row in checked):
        raise CommandError(
            "The repository differs from its manifests: export the versions named above again."
        )


def _serving_row(model: dict[str, Any]) -> dict[str, Any]:
    rollout = model["rollout"]
    others = {name: at for name, at in model["aliases"].items() if name not in ("stable", "candidate")}
    return {
        **model,
        "rollout": f"{rollout['candidate']} at {rollout['weight']} %" if rollout else None,
        "aliases": [f"{name}={at}" for name, at in others.items()] or None,
        "loaded": _versions_that_are("loaded", model) or None,
        "published": _versions_that_are("published", model) or None,
    }


def _versions_that_are(what: str, model: dict[str, Any]) -> list[str]:
    return [entry["version"] for entry in model["versions"] if entry[what]]


def _row(repository: ModelRepository, model: str, version: int) -> dict[str, Any]:
    try:
        manifest = repository.manifest(model, version)
    except ExportError:
        # Put there by hand: Triton may serve it all the same.
        return {"model": model, "version": version}
    training = manifest.get("training") or {}
    name = training.get("score_name")
    score = (training.get("held_out") or {}).get(name)
    return {
        "model": model,
        "version": version,
        "target": manifest["target"],
        "precision": manifest["precision"],
        "created": manifest["created"],
        "training_score": None if score is None else f"{name} {score:.4f}",
        "bytes": sum(entry.get("bytes", entry.get("size", 0)) for entry in manifest["files"].values()),
    }

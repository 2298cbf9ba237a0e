"""`tidegate rollout`: canary rollouts of a running gateway."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tidegate.commands.options import (
    DEFAULT_STATE_DIR,
    DEFAULT_URL,
    JsonOption,
    StateDirOption,
    UrlOption,
)
from tidegate.errors import CommandError
from tidegate.gateway_client import admin_client
from tidegate.output import err, out, print_json, print_rows

app = typer.Typer(no_args_is_help=True)

ModelArgument = Annotated[str, typer.Argument(help="The model.")]
WeightOption = Annotated[
    int, typer.Option(min=0, max=100, help="Percent of the requests the candidate answers.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the history.")]


@app.command()
def start(
    model: ModelArgument,
    *,
    candidate: Annotated[int, typer.Option(min=1, help="The version to try.")],
    weight: WeightOption = 10,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Load a candidate, try it out, and let it answer a share of the requests.

    The same key, or the same value of the header X-Tidegate-Sticky, always gets the same version.
    Weight 0 loads it for those who ask for it by number or by the alias candidate.

    [bold]Examples[/bold]

      tidegate rollout start digits --candidate 2 --weight 10
      tidegate rollout start digits --candidate 2 --weight 0
    """
    with admin_client(url, state_dir) as client, err.status(f"trying {model} version {candidate} out"):
        body = {"candidate": candidate, "weight": weight}
        # As long as the gateway needs for its steps.
        started = client.post(_path(model), body, timeout=None)
    _show(started, as_json, f"{model} version {candidate} answers {weight} % of the requests now.")


@app.command("weight")
def set_weight(
    model: ModelArgument,
    weight: Annotated[int, typer.Argument(min=0, max=100, help="Percent of the requests.")],
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Change the candidate's share of the requests.

    [bold]Examples[/bold]

      tidegate rollout weight digits 50
    """
    with admin_client(url, state_dir) as client:
        changed = client.patch(_path(model), {"weight": weight})
    _show(changed, as_json, f"{model} version {changed['candidate']} answers {weight} % of the requests now.")


@app.command()
def promote(
    model: ModelArgument,
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Make the candidate the stable version.

    [bold]Examples[/bold]

      tidegate rollout promote digits --reason 'no errors for a day'
    """
    with admin_client(url, state_dir) as client:
        ended = client.post(f"{_path(model)}/promote", {"reason": reason})
    _show(ended, as_json, f"{model} version {ended['candidate']} is stable now (before: {ended['stable']}).")


@app.command()
def abort(
    model: ModelArgument,
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """End the rollout; the stable version answers everything again.

    [bold]Examples[/bold]

      tidegate rollout abort digits --reason 'slower than stable'
    """
    with admin_client(url, state_dir) as client:
        ended = client.post(f"{_path(model)}/abort", {"reason": reason})
    _show(ended, as_json, f"{model} version {ended['stable']} answers everything again.")


@app.command()
def rollback(
    model: ModelArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Make the previous stable version stable again; doing it twice returns to where it began.

    [bold]Examples[/bold]

      tidegate rollout rollback digits
    """
    with admin_client(url, state_dir) as client, err.status(f"rolling {model} back"):
        done = client.post(f"{_model_path(model)}/rollback", timeout=None)
    _show(
        done, as_json, f"{model} version {done['stable']} is stable now (before: {done['previous_stable']})."
    )


@app.command()
def status(
    model: ModelArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Show the running or last rollout, and what each version answered since it started.

    [bold]Examples[/bold]

      tidegate rollout status digits
      tidegate rollout status digits --json
    """
    with admin_client(url, state_dir) as client:
        found = client.get(_path(model))
    if as_json:
        print_json(found)
        return
    out.print(_line(model, found), highlight=False, soft_wrap=True)
    rows = [
        {
            "version": version,
            "role": _role(found, version),
            "requests": seen["requests"],
            "share": f"{seen['share']:.1%}",
            "errors": seen["errors"],
        }
        for version, seen in found["observed"].items()
    ]
    columns = ("version", "role", "requests", "share", "errors")
    print_rows(columns, rows, empty="This gateway has answered no request since the rollout started.")


def _line(model: str, rollout: dict[str, Any]) -> str:
    line = f"{model}: {rollout['stable']} → {rollout['candidate']}, {rollout['state']}"
    if rollout["state"] == "running":
        return f"{line}, weight {rollout['weight']} %"
    # The share ended with the rollout, and later deployments may have moved stable.
    return f"{line}; none is running (`tidegate models serving` shows what serves)"


def _role(rollout: dict[str, Any], version: str) -> str | None:
    return next((role for role in ("stable", "candidate") if rollout[role] == version), None)


def _show(answer: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(answer)
    else:
        err.print(sentence, highlight=False)


def _path(model: str) -> str:
    return f"{_model_path(model)}/rollout"


def _model_path(model: str) -> str:
    if not model or "/" in model or "?" in model:
        raise CommandError(f"{model!r} is no model; `tidegate models list` shows their names.")
    return f"/admin/v1/models/{model}"

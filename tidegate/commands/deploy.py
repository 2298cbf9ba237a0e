"""`tidegate deploy`: a published version becomes the one that serves."""

from __future__ import annotations

from typing import Annotated

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
from tidegate.output import err, print_json, print_rows


def deploy(
    target: Annotated[
        str, typer.Argument(metavar="MODEL@VERSION", help="A version of the model repository, e.g. digits@2.")
    ],
    *,
    alias: Annotated[str, typer.Option(help="What shall name the version when it is deployed.")] = "stable",
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Verify a version, load it beside the one that serves, try it out, and only then switch.

    When a step fails, the version never serves and nothing else changes.

    [bold]Examples[/bold]

      tidegate deploy digits@2
      tidegate deploy digits@3 --alias next
    """
    model, version = split_target(target)
    path = f"/admin/v1/models/{model}/deploy"
    with admin_client(url, state_dir) as client, err.status(f"deploying {target}"):
        # The gateway has a deadline for every step; ours would only leave the user in the dark.
        done = client.post(path, {"version": version, "alias": alias}, timeout=None)
    if as_json:
        print_json(done)
        return
    print_rows(("step", "outcome", "seconds"), done["steps"], empty="")
    before = f" (before: {done['previous']})" if done["previous"] else ""
    err.print(f"{model} version {done['version']} is {done['alias']} now{before}.", highlight=False)


def split_target(target: str) -> tuple[str, str]:
    """Return model and version of `MODEL@VERSION`.

    Raises:
        CommandError: it is nothing of the kind.
    """
    model, _, version = target.partition("@")
    if not model or "/" in model or not version.isdecimal():
        raise CommandError(f"{target} names no version; write MODEL@VERSION, e.g. digits@2.")
    return model, version

"""`tidegate history`: who changed what in a running gateway."""

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
from tidegate.gateway_client import admin_client
from tidegate.output import print_json, print_rows

COLUMNS = ("at", "actor", "action", "subject", "detail")


def history(
    model: Annotated[str | None, typer.Argument(help="Only the changes of this model.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most so many.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Show the changes made to models, aliases, rollouts, projects and keys, newest first.

    [bold]Examples[/bold]

      tidegate history digits
      tidegate history --limit 100 --json
    """
    wanted: dict[str, Any] = {"limit": limit} if model is None else {"limit": limit, "model": model}
    with admin_client(url, state_dir) as client:
        changes = client.get("/admin/v1/history", wanted)["changes"]
    if as_json:
        print_json(changes)
        return
    rows = [{**change, "detail": _detail(change["detail"])} for change in changes]
    print_rows(COLUMNS, rows, empty="Nothing was changed yet.")


def _detail(detail: dict[str, Any]) -> str:
    shown = {key: value for key, value in detail.items() if key != "steps" and value not in (None, "")}
    return " ".join(f"{key}={value}" for key, value in shown.items())

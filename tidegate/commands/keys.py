"""`tidegate keys`: a client of the gateway's `/admin/v1/keys`."""

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
from tidegate.gateway_client import admin_client
from tidegate.output import err, out, print_json, print_rows

app = typer.Typer(no_args_is_help=True)

COLUMNS = ("key_id", "project", "name", "scopes", "models", "created_at", "expires_at", "revoked_at")


@app.command()
def create(
    *,
    project: Annotated[
        str, typer.Option(help="Project that owns the key; made if it does not exist.")
    ] = "default",
    name: Annotated[str, typer.Option(help="What the key is for, e.g. 'checkout service'.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="infer, read, deploy or admin; repeat for several.", show_default="infer, read"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model name or glob the key may reach; repeat for several.", show_default="*"),
    ] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601 time with its zone, e.g. 2027-01-01T00:00:00Z; the key is refused after it."
        ),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Create an API key. Its secret is shown once and cannot be had again.

    [bold]Examples[/bold]

      tidegate keys create --project shop --name checkout
      tidegate keys create --project lab --scope infer --model 'digits*' --json
    """
    body: dict[str, object] = {
        "project": project,
        "name": name,
        "scopes": scope or ["infer", "read"],
        "models": model or ["*"],
    }
    if expires_at is not None:
        body["expires_at"] = expires_at
    with admin_client(url, state_dir) as client:
        created = client.post("/admin/v1/keys", body)
    if as_json:
        print_json(created)
        return
    err.print("Keep this key: it is shown only once.")
    out.print(created["key"], highlight=False, soft_wrap=True)


@app.command("list")
def list_keys(
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the API keys (never their secrets).

    [bold]Examples[/bold]

      tidegate keys list
      tidegate keys list --json
    """
    with admin_client(url, state_dir) as client:
        keys = client.get("/admin/v1/keys")["keys"]
    if as_json:
        print_json(keys)
    else:
        print_rows(COLUMNS, keys, empty="There is no API key yet: `tidegate keys create` makes one.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's public id, as `tidegate keys list` shows it.")],
    *,
    as_json: JsonOption = False,
    url: UrlOption = DEFAULT_URL,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Revoke an API key; every gateway refuses it within a second.

    [bold]Examples[/bold]

      tidegate keys revoke 0ddec8hs6o8n
    """
    with admin_client(url, state_dir) as client:
        revoked = client.delete(f"/admin/v1/keys/{key_id}")
    if as_json:
        print_json(revoked)
    else:
        err.print(f"Key {key_id} is revoked.")

"""The `tidegate` command: assembles the sub-commands and turns errors into one sentence."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from tidegate.commands import COMMANDS, GROUPS
from tidegate.errors import CommandError
from tidegate.output import err

app = typer.Typer(
    name="tidegate",
    help="Trained PyTorch models as an authenticated, versioned, metered service on NVIDIA Triton.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in COMMANDS:
    app.command()(command)
for name, (group, summary) in GROUPS.items():
    app.add_typer(group, name=name, help=summary)


def main() -> None:
    """Run the command line; a failure prints what to do and exits with 1."""
    try:
        app()
    except CommandError as error:
        err.print(f"[red]Error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)

"""What a command prints: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

# Data goes to standard output, everything said about it to standard error: pipes stay clean.
# A pipe has no width: rows must not be cut for one.
out = Console(width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True)


def print_json(data: object) -> None:
    """Print `data` as indented JSON on standard output."""
    json.dump(data, sys.stdout, indent=2, sort_keys=False, default=str)
    sys.stdout.write("\n")


def print_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, empty: str) -> None:
    """Print rows as a table, or `empty` when there are none.

    Args:
        columns: keys of the rows, in order; a title is its key with blanks for underscores.
        rows: one mapping per row; lists are joined by commas, None as a dash.
        empty: the sentence that says what to do to get a row.
    """
    table = Table(
        *(column.replace("_", " ") for column in columns), box=None, pad_edge=False, header_style="bold"
    )
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    if table.row_count:
        out.print(table, soft_wrap=True)
    else:
        err.print(empty)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def progress_bar() -> Progress:
    """Return a progress display on standard error for work that takes longer than a blink."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        # The sentence that follows says how it ended; a half-drawn bar above an error would not.
        transient=True,
        disable=not err.is_terminal,
    )

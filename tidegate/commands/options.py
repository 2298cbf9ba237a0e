"""Options that several sub-commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RepositoryOption = Annotated[
    Path,
    typer.Option(
        "--repository",
        "-r",
        envvar="TIDEGATE_MODEL_REPOSITORY",
        help="The Triton model repository.",
        show_default=True,
    ),
]
StateDirOption = Annotated[
    Path,
    typer.Option(
        "--state-dir",
        envvar="TIDEGATE_STATE_DIR",
        help="Where keys, database and logs live.",
        show_default=True,
    ),
]
UrlOption = Annotated[
    str, typer.Option("--url", envvar="TIDEGATE_URL", help="The gateway's base URL.", show_default=True)
]

DEFAULT_REPOSITORY = Path("model_repository")
DEFAULT_STATE_DIR = Path(".tidegate")
DEFAULT_URL = "http://127.0.0.1:8080"

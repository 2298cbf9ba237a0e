"""`tidegate version`: what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from tidegate import __version__
from tidegate.commands.options import JsonOption
from tidegate.output import print_json, print_rows

# What decides how an export or a local Triton behaves; each belongs to an extra that may be absent.
COMPONENTS = (
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "nvidia-pytriton",
    "tritonclient",
    "fastapi",
    "numpy",
)


def version(*, as_json: JsonOption = False) -> None:
    """Show Tidegate's version and those of the components it runs on.

    [bold]Examples[/bold]

      tidegate version
      tidegate version --json
    """
    versions: dict[str, str | None] = {"tidegate": __version__, "python": platform.python_version()}
    versions |= {name: _installed(name) for name in COMPONENTS}
    if as_json:
        print_json(versions)
    else:
        rows = [{"component": name, "version": value} for name, value in versions.items()]
        print_rows(("component", "version"), rows, empty="")


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None

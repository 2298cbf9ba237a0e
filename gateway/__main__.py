"""`python -m gateway`: runs the gateway with the settings of the environment."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from pydantic import ValidationError

from gateway import logs
from gateway.errors import CannotStart
from gateway.settings import Settings, environment_name

log = logging.getLogger("gateway")

CANNOT_START = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 after a drain, 2 when the gateway cannot start."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        logs.configure("INFO")
        for problem in error.errors():
            name = environment_name(str(problem["loc"][0]))
            log.error("a setting is not valid", extra={"setting": name, "problem": problem["msg"]})
        return CANNOT_START
    logs.configure(settings.log_level)
    if options.check:
        return 0
    # Whatever is written here, the database among it, is for this user alone.
    os.umask(0o077)
    # Importing the servers takes longer than all of the above.
    from gateway import server

    try:
        server.run(settings)
    except CannotStart as error:
        log.error("the gateway cannot start", extra={"reason": str(error)})
        return CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway",
        description="The gateway in front of Triton. It is set up by environment variables only.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="validate the settings and exit")
    return parser


def _settings_help() -> str:
    lines = ["settings:"]
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else field.default
        lines.append(f"  {environment_name(name)}\n      {field.description} [default: {default}]")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

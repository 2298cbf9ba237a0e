"""`python -m tests.export.kill_campaign TEMPLATE FOLDER`: one copy of TEMPLATE for every call, killed there.

A process of its own without threads, so that it can fork: a fresh interpreter for each kill takes minutes.
Prints the calls that publishing makes, as JSON.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from tests.export.faults import at_call, die
from tests.export.workshop import publish_tiny

DELAY = 900


def main() -> None:
    template, folder = Path(sys.argv[1]), Path(sys.argv[2])
    publish_tiny(folder / "warm-up")  # late imports and caches must not count
    whole = shutil.copytree(template, folder / "whole")
    with at_call(-1, die) as calls:
        publish_tiny(whole, delay=DELAY)
    statuses = [
        _killed(shutil.copytree(template, folder / str(number)), number) for number in range(len(calls))
    ]
    sys.stdout.write(json.dumps({"calls": calls, "statuses": statuses}))


def _killed(repository: Path, number: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            with at_call(number, die):
                publish_tiny(repository, delay=DELAY)
        finally:
            os._exit(70)  # reached only when nothing killed us
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()

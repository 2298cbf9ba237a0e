"""What clients see when Triton or a model process is killed under `tidegate up`.

    python -m benchmarks.faults --seconds 12 --rate 50

Starts the whole stack on free ports, sends a steady stream of `digits` inferences through the gateway,
kills one process with SIGKILL, and reports the answers by status and the time until the first 200 after
the kill that was followed by no further failure.
"""

from __future__ import annotations

import argparse
import collections
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import httpx

from benchmarks.traffic import Traffic
from tests.support.stack import RunningStack, running_stack

# Words of the victim's command line. There is one model process for each instance of each model.
FAULTS = {"Triton": ("bin/tritonserver",), "the model's process": ("python_backend_stub", "digits")}


def measure(
    stack: RunningStack, words: tuple[str, ...], rate: float, seconds: float
) -> tuple[dict[int, int], float, float]:
    """Kill one process a third into the traffic.

    Returns:
        Answers by status, seconds from the kill until requests are served for good, and seconds from the
        kill to the last failed answer (0 when none failed).
    """
    killed_at: list[float] = []

    def kill() -> None:
        os.kill(stack.child(*words).pid, signal.SIGKILL)
        killed_at.append(time.monotonic())

    timer = threading.Timer(seconds / 3, kill)
    timer.start()
    answers = Traffic(stack, rate, seconds).run()
    timer.join()
    failed = [answer.answered for answer in answers if answer.status != httpx.codes.OK]
    last_failure = max(failed, default=killed_at[0])
    served = [
        a.answered
        for a in answers
        if a.status == httpx.codes.OK and a.answered > max(last_failure, killed_at[0])
    ]
    if not served:
        raise SystemExit("Not served again within the run; give it more --seconds.")
    counts = collections.Counter(answer.status for answer in answers)
    return dict(sorted(counts.items())), min(served) - killed_at[0], last_failure - killed_at[0]


def main() -> None:
    """Run both faults and print a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of each run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print("killed | answers by status | served again after | last failure after")
        print("---|---|---|---")
        for title, words in FAULTS.items():
            with running_stack(Path(directory) / "models", Path(directory) / "state") as stack:
                counts, recovery, last = measure(stack, words, arguments.rate, arguments.seconds)
            text = ", ".join(f"{count} x {status or 'no answer'}" for status, count in counts.items())
            print(f"{title} | {text} | {recovery:.2f} s | {last:.2f} s", flush=True)


if __name__ == "__main__":
    main()

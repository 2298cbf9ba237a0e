"""Rollouts of `digits` under a steady load: what clients saw, and what the canary's share was.

    python -m benchmarks.rollouts --rate 50 --rollouts 100 --rollbacks 20

Starts the whole stack on free ports, publishes a second version, then: a canary of 10 % held for a while,
promotions from version to version, rollbacks, a corrupt and an empty version that must be refused, and a
Triton killed in the middle of a canary. Prints one line per finding.
"""

from __future__ import annotations

import argparse
import collections
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.traffic import Answer, Traffic
from tests.support.stack import RunningStack, running_stack

MODEL = "/admin/v1/models/digits"
CANARY_WEIGHT = 10
CANARY_SECONDS = 30.0
# Two-sided 99.9 % of the normal distribution.
Z_999 = 3.29


class Operator:
    """Steers `digits` through the admin API."""

    def __init__(self, stack: RunningStack) -> None:
        key = (stack.state_dir / "admin-key").read_text().strip()
        self._client = httpx.Client(
            base_url=stack.gateway_url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """POST below the model and return the answer, whatever it is."""
        return self._client.post(MODEL + path, json=body or {})

    def change(self, path: str, body: dict[str, Any] | None = None) -> None:
        """POST a change that must succeed."""
        answer = self.post(path, body)
        if answer.is_error:
            raise SystemExit(f"{path} answered {answer.status_code}: {answer.text}")

    def start(self, candidate: int, weight: int) -> None:
        """Start a rollout."""
        self.change("/rollout", {"candidate": candidate, "weight": weight})


def under_load(stack: RunningStack, rate: float, seconds: float, work: Callable[[], None]) -> list[Answer]:
    """Do `work` while requests run; they go on for at least `seconds` and until it is done."""
    answers: list[Answer] = []
    done = threading.Event()

    def send() -> None:
        answers.extend(Traffic(stack, rate, seconds).run())
        while not done.is_set():
            answers.extend(Traffic(stack, rate, 2.0).run())

    sender = threading.Thread(target=send)
    sender.start()
    try:
        time.sleep(1.0)
        work()
    finally:
        done.set()
        sender.join()
    return answers


def statuses(answers: Sequence[Answer]) -> str:
    """Return how many answers had which status."""
    counts = collections.Counter(answer.status for answer in answers)
    return ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(counts.items()))


def show_canary(stack: RunningStack, operator: Operator, rate: float) -> None:
    """Hold a canary and compare its share with its weight."""
    window: list[float] = []

    def work() -> None:
        operator.start(2, CANARY_WEIGHT)
        window.append(time.monotonic())
        time.sleep(CANARY_SECONDS)
        window.append(time.monotonic())
        operator.change("/rollout/promote")

    answers = under_load(stack, rate, CANARY_SECONDS, work)
    inside = [
        a for a in answers if window[0] < a.sent and a.answered < window[1] and a.status == httpx.codes.OK
    ]
    share = sum(answer.version == "2" for answer in inside) / len(inside)
    margin = Z_999 * math.sqrt(0.1 * 0.9 / len(inside))
    print(
        f"canary of {CANARY_WEIGHT} %: {share:.1%} of {len(inside)} requests (99.9 % interval 10 % ± "
        f"{margin:.1%}); all answers: {statuses(answers)}",
        flush=True,
    )


def show_promotions(
    stack: RunningStack, operator: Operator, rate: float, promotions: int, rollbacks: int
) -> None:
    """Promote back and forth, then roll back and forth."""

    def work() -> None:
        for number in range(promotions):
            operator.start(1 if number % 2 == 0 else 2, 50)
            operator.change("/rollout/promote")
        for _ in range(rollbacks):
            operator.change("/rollback")

    began = time.monotonic()
    answers = under_load(stack, rate, 5.0, work)
    print(
        f"{promotions} promotions and {rollbacks} rollbacks in {time.monotonic() - began:.0f} s at "
        f"{rate:.0f} requests/s: {statuses(answers)}",
        flush=True,
    )


def show_refusals(stack: RunningStack, operator: Operator, models: Path, rate: float) -> None:
    """Deploy a version with a flipped byte and an empty one."""
    artifact = models / "digits" / "3" / "model.onnx"
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.write_bytes(content)
    (models / "digits" / "4").mkdir()
    found: list[str] = []

    def work() -> None:
        for version, what in ((3, "corrupt"), (4, "empty")):
            answer = operator.post("/deploy", {"version": version})
            found.append(f"{what} version: {answer.status_code} {answer.json()['error']}")

    answers = under_load(stack, rate, 5.0, work)
    print(*found, f"meanwhile: {statuses(answers)}", sep="\n", flush=True)


def show_killed_triton(stack: RunningStack, operator: Operator, rate: float) -> None:
    """Kill Triton in the middle of a canary and wait until both versions answer again."""
    killed: list[float] = []

    def work() -> None:
        operator.start(1, CANARY_WEIGHT)
        time.sleep(2.0)
        os.kill(stack.child("bin/tritonserver").pid, signal.SIGKILL)
        killed.append(time.monotonic())
        time.sleep(12.0)

    answers = under_load(stack, rate, 12.0, work)
    served = [a for a in answers if a.sent > killed[0] and a.status == httpx.codes.OK]
    versions = {v: min(a.answered for a in served if a.version == v) - killed[0] for v in ("1", "2")}
    last = max((a.answered for a in answers if a.status != httpx.codes.OK), default=killed[0]) - killed[0]
    print(
        f"Triton killed during a rollout: stable answers after {versions['2']:.1f} s, candidate after "
        f"{versions['1']:.1f} s, last failure after {last:.1f} s; {statuses(answers)}",
        flush=True,
    )
    operator.change("/rollout/abort")


def main() -> None:
    """Run everything and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--rollouts", type=int, default=100, help="promotions")
    parser.add_argument("--rollbacks", type=int, default=20, help="rollbacks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        models, state = Path(directory) / "models", Path(directory) / "state"
        with running_stack(models, state) as stack:
            build = [sys.executable, "-m", "tidegate", "samples", "build", "digits"]
            for _ in range(2):
                subprocess.run(
                    [*build, "--repository", models, "--state-dir", state], check=True, capture_output=True
                )
            operator = Operator(stack)
            show_canary(stack, operator, arguments.rate)
            show_promotions(stack, operator, arguments.rate, arguments.rollouts, arguments.rollbacks)
            show_refusals(stack, operator, models, arguments.rate)
            show_killed_triton(stack, operator, arguments.rate)


if __name__ == "__main__":
    main()

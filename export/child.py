"""Starting the conversion process and turning its events into a result or an error."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.conversion import Conversion, Job
from export.errors import ERRORS, ChildCrashError, ToolError

_TAIL_LINES = 15


def run_conversion(job: Job, log: Path, started: Callable[[str], None]) -> Conversion:
    """Convert in a child process.

    Args:
        job: what to convert.
        log: file that gets whatever the child prints.
        started: called with the name of each step as it starts.

    Raises:
        UserError: the child refused; see `export.errors`.
        ChildCrashError: the child died, with the end of its log.
    """
    step, answer = "start", None
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _BOOTSTRAP, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            encoding="utf-8",
            # ONNX Runtime reports its sessions to its maker unless told not to.
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
        )
        try:
            assert process.stdin is not None  # noqa: S101  PIPE was asked for
            assert process.stdout is not None  # noqa: S101
            _send(process.stdin, job)
            for line in process.stdout:
                event = json.loads(line)
                if "step" in event:
                    step = event["step"]
                    started(step)
                else:
                    answer = event
            # Closing stdin earlier would tell the child that nobody waits for it.
            process.stdin.close()
            status = process.wait()
        finally:
            process.kill()
            process.wait()
    return _result(answer, step, status, log)


# The child must find our packages wherever the parent found them, editable install or not.
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from export.worker import main; sys.exit(main())"
)


def _send(stdin: Any, job: Job) -> None:
    try:
        stdin.write(job.dump() + "\n")
        stdin.flush()
    except BrokenPipeError:
        pass  # the child died at once; its status and log tell why


def _result(answer: dict[str, Any] | None, step: str, status: int, log: Path) -> Conversion:
    if answer is None:
        raise ChildCrashError(
            f"the conversion process died in step {step!r} ({_describe(status)}); nothing was published. "
            f"The end of its log:\n{_tail(log)}"
        )
    if "error" in answer:
        kinds = {kind.__name__: kind for kind in ERRORS}
        raise kinds.get(answer["error"], ToolError)(answer["message"])
    return Conversion.from_dict(answer["result"])


def _describe(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed, most often because memory ran out: free memory and export again"
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:]) or "(empty)"

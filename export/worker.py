"""The conversion process: `python -m export.worker`, one job on stdin, events on stdout.

A process of its own, because torch and ONNX Runtime keep their memory, can crash, and run the user's code.
Events are lines of JSON: `{"step": name}` when a step starts, at the end `{"result": …}` or
`{"error": class name, "message": …}`.
"""

import importlib.metadata
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any, TextIO

from export import TARGETS
from export.conversion import Conversion, Job
from export.errors import ExportError
from export.repository import file_record

_TOOLS = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "safetensors")


def main() -> int:
    """Run one job; the exit status is 0 when the answer on stdout is a result."""
    # Whatever a library or the user's code prints must not end up between the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = Job.parse(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    sys.path[:] = list(dict.fromkeys([*sys.path, *job.search_path]))
    try:
        _send(events, {"result": convert(job, lambda step: _send(events, {"step": step})).as_dict()})
    except ExportError as error:
        traceback.print_exc()
        _send(events, {"error": type(error).__name__, "message": error.message})
        return 1
    except Exception as error:
        traceback.print_exc()
        _send(
            events,
            {
                "error": "ToolError",
                "message": f"the conversion failed unexpectedly ({type(error).__name__}: {error}); "
                "please report it with the log above",
            },
        )
        return 1
    return 0


def convert(job: Job, started: Callable[[str], None]) -> Conversion:
    """Load, convert, check, compare.

    Args:
        job: what to convert.
        started: called with the name of each step as it starts.

    Raises:
        UserError: see `export.errors`.
    """
    seconds: dict[str, float] = {}

    def run(step: str, action: Callable[[], Any]) -> Any:
        started(step)
        begun = time.monotonic()
        answer = action()
        seconds[step] = round(time.monotonic() - begun, 3)
        return answer

    target = TARGETS[job.spec.target]
    model = run("load", lambda: _function("export.architecture:load_model")(job))
    path = run("export", lambda: _function(target.convert)(model, job))
    graph = run("check", lambda: _function(target.check)(path, job.spec))
    parity = run("parity", lambda: _function(target.parity)(path, model, job.spec))
    # Only once the gates have accepted the model: what is written down here is taken for the truth.
    _function("export.golden:write_golden")(model, job)
    return Conversion(
        parity=parity,
        graph=graph,
        checkpoint={"file": job.checkpoint.name, **file_record(job.checkpoint)},
        seconds=seconds,
        versions={tool: importlib.metadata.version(tool) for tool in _TOOLS},
    )


def _function(import_path: str) -> Callable[..., Any]:
    module, _, name = import_path.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _send(events: TextIO, event: dict[str, Any]) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


def _die_with_parent() -> None:
    """The parent keeps our stdin open; its end means that nobody waits for the answer any more."""
    sys.stdin.read()
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())

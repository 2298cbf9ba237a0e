"""The model processes (Triton's Python stubs) of a server, as the operating system sees them.

Triton 2.51 goes on calling a model ready after its process died, so the processes themselves are watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

_STUB = "triton_python_backend_stub"
_GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass(frozen=True)
class ModelProcess:
    """One live model process.

    Attributes:
        pid: its process id.
        model: name of the model it runs.
        version: version of the model.
        instance: name of the instance, e.g. `digits_0_0`.
    """

    pid: int
    model: str
    version: str
    instance: str


def model_processes(server_pid: int, repository: Path) -> list[ModelProcess]:
    """The live model processes of a server; empty when the server is gone.

    Args:
        server_pid: process id of tritonserver.
        repository: the model repository as the server knows it (resolved).
    """
    try:
        children = psutil.Process(server_pid).children()
    except psutil.Error:
        return []
    found = (_describe(child, repository) for child in children)
    return [process for process in found if process is not None]


def _describe(process: psutil.Process, repository: Path) -> ModelProcess | None:
    try:
        if process.status() in _GONE:
            return None
        arguments = process.cmdline()
    except psutil.Error:
        return None
    # <stub> <repository>/<model>/<version>/<file> <region> … <instance> <backend directory>
    if len(arguments) < 4 or Path(arguments[0]).name != _STUB:
        return None
    try:
        model, version = Path(arguments[1]).relative_to(repository).parts[:2]
    except ValueError:
        return None
    return ModelProcess(process.pid, model, version, arguments[-2])

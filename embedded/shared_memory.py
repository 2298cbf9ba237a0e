"""Shared-memory regions of model processes: named so that leftovers can be told from live ones.

A killed server leaves its regions in /dev/shm, where they keep their memory until someone removes them.
Each server's regions carry a prefix that says which process started it, so that a sweep touches only
regions of Tidegate whose process is gone.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

SHM = Path("/dev/shm")  # noqa: S108 - the system's place for shared memory

_NAME = re.compile(r"tidegate_(?P<namespace>\d+)_(?P<pid>\d+)_(?P<started>\d+)_(?P<generation>\d+)_")


@dataclass(frozen=True)
class RegionOwner:
    """The process that started a server, and the how-manieth server of it this is.

    Attributes:
        namespace: inode of its pid namespace; containers may share /dev/shm but not pids.
        pid: its process id.
        started: its start time in clock ticks since boot, which tells it from a later process of that id.
        generation: counts the servers it started.
    """

    namespace: int
    pid: int
    started: int
    generation: int

    @property
    def prefix(self) -> str:
        """What the names of the server's regions begin with."""
        return f"tidegate_{self.namespace}_{self.pid}_{self.started}_{self.generation}_"


def this_process(generation: int) -> RegionOwner:
    """The owner to name regions after when this process starts its `generation`-th server."""
    pid = os.getpid()
    started = _start_time(pid)
    if started is None:
        raise RuntimeError("/proc is not mounted")
    return RegionOwner(_pid_namespace(), pid, started, generation)


def sweep_dead(directory: Path = SHM) -> list[str]:
    """Remove the regions whose owner is gone, and return their names.

    Regions of other pid namespaces are left alone: whether their owner lives cannot be seen from here.
    """
    namespace = _pid_namespace()
    removed: list[str] = []
    for name in _names(directory):
        match = _NAME.match(name)
        if match is None or int(match["namespace"]) != namespace:
            continue
        if _start_time(int(match["pid"])) == int(match["started"]):
            continue
        removed.extend(_remove(directory / name))
    return removed


def remove_regions(owner: RegionOwner, directory: Path = SHM) -> list[str]:
    """Remove the regions of one server, which must be dead, and return their names."""
    return [
        removed
        for name in _names(directory)
        if name.startswith(owner.prefix)
        for removed in _remove(directory / name)
    ]


def _names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except OSError:
        return []


def _remove(path: Path) -> list[str]:
    try:
        path.unlink()
    except OSError:
        return []
    return [path.name]


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - followed on purpose, it is a magic link


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in parentheses, may itself hold spaces; the start time is field 22.
    return int(stat.rpartition(")")[2].split()[19])

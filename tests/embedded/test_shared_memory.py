"""The sweep removes what dead servers left, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from embedded.shared_memory import RegionOwner, remove_regions, sweep_dead, this_process


def region(directory: Path, owner: RegionOwner) -> Path:
    path = directory / f"{owner.prefix}12183205-b59e-4cf4-b1cb-1d71be6151d8"
    path.write_bytes(b"x")
    return path


def a_dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_only_regions_of_dead_owners_go(tmp_path: Path) -> None:
    me = this_process(3)
    dead = region(tmp_path, replace(me, pid=a_dead_pid()))
    reused_pid = region(tmp_path, replace(me, started=me.started - 1))
    mine = region(tmp_path, me)
    other_namespace = region(tmp_path, replace(me, namespace=1, pid=a_dead_pid()))
    foreign = tmp_path / "triton_python_backend_shm_region_04a4643e"
    foreign.write_bytes(b"x")

    removed = sweep_dead(tmp_path)

    assert set(removed) == {dead.name, reused_pid.name}
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, other_namespace.name, foreign.name}


def test_the_regions_of_one_server_go_and_those_of_the_next_stay(tmp_path: Path) -> None:
    first, second = this_process(1), this_process(12)
    region(tmp_path, first)
    kept = region(tmp_path, second)
    assert len(remove_regions(first, tmp_path)) == 1
    assert list(tmp_path.iterdir()) == [kept]


def test_a_missing_directory_is_no_error(tmp_path: Path) -> None:
    assert sweep_dead(tmp_path / "none") == []

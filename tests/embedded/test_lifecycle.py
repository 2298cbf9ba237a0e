"""How a supervised server begins and ends: hung for good, asked to stop, orphaned, or not let in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil

from embedded.shared_memory import SHM
from tests.support import onnx_models
from tests.support.triton import ROOT, free_ports, is_live, serves_identity, supervised_triton, wait_until


def test_a_server_that_stays_hung_is_started_again(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    onnx_models.write_identity(repository, width=4)
    with supervised_triton(repository, tmp_path, options=["--hang-timeout", "3"]) as triton:
        wait_until(lambda: serves_identity(triton), "served")
        time.sleep(1.0)
        server = triton.server_pid()
        assert server is not None
        os.kill(server, signal.SIGSTOP)
        wait_until(lambda: triton.server_pid() not in (None, server), "started again", seconds=30)
        wait_until(lambda: serves_identity(triton), "served again", seconds=30)


def test_sigterm_lets_a_running_request_finish_and_leaves_nothing_behind(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    onnx_models.write_slow(repository, rounds=1500)
    answers: list[httpx.Response] = []
    with supervised_triton(repository, tmp_path) as triton:
        tensor = ("x", "FP32", [1, 1], [3.0])
        request = threading.Thread(target=lambda: answers.append(triton.infer("slow", tensor)))
        request.start()
        time.sleep(0.3)
        family = psutil.Process(triton.pid).children(recursive=True)
        assert len(family) >= 2  # the server and a model process
        supervisor = psutil.Process(triton.pid)
        supervisor.send_signal(signal.SIGTERM)
        request.join(60)
        assert supervisor.wait(timeout=30) == 0

    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["outputs"][0]["data"] == [3.0]
    wait_until(lambda: not any(process.is_running() for process in family), "no process is left", seconds=10)
    assert not [path.name for path in SHM.glob(f"tidegate_*_{triton.pid}_*")]


def test_a_killed_supervisor_takes_its_server_along(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    onnx_models.write_identity(repository, width=4)
    with supervised_triton(repository, tmp_path) as triton:
        wait_until(lambda: serves_identity(triton), "served")
        family = psutil.Process(triton.pid).children(recursive=True)
        os.kill(triton.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, family)), "server and model processes end", seconds=20)
    assert not list(SHM.glob(f"tidegate_*_{triton.pid}_*"))


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    with supervised_triton(repository, tmp_path, load=()) as first:
        port = int(first.http_url.rpartition(":")[2])
        others = free_ports(3)
        second = subprocess.run(
            [
                sys.executable, "-m", "embedded",
                "--model-repository", str(repository), "--state-dir", str(tmp_path / "second"),
                "--http-port", str(port), "--grpc-port", str(others[0]),
                "--metrics-port", str(others[1]), "--supervisor-port", str(others[2]),
            ],
            capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
        assert second.returncode == 1
        assert f"Port {port} (--http-port) is already in use" in second.stderr
        assert "--http-port" in second.stderr
        assert "Traceback" not in second.stderr
        assert is_live(first.http_url)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

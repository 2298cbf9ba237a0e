"""The command line of NVIDIA's container: complete, refused on an old release, taken by a real Triton."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded.config import TritonConfig
from embedded.launcher import prepare
from tests.helm.rendering import SCENARIOS, container_of, environment, manifests, pod_spec, scenario_values
from tests.support.triton import free_ports

GPU_SCENARIOS = [path for path in SCENARIOS if scenario_values(path).get("profile", "gpu") == "gpu"]
# Unknown to the wheel's Triton 2.51, known to every release from the floor on.
NEWER_FLAGS = {"allow-client-shm", "http-max-input-size", "grpc-max-response-pool-size"}
RESTRICTED = {"model-repository", "shared-memory", "model-config", "statistics", "trace", "logging"}
START_SECONDS = 60


@pytest.mark.parametrize("scenario", GPU_SCENARIOS, ids=lambda path: path.stem)
def test_every_flag_that_closes_a_hole_is_set(scenario: Path) -> None:
    values = scenario_values(scenario)
    flags = dict(_flags(_container(values)["args"]))
    assert flags["model-control-mode"] == "explicit"
    assert flags["allow-client-shm"] == flags["allow-sagemaker"] == flags["allow-vertex-ai"] == "false"
    assert flags["strict-readiness"] == "false"
    assert flags["trace-config"] == "level=OFF"
    assert int(flags["grpc-max-response-pool-size"]) < 1000
    assert "disable-auto-complete-config" in flags
    assert not {"log-file", "load-model", "allow-metrics"} & flags.keys()
    for name in ("http-restricted-api", "grpc-restricted-protocol"):
        groups, _, header = flags[name].partition(":")
        assert set(groups.split(",")) == RESTRICTED
        assert header == "x-tidegate-triton-admin=$(TIDEGATE_TRITON_ADMIN_SECRET)"
    timeout = values.get("gateway", {}).get("requestTimeoutSeconds", 30)
    assert int(flags["exit-timeout-secs"]) >= timeout


def test_the_largest_rebuilt_request_fits() -> None:
    flags = dict(_flags(_container({"gateway": {"maxBodyBytes": 100_000_000}})["args"]))
    # JSON `0,` is two bytes of body and eight bytes of FP64.
    assert int(flags["http-max-input-size"]) >= 400_000_000


@pytest.mark.parametrize(
    ("release", "status"),
    [("26.09", 0), ("26.10", 0), ("27.01", 0), ("26.08", 64), ("24.10", 64), (None, 64)],
)
def test_an_old_release_refuses_to_start(tmp_path: Path, release: str | None, status: int) -> None:
    container = _container({})
    (tmp_path / "tritonserver").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "tritonserver").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment(container, manifests())}
    if release:
        env["NVIDIA_TRITON_SERVER_VERSION"] = release
    answer = subprocess.run(
        container["args"], env=env, capture_output=True, text=True, check=False, timeout=20
    )
    assert answer.returncode == status
    if status:
        assert "older than 26.09" in answer.stderr
        assert answer.stdout == ""
    else:
        assert answer.stdout.splitlines() == [arg for arg in container["args"] if arg.startswith("--")]


def test_a_real_triton_takes_the_arguments_and_keeps_its_api_shut(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    objects = manifests()
    container = container_of(pod_spec(objects, "-triton"))
    env = environment(container, objects)
    secret = env["TIDEGATE_TRITON_ADMIN_SECRET"]
    installation = prepare(TritonConfig(model_repository=tmp_path / "models", state_dir=tmp_path / "state"))
    flags = _flags(container["args"])
    assert {name for name, _ in flags} - installation.flags == NEWER_FLAGS
    http, grpc, metrics = free_ports(3)
    arguments = [
        f"--{name}={value}".removesuffix("=")
        .replace("$(TIDEGATE_TRITON_ADMIN_SECRET)", secret)
        .replace("/models", str(tmp_path / "models"))
        for name, value in flags
        if name not in NEWER_FLAGS
    ]
    ports = [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"]
    where = [
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        f"--backend-directory={installation.backends}",
    ]
    command = [str(installation.wheel.server), *arguments, *ports, *where]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=installation.environment(), stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{http}"
        _wait_live(url, process, tmp_path / "log")
        assert httpx.get(f"{url}/v2/health/ready").status_code == 200
        assert httpx.post(f"{url}/v2/repository/index").status_code == 403
        assert httpx.get(f"{url}/v2/logging").status_code == 403
        assert httpx.get(f"{url}/v2/systemsharedmemory/status").status_code == 403
        opened = httpx.post(f"{url}/v2/repository/index", headers={"x-tidegate-triton-admin": secret})
        assert opened.status_code == 200
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _container(values: dict[str, Any]) -> dict[str, Any]:
    return container_of(pod_spec(manifests(values), "-triton"))


def _flags(arguments: list[str]) -> list[tuple[str, str]]:
    split = (
        argument.removeprefix("--").partition("=") for argument in arguments if argument.startswith("--")
    )
    return [(name, value) for name, _, value in split]


def _wait_live(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/v2/health/live", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"not live within {START_SECONDS} s:\n{log.read_text()}")

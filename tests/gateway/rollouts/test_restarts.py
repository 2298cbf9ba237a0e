"""What is deployed survives the death of Triton, of a gateway, and of both."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.controlplane.leases import LEASE_SECONDS
from tests.gateway.rollouts.conftest import QUICK
from tests.gateway.rollouts.operator import Operator, eventually, log_of, operator, write_nothing
from tests.support.gateway import running_gateway
from tests.support.triton import RunningTriton, SupervisedTriton, running_triton, supervised_triton
from tests.support.versioned_models import NAME, publish, publish_corrupt, publish_half, write_manifest


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[SupervisedTriton]:
    repository = write_nothing(tmp_path)
    publish(repository, 1)
    publish(repository, 2)
    with supervised_triton(repository, tmp_path) as running:
        yield running


def served(hands: Operator, version: str, at: str = "") -> bool:
    answer = hands.infer(at)
    return answer.status_code == 200 and answer.headers["x-model-version"] == version


def test_a_rollout_goes_on_after_triton_was_killed(supervised: SupervisedTriton, tmp_path: Path) -> None:
    with running_gateway(supervised, tmp_path, auto_deploy=False, **QUICK) as gateway:
        gateway.wait_ready()
        hands = operator(gateway)
        hands.deploy(1)
        hands.done("POST", "/rollout", {"candidate": 2, "weight": 50})
        before = {f"user-{n}": hands.answered_by(sticky=f"user-{n}") for n in range(30)}
        pid = supervised.server_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: supervised.server_pid() not in (None, pid), seconds=30)
        eventually(lambda: hands.loaded() == {"1", "2"} and served(hands, "2", "2"), seconds=30)
        assert {caller: hands.answered_by(sticky=caller) for caller in before} == before
        gateway.wait_ready()


def test_a_restarted_gateway_keeps_aliases_rollout_and_history(
    supervised: SupervisedTriton, tmp_path: Path
) -> None:
    with running_gateway(supervised, tmp_path, auto_deploy=False, **QUICK) as gateway:
        hands = operator(gateway)
        eventually(lambda: hands.admin("GET", f"/models/{NAME}").is_success)
        hands.deploy(1)
        hands.done("POST", "/rollout", {"candidate": 2, "weight": 100})
        gateway.kill()
    with running_gateway(supervised, tmp_path, auto_deploy=False, **QUICK) as gateway:
        gateway.wait_ready()
        hands = operator(gateway)
        assert hands.answered_by() == "2"
        assert hands.answered_by("stable") == "1"
        hands.done("POST", "/rollout/promote")
        assert len(hands.admin("GET", f"/history?model={NAME}").json()["changes"]) == 3


def test_a_deploy_cut_off_by_kill_9_is_healed(tmp_path: Path) -> None:
    """Killed between Triton's load and the commit: the version was loaded and belongs to nobody (LIFE-12)."""
    repository = write_nothing(tmp_path)
    publish(repository, 1)
    _repeat_golden(publish(repository, 2), times=10_000)  # so that it lies long between load and commit
    with running_triton(repository, tmp_path, load=()) as triton:
        with running_gateway(triton, tmp_path, auto_deploy=False, **QUICK) as gateway:
            gateway.wait_ready()
            hands = operator(gateway)
            hands.deploy(1)
            deploying = threading.Thread(target=_deploy_and_be_cut_off, args=(hands,))
            deploying.start()
            eventually(lambda: _ready_in_triton(triton, "2"))
            assert deploying.is_alive()
            assert hands.answered_by() == "1"
            assert hands.infer("2").status_code == 404  # loaded, but not admitted
            gateway.kill()
            deploying.join(30)
        with running_gateway(triton, tmp_path, auto_deploy=False, **QUICK) as gateway:
            gateway.wait_ready()
            hands = operator(gateway)
            assert hands.answered_by() == "1"
            assert hands.infer("2").status_code == 404
            eventually(lambda: hands.loaded() == {"1"}, seconds=LEASE_SECONDS + 15)
            _repeat_golden(repository / NAME / "2", times=1)
            assert hands.deploy(2)["previous"] == "1"
            assert hands.answered_by() == "2"


def _repeat_golden(folder: Path, times: int) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["requests"] = golden["requests"][:1] * times
    (folder / "golden.json").write_text(json.dumps(golden))
    write_manifest(folder, NAME, int(folder.name))


def _deploy_and_be_cut_off(hands: Operator) -> None:
    with contextlib.suppress(httpx.HTTPError):
        hands.admin("POST", f"/models/{NAME}/deploy", {"version": 2})


def _ready_in_triton(triton: RunningTriton, version: str) -> bool:
    index = triton.post("/v2/repository/index", admin=True).json()
    return any(row.get("version") == version and row.get("state") == "READY" for row in index)


def test_the_first_deployment_takes_the_highest_usable_version(tmp_path: Path) -> None:
    repository = write_nothing(tmp_path)
    publish(repository, 1)
    publish(repository, 2)
    publish_corrupt(repository, 3)
    publish_half(repository, 4)
    publish(repository, 1, name="other")
    publish_corrupt(repository, 1, name="broken")
    with (
        running_triton(repository, tmp_path, load=()) as triton,
        running_gateway(triton, tmp_path, **QUICK) as gateway,
    ):
        gateway.wait_ready()
        hands = operator(gateway)
        assert hands.answered_by() == "2"
        assert hands.other(model="other").answered_by() == "1"
        assert hands.other(model="broken").infer().status_code == 503
        eventually(lambda: hands.loaded() == {"2"})
        assert {line["model"] for line in log_of(gateway, "no_usable_version")} == {"broken"}
        refused = hands.other(model="broken").admin("GET", "/history?model=broken").json()["changes"]
        assert [(change["action"], change["actor"]) for change in refused] == [
            ("deploy.refused", "reconciler")
        ]
        # A version that is published later waits for the operator.
        publish(repository, 5)
        time.sleep(1)
        assert hands.answered_by() == "2"
        assert hands.deploy(5)["previous"] == "2"


@pytest.mark.parametrize("changed", ["a byte", "everything"])
def test_bytes_that_changed_under_a_deployed_version_do_not_come_back(tmp_path: Path, changed: str) -> None:
    repository = write_nothing(tmp_path)
    folder = publish(repository, 1)
    with running_triton(repository, tmp_path, load=()) as triton:
        with running_gateway(triton, tmp_path, auto_deploy=False, **QUICK) as gateway:
            gateway.wait_ready()
            operator(gateway).deploy(1)
        assert triton.post(f"/v2/repository/models/{NAME}/unload", admin=True).is_success
        if changed == "a byte":
            model = folder / "model.onnx"
            model.write_bytes(model.read_bytes() + b"\0")
        else:  # published anew under the same number: whole, but untried
            shutil.rmtree(folder)
            publish(repository, 1, factor=5)
        with running_gateway(triton, tmp_path, auto_deploy=True, **QUICK) as gateway:
            hands = operator(gateway)
            eventually(lambda: bool(log_of(gateway, "version_not_loaded")))
            assert hands.infer().status_code == 503
            assert hands.loaded() == set()
            hands.refused("POST", "/deploy", 422, {"version": 1})
            assert hands.infer().status_code == 503
            publish(repository, 2)
            hands.deploy(2)
            assert hands.answered_by() == "2"


def test_the_same_files_published_again_are_the_same_version(tmp_path: Path) -> None:
    repository = write_nothing(tmp_path)
    folder = publish(repository, 1)
    with running_triton(repository, tmp_path, load=()) as triton:
        with running_gateway(triton, tmp_path, **QUICK) as gateway:
            gateway.wait_ready()
        assert triton.post(f"/v2/repository/models/{NAME}/unload", admin=True).is_success
        shutil.rmtree(folder)
        publish(repository, 1)
        with running_gateway(triton, tmp_path, **QUICK) as gateway:
            gateway.wait_ready()
            assert operator(gateway).answered_by() == "1"

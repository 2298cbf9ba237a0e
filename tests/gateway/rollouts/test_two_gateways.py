"""Two gateways on one PostgreSQL, in front of one Triton: what one changes the other follows."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway.rollouts.conftest import QUICK
from tests.gateway.rollouts.load import load
from tests.gateway.rollouts.operator import Operator, eventually, operator, write_nothing
from tests.support.gateway import running_gateway
from tests.support.postgres import programs, running_postgres
from tests.support.triton import running_triton, supervised_triton
from tests.support.versioned_models import publish

ADMIN_KEY = "tg_admin_" + "a" * 43
FOLLOW_SECONDS = 1.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Operator, Operator]]:
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed here")
    root = tmp_path_factory.mktemp("pair")
    repository = write_nothing(root)
    for version in (1, 2):
        publish(repository, version)
    folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-"))
    with running_postgres(bin_dir, folder) as url, running_triton(repository, root, load=()) as triton:
        # The intervals are those of an installation: how fast one follows the other is what is tested.
        settings = {
            "database_url": url, "key_pepper": "p" * 32, "admin_key": ADMIN_KEY, "require_manifest": True,
            "unload_grace": 1,
        }  # fmt: skip
        with (
            running_gateway(triton, root, **settings) as one,
            running_gateway(triton, root, **settings) as two,
        ):
            one.wait_ready()
            two.wait_ready()
            first = operator(one)
            second = Operator(two, first.key)
            eventually(lambda: second.infer().status_code == 200)  # until then it does not know the key
            yield first, second
    shutil.rmtree(folder)


def test_without_the_database_triton_gets_back_what_it_served(tmp_path: Path) -> None:
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed here")
    repository = write_nothing(tmp_path)
    publish(repository, 1)
    folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-"))
    with ExitStack() as postgres, supervised_triton(repository, tmp_path) as triton:
        url = postgres.enter_context(running_postgres(bin_dir, folder))
        with running_gateway(triton, tmp_path, database_url=url, **QUICK) as gateway:
            gateway.wait_ready()
            hands = operator(gateway)
            assert hands.answered_by() == "1"
            postgres.close()
            pid = triton.server_pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: triton.server_pid() not in (None, pid))
            eventually(lambda: hands.infer().status_code == 200, seconds=60)
            assert hands.answered_by() == "1"
            assert hands.refused("POST", "/deploy", 503, {"version": 1})
    shutil.rmtree(folder)


def test_they_agree_on_one_first_deployment(pair: tuple[Operator, Operator]) -> None:
    first, second = pair
    assert first.answered_by() == second.answered_by() == "2"
    changes = first.admin("GET", f"/history?model={first.model}").json()["changes"]
    assert [change["action"] for change in changes] == ["deploy"]


def test_one_follows_the_other_within_a_second(pair: tuple[Operator, Operator]) -> None:
    first, second = pair
    for version in (1, 2, 1):
        first.deploy(version)
        assert first.answered_by() == str(version)
        changed = time.monotonic()
        while second.answered_by() != str(version):
            assert time.monotonic() - changed < FOLLOW_SECONDS
            time.sleep(0.02)


def test_callers_of_the_other_gateway_lose_no_request(pair: tuple[Operator, Operator]) -> None:
    first, second = pair
    first.deploy(1)
    with load(second) as running:
        for _ in range(3):
            first.done("POST", "/rollout", {"candidate": 2, "weight": 50})
            time.sleep(0.5)
            first.done("POST", "/rollout/promote")
            time.sleep(2.5)  # long enough for the old version to be unloaded
            first.done("POST", "/rollback")
            time.sleep(0.5)
    assert running.failures == []
    assert set(running.versions) == {"1", "2"}


def test_a_rollout_treats_a_caller_alike_at_both(pair: tuple[Operator, Operator]) -> None:
    first, second = pair
    first.deploy(1)
    first.done("POST", "/rollout", {"candidate": 2, "weight": 50})
    eventually(lambda: second.done("GET", "")["rollout"] is not None)
    for n in range(60):
        assert first.answered_by(sticky=f"user-{n}") == second.answered_by(sticky=f"user-{n}")
    first.done("POST", "/rollout/abort")


def test_only_one_of_two_deploys_at_a_time(pair: tuple[Operator, Operator]) -> None:
    first, second = pair

    with ThreadPoolExecutor(6) as pool:
        statuses = list(
            pool.map(
                lambda n: (
                    pair[n % 2]
                    .admin("POST", f"/models/{first.model}/deploy", {"version": 1 + n % 2})
                    .status_code
                ),
                range(6),
            )
        )
    assert 200 in statuses
    assert set(statuses) <= {200, 409}
    eventually(lambda: first.answered_by() == second.answered_by())
    stable = first.done("GET", "")["stable"]
    eventually(lambda: first.loaded() == second.loaded() == {stable})

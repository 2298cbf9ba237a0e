"""The supervisor against a real Triton that is killed, stopped and starved, with requests running."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import onnx_models
from tests.support.triton import (
    RunningTriton,
    SupervisedTriton,
    serves_identity,
    supervised_triton,
    wait_until,
)

# The bars: noticed within 2 s, served again within 10 s.
SERVED_AGAIN_SECONDS = 10.0


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedTriton]:
    repository = tmp_path_factory.mktemp("repository")
    onnx_models.write_identity(repository, width=4)
    onnx_models.write_identity(repository, "pair", width=4, instances=2)
    onnx_models.write_identity(repository, "idle", width=4)
    write_chain(repository)
    load = ("identity", "pair", "chain")
    with supervised_triton(repository, tmp_path_factory.mktemp("state"), load=load) as server:
        yield server


def write_chain(repository: Path) -> None:
    """An ensemble of one step, so that something other than a process is restored too."""

    def ensemble(message: Any) -> None:
        message.ClearField("backend")
        message.ClearField("instance_group")
        message.platform = "ensemble"
        step = message.ensemble_scheduling.step.add(model_name="pair", model_version=-1)
        step.input_map["x"] = "x"
        step.output_map["y"] = "y"

    tensors = [("x", "TYPE_FP32", [4])], [("y", "TYPE_FP32", [4])]
    message = onnx_models.config("chain", *tensors, dynamic_batching=False, edit=ensemble)
    (repository / "chain" / "1").mkdir(parents=True)
    onnx_models.write_config(repository / "chain", message)


@contextmanager
def traffic(triton: RunningTriton, model: str = "identity") -> Iterator[list[tuple[float, bool]]]:
    """Requests one after the other, from two threads, until the block ends: (when answered, whether well)."""
    seen: list[tuple[float, bool]] = []
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            good = serves_identity(triton, model)
            seen.append((time.monotonic(), good))
            stop.wait(0.01)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: any(good for _, good in seen), "traffic flows")
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def loaded(triton: RunningTriton) -> set[tuple[str, str]]:
    index = triton.post("/v2/repository/index", admin=True).json()
    return {(entry["name"], entry["version"]) for entry in index if entry.get("state") == "READY"}


def test_a_killed_model_process_is_noticed_and_replaced(triton: SupervisedTriton) -> None:
    (victim,) = wait_for_processes(triton, "identity", 1)
    restarts = triton.metric('tidegate_embedded_model_process_restarts_total{model="identity"}') or 0

    with traffic(triton) as seen:
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: noticed(triton, "identity") > restarts, "the death is noticed", seconds=10)
        noticed_after = time.monotonic() - killed
        wait_until(lambda: served_since(seen, killed + 0.2), "served again", seconds=SERVED_AGAIN_SECONDS)

    assert noticed_after < 5  # noticed *and* replaced; generous, the machine is shared
    assert triton.metric('tidegate_embedded_model_process_up{model="identity"}') == 1
    assert any(e["event"] == "model process died" and e["model"] == "identity" for e in triton.events())
    assert wait_for_processes(triton, "identity", 1) != [victim]


def test_the_other_instance_serves_while_one_is_replaced(triton: SupervisedTriton) -> None:
    before = wait_for_processes(triton, "pair", 2)
    restarts = noticed(triton, "pair")
    os.kill(before[0], signal.SIGKILL)

    wait_until(lambda: noticed(triton, "pair") > restarts, "replaced", seconds=SERVED_AGAIN_SECONDS)

    assert all(serves_identity(triton, "pair") for _ in range(20))
    # The old, healthy sibling is not left behind for ever.
    wait_until(
        lambda: not set(before) & set(triton.model_process_pids("pair")), "old processes end", seconds=20
    )
    assert len(wait_for_processes(triton, "pair", 2)) == 2


def test_loads_while_a_process_is_replaced_do_no_harm(triton: SupervisedTriton) -> None:
    (victim,) = wait_for_processes(triton, "identity", 1)
    restarts = noticed(triton, "identity")
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while noticed(triton, "identity") <= restarts and time.monotonic() < deadline:
        assert triton.load("identity").status_code == 200
        time.sleep(0.05)

    wait_until(lambda: serves_identity(triton), "served again", seconds=SERVED_AGAIN_SECONDS)
    assert ("identity", "1") in loaded(triton)


def test_a_model_can_be_unloaded_and_updated_after_its_process_died(triton: SupervisedTriton) -> None:
    directory = onnx_models.write_identity(triton.model_repository, "updated", width=4)
    assert triton.load("updated").status_code == 200
    (victim,) = wait_for_processes(triton, "updated", 1)
    with traffic(triton, "updated"):
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: noticed(triton, "updated") == 1, "replaced", seconds=SERVED_AGAIN_SECONDS)

    (directory / "2").mkdir()
    (directory / "2" / "model.onnx").write_bytes((directory / "1" / "model.onnx").read_bytes())
    assert triton.load("updated").status_code == 200
    assert ("updated", "2") in loaded(triton)
    assert serves_identity(triton, "updated")
    triton.post("/v2/repository/models/updated/unload", admin=True)
    wait_until(lambda: not {v for n, v in loaded(triton) if n == "updated"}, "it is unloaded", seconds=30)
    assert not serves_identity(triton, "updated")


def test_a_killed_server_comes_back_with_what_was_loaded(triton: SupervisedTriton) -> None:
    # A version published but not loaded by anybody must stay out of it.
    second = triton.model_repository / "identity" / "2"
    second.mkdir()
    (second / "model.onnx").write_bytes((second.parent / "1" / "model.onnx").read_bytes())
    wait_until(lambda: len(loaded(triton)) == 3, "every model is loaded")
    time.sleep(1.0)  # a look of the supervisor
    expected = loaded(triton)
    server = triton.server_pid()
    assert server is not None
    restarts = triton.metric("tidegate_embedded_triton_restarts_total") or 0

    with traffic(triton) as seen:
        os.kill(server, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: served_since(seen, killed + 0.2), "served again", seconds=SERVED_AGAIN_SECONDS)

    wait_until(lambda: loaded(triton) == expected, "everything is loaded again", seconds=20)
    assert expected == {("identity", "1"), ("pair", "1"), ("chain", "1")}
    wait_until(lambda: serves_identity(triton, "chain"), "the ensemble serves", seconds=20)
    assert triton.metric("tidegate_embedded_triton_restarts_total") == restarts + 1
    assert triton.metric("tidegate_embedded_triton_up") == 1
    ended = [e for e in triton.events() if e["event"] == "server ended"]
    assert ended[-1]["exit_code"] == -signal.SIGKILL


def test_an_unloaded_model_stays_unloaded_after_a_restart(triton: SupervisedTriton) -> None:
    assert triton.load("idle").status_code == 200
    time.sleep(1.0)
    triton.post("/v2/repository/models/idle/unload", admin=True)
    wait_until(lambda: ("idle", "1") not in loaded(triton), "idle is unloaded")
    time.sleep(1.0)
    server = triton.server_pid()
    assert server is not None
    os.kill(server, signal.SIGKILL)

    wait_until(
        lambda: triton.server_pid() not in (None, server) and serves_identity(triton),
        "served again",
        seconds=20,
    )
    wait_until(
        lambda: {name for name, _ in loaded(triton)} == {"identity", "pair", "chain"}, "restored", seconds=20
    )


def test_a_hung_server_is_noticed_and_forgiven_when_it_answers_again(triton: SupervisedTriton) -> None:
    server = triton.server_pid()
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    try:
        wait_until(
            lambda: triton.metric("tidegate_embedded_triton_up") == 0, "the hang is noticed", seconds=10
        )
    finally:
        os.kill(server, signal.SIGCONT)
    wait_until(lambda: triton.metric("tidegate_embedded_triton_up") == 1, "it is up again", seconds=10)
    assert triton.server_pid() == server
    assert serves_identity(triton)


def test_the_log_is_json_and_does_not_hold_the_secret(triton: SupervisedTriton) -> None:
    text = triton.log.read_text()
    assert triton.admin_secret not in text
    events = triton.events()
    assert len(events) == len(text.splitlines())
    assert {"embedded.supervisor", "triton"} <= {event["logger"] for event in events}
    assert all({"time", "level", "logger", "event"} <= event.keys() for event in events)


def noticed(triton: SupervisedTriton, model: str) -> float:
    return triton.metric(f'tidegate_embedded_model_process_restarts_total{{model="{model}"}}') or 0.0


def served_since(seen: list[tuple[float, bool]], moment: float) -> bool:
    return any(good and when > moment for when, good in seen)


def wait_for_processes(triton: SupervisedTriton, model: str, count: int) -> list[int]:
    wait_until(
        lambda: len(triton.model_process_pids(model)) == count, f"{count} processes of {model}", seconds=30
    )
    return triton.model_process_pids(model)

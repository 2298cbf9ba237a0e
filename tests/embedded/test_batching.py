"""Requests merged into one run: they must not notice each other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import tritonclient.grpc

from tests.support import onnx_models
from tests.support.triton import RunningTriton, wait_until

# Long enough for a handful of threads to meet in one batch, whatever the load of the machine.
MEETING_US = 300_000


def together(triton: RunningTriton, model: str, rows: list[list[int]]) -> list[httpx.Response]:
    """Send one request per row at the same time."""
    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(lambda row: triton.infer(model, ("idx", "INT64", [1, len(row)], row)), rows))


def executions(triton: RunningTriton, model: str) -> tuple[int, int]:
    """Requests answered and runs made so far, from Triton's statistics."""
    stats = triton.get(f"/v2/models/{model}/stats", admin=True).json()["model_stats"][0]
    return stats["inference_count"], stats["execution_count"]


def test_requests_share_a_run_and_each_gets_its_own_rows(triton: RunningTriton) -> None:
    onnx_models.write_gather(triton.model_repository, "shared", max_queue_delay_us=MEETING_US)
    assert triton.load("shared").status_code == 200

    answers = together(triton, "shared", [[0], [1], [2], [3]])

    assert [answer.json()["outputs"][0]["data"][0] for answer in answers] == [0, 10, 20, 30]
    requests, runs = executions(triton, "shared")
    assert requests == 4
    assert runs < 4


def test_a_bad_request_fails_alone(triton: RunningTriton) -> None:
    onnx_models.write_gather(triton.model_repository, "neighbours", max_queue_delay_us=MEETING_US)
    assert triton.load("neighbours").status_code == 200

    answers = together(triton, "neighbours", [[0], [77], [2], [3]])

    assert [answer.status_code for answer in answers] == [200, 400, 200, 200]
    assert [answers[i].json()["outputs"][0]["data"][0] for i in (0, 2, 3)] == [0, 20, 30]
    error = answers[1].json()["error"]
    assert "out of data bounds, idx=77" in error
    assert "/" not in error  # no path of the machine
    assert "tidegate_" not in error  # no shared-memory name


def test_requests_of_different_widths_are_answered(triton: RunningTriton) -> None:
    onnx_models.write_gather(triton.model_repository, "widths", max_queue_delay_us=MEETING_US // 3)
    assert triton.load("widths").status_code == 200

    answers = together(triton, "widths", [[0], [1, 2], [3], [4, 0]])

    assert [answer.json()["outputs"][0]["shape"] for answer in answers] == [
        [1, 1, 4], [1, 2, 4], [1, 1, 4], [1, 2, 4],
    ]  # fmt: skip


def test_rows_of_larger_requests_are_not_mixed_up(triton: RunningTriton) -> None:
    onnx_models.write_gather(triton.model_repository, "rows", max_queue_delay_us=MEETING_US)
    assert triton.load("rows").status_code == 200

    def ask(first: int, count: int) -> list[float]:
        indices = [(first + i) % 5 for i in range(count)]
        answer = triton.infer("rows", ("idx", "INT64", [count, 1], indices))
        data: list[float] = answer.json()["outputs"][0]["data"]
        assert [value // 10 for value in data[::4]] == indices
        return data

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, (0, 2, 3), (3, 1, 2)))
    assert [len(data) for data in answers] == [12, 4, 8]


def test_cancelled_requests_are_not_run_and_hold_up_nobody(triton: RunningTriton) -> None:
    onnx_models.write_slow(triton.model_repository, "cancellable", rounds=1500, max_batch_size=1)
    assert triton.load("cancellable").status_code == 200
    kept: list[object] = []
    done = threading.Event()

    def collect(result: object, error: object) -> None:
        if result is not None:
            kept.append(result)
            if len(kept) == 2:
                done.set()

    with tritonclient.grpc.InferenceServerClient(triton.grpc_url) as client:
        tensor = tritonclient.grpc.InferInput("x", [1, 1], "FP32")
        tensor.set_data_from_numpy(np.ones((1, 1), np.float32))
        handles = [client.async_infer("cancellable", [tensor], collect) for _ in range(6)]
        wait_until(lambda: pending(triton, "cancellable") >= 3, "the requests wait in the queue")
        for handle in handles[2:]:
            handle.cancel()
        assert done.wait(60)

    # Those that already left the queue run; the others never do.
    wait_until(
        lambda: metric(triton, "nv_inference_request_failure", "cancellable", "CANCELED") >= 1, "counted"
    )


def pending(triton: RunningTriton, model: str) -> float:
    """Requests of a model that wait in Triton's queue."""
    return metric(triton, "nv_inference_pending_request_count", model)


def metric(triton: RunningTriton, name: str, model: str, reason: str = "") -> float:
    """Value of one of Triton's metrics for version 1 of a model."""
    label = f'reason="{reason}",' if reason else ""
    line = f'{name}{{model="{model}",{label}version="1"}} '
    page = httpx.get(triton.metrics_url, timeout=10).text
    return next((float(row.removeprefix(line)) for row in page.splitlines() if row.startswith(line)), 0.0)

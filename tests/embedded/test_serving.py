"""The smallest proof: a real Triton serves ONNX models through our backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import onnx_models
from tests.support.triton import RunningTriton, running_triton


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    repository: Path = tmp_path_factory.mktemp("repository")
    onnx_models.write_two_by_two(repository)
    with running_triton(repository, tmp_path_factory.mktemp("state")) as server:
        yield server


def test_it_answers_with_both_outputs(triton: RunningTriton) -> None:
    answer = triton.infer(
        "two_by_two", ("a", "FP32", [1, 4], [1, 2, 3, 4]), ("b", "FP32", [1, 4], [4, 3, 2, 1])
    )
    assert answer.status_code == 200, answer.text
    data = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert data == {"sum": [5, 5, 5, 5], "difference": [-3, -1, 1, 3]}

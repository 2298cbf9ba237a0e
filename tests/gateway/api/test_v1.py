"""V1 predict: row and columnar forms on a real model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.v1_encode import encode
from gateway.types import InferResponse, ModelVersion, Tensor, pack_elements
from tests.gateway.api.conftest import Stack

ROWS = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]


def predict(stack: Stack, model: str, body: Any, version: str = "") -> Any:
    at = f"/versions/{version}" if version else ""
    answer = stack.post(f"/v1/models/{model}{at}:predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rows_of_the_only_input(stack: Stack) -> None:
    assert predict(stack, "labelled", {"instances": ROWS}) == {"predictions": ROWS}
    assert predict(stack, "labelled", {"instances": [{"x": row} for row in ROWS]}) == {"predictions": ROWS}
    assert predict(stack, "labelled", {"instances": ROWS}, "1") == {"predictions": ROWS}


def test_rows_of_several_inputs(stack: Stack) -> None:
    instances = [{"a": [1, 2, 3, 4], "b": [1, 1, 1, 1]}, {"a": [0, 0, 0, 0], "b": [2, 2, 2, 2]}]
    assert predict(stack, "two_by_two", {"instances": instances}) == {
        "predictions": [
            {"sum": [2, 3, 4, 5], "difference": [0, 1, 2, 3]},
            {"sum": [2, 2, 2, 2], "difference": [-2, -2, -2, -2]},
        ]
    }


def test_columns(stack: Stack) -> None:
    assert predict(stack, "labelled", {"inputs": ROWS}) == {"outputs": ROWS}
    assert predict(stack, "labelled", {"inputs": {"x": ROWS}}) == {"outputs": ROWS}
    both = {"a": [[1, 2, 3, 4]], "b": [[1, 1, 1, 1]]}
    assert predict(stack, "two_by_two", {"inputs": both}) == {
        "outputs": {"sum": [[2, 3, 4, 5]], "difference": [[0, 1, 2, 3]]}
    }


def test_text_and_bytes(stack: Stack) -> None:
    rows = predict(stack, "words", {"instances": ["plain", "Grüße", {"b64": "YWI="}]})
    assert rows == {"predictions": [["plain"], ["Grüße"], ["ab"]]}
    assert predict(stack, "words", {"inputs": [["a", {"b64": "AGI="}]]}) == {"outputs": [["a", "\0b"]]}


def test_bytes_that_are_no_text_come_as_base64() -> None:
    tensor = Tensor("y", "BYTES", (2, 1), pack_elements([b"\xff\x00", b"text"]))
    answer = encode(InferResponse(ModelVersion("m", "1"), "", (tensor,)), 2)
    assert json.loads(bytes(answer.body[0])) == {"predictions": [[{"b64": "/wA="}], ["text"]]}


def test_a_shape_with_three_axes_is_nested(stack: Stack) -> None:
    answer = predict(stack, "gather", {"instances": [[0, 1]]})
    assert answer == {"predictions": [[[0, 1, 2, 3], [10, 11, 12, 13]]]}


def test_the_list_and_the_state_of_models(stack: Stack) -> None:
    names = stack.get("/v1/models").json()["models"]
    assert names == sorted(names)
    assert {"labelled", "two_by_two", "words"} <= set(names)
    assert stack.get("/v1/models/labelled").json() == {"name": "labelled", "ready": True}
    assert stack.get("/v1/models/labelled/versions/1").json() == {"name": "labelled", "ready": True}
    assert stack.get("/v1/models/nope").status_code == 404


@pytest.mark.parametrize("body", [{"instances": [[1, 2, 3]]}, {"inputs": {"y": ROWS}}])
def test_errors_say_what_to_do(stack: Stack, body: Any) -> None:
    answer = stack.post("/v1/models/labelled:predict", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code", "request_id"}

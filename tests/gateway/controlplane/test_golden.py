"""Golden requests: how they are read and what counts as the same answer."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from gateway.controlplane import golden
from gateway.controlplane.golden import GoldenRequest
from gateway.types import Tensor, pack_elements


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def content(*outputs: dict[str, Any], **fields: Any) -> bytes:
    request = {"inputs": [tensor("x", "FP32", [1.0, 2.0])], "outputs": list(outputs), **fields}
    return json.dumps({"format_version": 1, "requests": [request]}).encode()


def parsed(*outputs: dict[str, Any], **fields: Any) -> GoldenRequest:
    [request] = golden.parse(content(*outputs, **fields), "digits", "2")
    return request


def test_inputs_become_binary_tensors() -> None:
    request = parsed(tensor("y", "FP32", [3.0])).request
    assert (request.model, request.version) == ("digits", "2")
    assert request.inputs == (Tensor("x", "FP32", (2,), struct.pack("<2f", 1, 2)),)


@pytest.mark.parametrize(
    ("value", "fits"), [(3.0, True), (3.0109, True), (2.9891, True), (3.0111, False), (2.9889, False)]
)
def test_floats_fit_within_the_tolerance(value: float, fits: bool) -> None:
    request = parsed(tensor("y", "FP64", [3.0]), tolerance={"atol": 0.005, "rtol": 0.002})
    answer = [Tensor("y", "FP64", (1,), struct.pack("<d", value))]
    assert (request.difference(answer) is None) is fits


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_never_fits(value: float) -> None:
    request = parsed(tensor("y", "FP32", [3.0]), tolerance={"atol": 1e30, "rtol": 1e30})
    assert "outside the tolerance" in str(
        request.difference([Tensor("y", "FP32", (1,), struct.pack("<f", value))])
    )


def test_everything_else_must_be_equal() -> None:
    request = parsed(tensor("label", "BYTES", ["seven"]), tensor("index", "INT64", [7]))
    label = Tensor("label", "BYTES", (1,), pack_elements([b"seven"]))
    assert request.difference([Tensor("index", "INT64", (1,), struct.pack("<q", 7)), label]) is None
    assert request.difference([label]) == "output index is missing"
    wrong = Tensor("index", "INT64", (1,), struct.pack("<q", 8))
    assert request.difference([wrong, label]) == "element 0 of output index is outside the tolerance"
    other = Tensor("index", "INT32", (1,), struct.pack("<i", 7))
    assert request.difference([other, label]) == "output index has another datatype or shape"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"format_version": 2, "requests": []}', "format is not known"),
        (b'{"format_version": 1, "requests": []}', "holds no request"),
        (content(tensor("y", "FP32", [3.0], shape=[2])), "another number of elements"),
        (content(tensor("y", "FP32", [3.0]), inputs=[tensor("x", "INT8", [300])]), "is no INT8"),
        (content(tensor("y", "FP32", [3.0]), inputs=[tensor("x", "FP32", ["one"])]), "is no FP32"),
        (content(tensor("y", "FP32", [3.0]), inputs=[tensor("x", "BF16", [1.0])]), "cannot hold"),
        (b"[" * 100_000, "Expected `object`"),
    ],
)
def test_what_cannot_be_understood_is_one_kind_of_error(broken: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        golden.parse(broken, "digits", "2")

"""The contract of a version, held against requests."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.validation import MAX_CLASSIFICATION, RequestValidator
from gateway.errors import BadRequest
from gateway.types import (
    ITEM_SIZES,
    InferRequest,
    ModelSpec,
    ModelVersion,
    RequestedOutput,
    Tensor,
    TensorSpec,
    pack_elements,
)

SPEC = ModelSpec(
    ModelVersion("m", "1"),
    "",
    (TensorSpec("x", "FP32", (-1, 4)), TensorSpec("hint", "INT64", (-1, 1), optional=True)),
    (TensorSpec("y", "FP32", (-1, 2)),),
    max_batch_size=8,
)
FREE = ModelSpec(ModelVersion("m", "1"), "", (TensorSpec("x", "BYTES", (-1, -1)),), (), max_batch_size=0)


def tensor(name: str = "x", shape: tuple[int, ...] = (2, 4), datatype: str = "FP32") -> Tensor:
    return Tensor(name, datatype, shape, bytes(prod(shape) * ITEM_SIZES.get(datatype, 0)))


def check(*inputs: Tensor, outputs: tuple[RequestedOutput, ...] = (), spec: ModelSpec = SPEC) -> None:
    RequestValidator(spec).check(InferRequest("m", "", "", inputs, outputs))


def test_what_fits_passes() -> None:
    check(tensor())
    check(tensor(shape=(8, 4)), tensor("hint", (8, 1), "INT64"))
    check(tensor(), outputs=(RequestedOutput("y", MAX_CLASSIFICATION),))
    check(Tensor("x", "BYTES", (1, 2), pack_elements([b"", b"\0"])), spec=FREE)
    check(Tensor("x", "BYTES", (0, 5), b""), spec=FREE)


WRONG: Mapping[str, tuple[tuple[Tensor, ...], tuple[RequestedOutput, ...], str]] = {
    "unknown": ((tensor("q"),), (), "takes x, hint"),
    "missing": ((tensor("hint", (1, 1), "INT64"),), (), "Missing input x"),
    "twice": ((tensor(), tensor()), (), "twice"),
    "datatype": ((tensor(datatype="FP64"),), (), "Send it as FP32"),
    "rank": ((tensor(shape=(4,)),), (), "Send 2"),
    "dim": ((tensor(shape=(1, 5)),), (), r"Send \[-1, 4\]"),
    "no batch": ((tensor(shape=(0, 4)),), (), "Send 1 to 8"),
    "batch": ((tensor(shape=(9, 4)),), (), "Send 1 to 8"),
    "huge": ((Tensor("x", "FP32", (2**62, 4), b""),), (), "shape"),
    "negative": ((Tensor("x", "FP32", (-2, 4), b""),), (), "shape"),
    "batches": ((tensor(), tensor("hint", (1, 1), "INT64")), (), "same batch"),
    "short": ((Tensor("x", "FP32", (1, 4), bytes(15)),), (), "15 bytes"),
    "long": ((Tensor("x", "FP32", (1, 4), bytes(17)),), (), "17 bytes"),
    "output": ((tensor(),), (RequestedOutput("q"),), "model has y"),
    "outputs": ((tensor(),), (RequestedOutput("y"), RequestedOutput("y")), "requested twice"),
    "classes": ((tensor(),), (RequestedOutput("y", MAX_CLASSIFICATION + 1),), "classification"),
    "negative classes": ((tensor(),), (RequestedOutput("y", -1),), "classification"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case: str) -> None:
    inputs, outputs, message = WRONG[case]
    with pytest.raises(BadRequest, match=message):
        check(*inputs, outputs=outputs)


@pytest.mark.parametrize(
    "data", [b"\1", b"\5\0\0\0a", struct.pack("<I", 2**32 - 1), pack_elements([b"a"]), b""]
)
def test_bytes_that_are_not_as_many_elements(data: bytes) -> None:
    with pytest.raises(BadRequest, match="Input x"):
        check(Tensor("x", "BYTES", (1, 2), data), spec=FREE)


def test_streaming_models_are_refused() -> None:
    with pytest.raises(BadRequest, match="streams"):
        check(tensor(), spec=ModelSpec(SPEC.model_version, "", SPEC.inputs, SPEC.outputs, 8, decoupled=True))


def complaint(candidate: Tensor, spec: ModelSpec) -> str:
    try:
        check(candidate, spec=spec)
    except BadRequest as error:
        return error.message
    return ""


@given(st.lists(st.integers(-(2**70), 2**70), max_size=20), st.binary(max_size=64), st.text(max_size=5))
def test_anything_is_either_right_or_a_bad_request(shape: list[int], data: bytes, name: str) -> None:
    for spec in (SPEC, FREE):
        for called in ("x", name):
            candidate = Tensor(called, spec.inputs[0].datatype, tuple(shape), data)
            message = complaint(candidate, spec)
            assert message.isprintable()
            assert len(message) < 500
            assert message or (called == "x" and len(shape) == 2)

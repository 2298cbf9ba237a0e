"""The V2 codecs against tritonclient's own encoder and decoder."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.http import InferInput, InferRequestedOutput, InferResult
from tritonclient.http._utils import _get_inference_request
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor, triton_to_np_dtype

from gateway.api.v2_decode import OutputFormat, decode
from gateway.api.v2_encode import encode
from gateway.errors import BadRequest
from gateway.types import InferResponse, ModelSpec, ModelVersion, Tensor, TensorSpec

NUMERIC = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
)  # fmt: skip


def no_spec() -> ModelSpec:
    raise AssertionError("only a bare tensor needs the model's contract")


@st.composite
def arrays(draw: st.DrawFn, json_only: bool = False) -> tuple[str, np.ndarray[Any, Any]]:
    """Draw a datatype and an array of it, up to rank 4, empty ones included."""
    kinds = [*NUMERIC, "BYTES"]
    if json_only:
        kinds.remove("FP16")
    datatype = draw(st.sampled_from(kinds))
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    count = int(np.prod(shape))
    if datatype == "BYTES":
        content = st.text(max_size=5).map(str.encode) if json_only else st.binary(max_size=5)
        elements = draw(st.lists(content, min_size=count, max_size=count))
        flat = np.empty(count, dtype=object)
        flat[:] = elements
        return datatype, flat.reshape(shape)
    kind = np.dtype(triton_to_np_dtype(datatype))
    raw = draw(st.binary(min_size=count * kind.itemsize, max_size=count * kind.itemsize))
    values = np.frombuffer(raw, dtype=kind).copy().reshape(shape)
    if datatype == "BOOL":
        values = np.frombuffer(raw, dtype=np.uint8).reshape(shape) > 127
    if json_only and datatype.startswith("FP"):
        values = np.nan_to_num(values)
    return datatype, values


def layout(datatype: str, values: np.ndarray[Any, Any]) -> bytes:
    if datatype != "BYTES":
        return values.tobytes()
    return serialize_byte_tensor(values).item() if values.size else b""


def client_request(
    named: dict[str, tuple[str, np.ndarray[Any, Any]]], binary: bool
) -> tuple[bytes, int | None]:
    inputs = []
    for name, (datatype, values) in named.items():
        tensor = InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    body, size = _get_inference_request(
        inputs=inputs, request_id="r", outputs=None, sequence_id=0, sequence_start=False, sequence_end=False,
        priority=0, timeout=None, custom_parameters=None,
    )  # fmt: skip
    return body if isinstance(body, bytes) else body.encode(), size


@given(st.lists(arrays(), min_size=1, max_size=3))
def test_binary_requests_of_tritonclient_decode_to_the_same_bytes(
    drawn: list[tuple[str, np.ndarray[Any, Any]]],
) -> None:
    named = {f"t{i}": item for i, item in enumerate(drawn)}
    body, size = client_request(named, binary=True)
    request, wanted = decode(body, size, "m", "", no_spec)
    assert request.id == "r"
    assert wanted.binary  # what tritonclient asks for without explicit outputs
    for tensor in request.inputs:
        datatype, values = named[tensor.name]
        assert (tensor.datatype, tensor.shape) == (datatype, values.shape)
        assert bytes(tensor.data) == layout(datatype, values)


@given(arrays(json_only=True))
def test_json_requests_of_tritonclient_decode_to_the_same_bytes(
    drawn: tuple[str, np.ndarray[Any, Any]],
) -> None:
    body, size = client_request({"t": drawn}, binary=False)
    (tensor,) = decode(body, size, "m", "", no_spec)[0].inputs
    assert bytes(tensor.data) == layout(*drawn)


@given(arrays(json_only=True))
def test_nested_data_is_the_same_as_flat(drawn: tuple[str, np.ndarray[Any, Any]]) -> None:
    datatype, values = drawn
    texts = np.vectorize(bytes.decode, otypes=[object])(values) if datatype == "BYTES" else values
    flat, nested = (
        decode(
            json.dumps(
                {"inputs": [{"name": "t", "shape": values.shape, "datatype": datatype, "data": data}]}
            ).encode(),
            None,
            "m",
            "",
            no_spec,
        )
        for data in (texts.ravel().tolist(), texts.tolist())
    )
    if values.size:  # an empty axis outside leaves nothing to nest
        assert bytes(nested[0].inputs[0].data) == bytes(flat[0].inputs[0].data)


@given(st.lists(arrays(), min_size=1, max_size=3))
def test_binary_answers_read_back_by_tritonclient(drawn: list[tuple[str, np.ndarray[Any, Any]]]) -> None:
    tensors = tuple(Tensor(f"t{i}", kind, v.shape, layout(kind, v)) for i, (kind, v) in enumerate(drawn))
    answer = encode(InferResponse(ModelVersion("m", "1"), "", tensors), OutputFormat(True, {}), b"")
    length = int(dict(answer.headers)[b"inference-header-content-length"])
    result = InferResult.from_response_body(b"".join(answer.body), header_length=length)
    for tensor, (kind, values) in zip(tensors, drawn, strict=True):
        got = result.as_numpy(tensor.name)
        assert got.shape == values.shape
        assert layout(kind, got) == layout(kind, values)


@given(arrays(json_only=True))
def test_json_answers_read_back_by_tritonclient(drawn: tuple[str, np.ndarray[Any, Any]]) -> None:
    datatype, values = drawn
    tensor = Tensor("t", datatype, values.shape, layout(datatype, values))
    answer = encode(InferResponse(ModelVersion("m", "1"), "", (tensor,)), OutputFormat(False, {}), b"")
    result = InferResult.from_response_body(b"".join(answer.body))
    got = result.as_numpy("t")
    if datatype == "BYTES":
        assert [str(text).encode() for text in got.ravel()] == values.ravel().tolist()
    else:
        assert got.tobytes() == values.tobytes()


def test_nan_and_infinity_become_null_in_json_and_stay_in_binary() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    response = InferResponse(ModelVersion("m", "1"), "", (Tensor("t", "FP32", (4,), values.tobytes()),))
    as_json = encode(response, OutputFormat(False, {}), b"")
    assert msgspec.json.decode(as_json.body[0])["outputs"][0]["data"] == [None, None, None, 1.0]
    as_binary = encode(response, OutputFormat(False, {"t": True}), b"")
    assert bytes(as_binary.body[1]) == values.tobytes()


@pytest.mark.parametrize(
    ("datatype", "dims", "batches", "body", "shape"),
    [
        ("FP32", (-1, 4), 8, bytes(16), (1, 4)),
        ("FP32", (-1, -1), 8, bytes(12), (1, 3)),
        ("UINT8", (-1,), 0, bytes(5), (5,)),
        ("BYTES", (-1, 1), 8, b"hello", (1, 1)),
    ],
)
def test_a_bare_tensor_takes_the_shape_its_size_leaves(
    datatype: str, dims: tuple[int, ...], batches: int, body: bytes, shape: tuple[int, ...]
) -> None:
    spec = ModelSpec(ModelVersion("m", "1"), "", (TensorSpec("x", datatype, dims),), (), batches)
    request, wanted = decode(body, 0, "m", "", lambda: spec)
    (tensor,) = request.inputs
    assert tensor.shape == shape
    assert wanted.binary
    content = list(deserialize_bytes_tensor(bytes(tensor.data))) if datatype == "BYTES" else tensor.data
    assert content == ([body] if datatype == "BYTES" else body)


def test_classes_and_per_output_wishes_are_understood() -> None:
    outputs = [
        InferRequestedOutput("a", binary_data=False),
        InferRequestedOutput("b", binary_data=True, class_count=3),
    ]
    tensor = InferInput("x", [1], "FP32")
    tensor.set_data_from_numpy(np.zeros(1, np.float32))
    body, size = _get_inference_request([tensor], "", outputs, 0, False, False, 0, None, None)
    request, wanted = decode(body, size, "m", "2", no_spec)
    assert [(output.name, output.classification) for output in request.outputs] == [("a", 0), ("b", 3)]
    assert wanted.wishes == {"a": False, "b": True}
    assert request.version == "2"


def test_a_shape_of_very_many_dimensions_is_not_multiplied_out() -> None:
    # Multiplied out, a few hundred thousand would keep the gateway busy for minutes, and every other caller
    # waiting.
    tensor = {"name": "x", "datatype": "FP32", "shape": [2**63 - 1] * 1000, "data": [1]}
    with pytest.raises(BadRequest, match="length <= 16"):
        decode(msgspec.json.encode({"inputs": [tensor]}), None, "m", "", no_spec)


@given(st.binary(max_size=200), st.none() | st.integers(0, 250))
def test_random_bytes_are_a_bad_request(body: bytes, length: int | None) -> None:
    spec = ModelSpec(ModelVersion("m", "1"), "", (), (), 8)
    with pytest.raises(BadRequest):
        decode(body, length, "m", "", lambda: spec)

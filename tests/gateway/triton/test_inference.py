"""An answer that is no answer becomes 502, and never a tensor (TRI-5); Triton's errors become ours."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.errors import (
    BadRequest,
    BadUpstream,
    DeadlineExceeded,
    GatewayError,
    ModelNotReady,
    Overloaded,
    Unavailable,
)
from gateway.metrics import Metrics
from gateway.triton import TritonInference, Upstream
from gateway.types import InferRequest, ModelSpec, ModelVersion, RequestedOutput, Tensor, TensorSpec
from tests.gateway.triton.peer import Behaviour, Peer, answer, reset, running_peer, saying, silence

SPEC = ModelSpec(
    ModelVersion("m", "1"),
    "onnxruntime_onnx",
    (TensorSpec("x", "FP32", (-1, 2)),),
    (TensorSpec("y", "FP32", (-1, 2)), TensorSpec("z", "BYTES", (-1, 1))),
    max_batch_size=8,
)
REQUEST = InferRequest("m", "", "", (Tensor("x", "FP32", (1, 2), struct.pack("<2f", 1, 2)),))
Y = {"name": "y", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
Z = {"name": "z", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": 6}}
DATA = struct.pack("<2f", 3, 4) + struct.pack("<I", 2) + b"ab"


def triton_answer(outputs: Any, data: bytes = DATA, length: int | str | None = None, **fields: Any) -> bytes:
    header = json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs, **fields}).encode()
    size = len(header) if length is None else length
    return answer(header + data, headers=f"Inference-Header-Content-Length: {size}\r\n")


@asynccontextmanager
async def inference(
    behaviour: Behaviour, **options: Any
) -> AsyncIterator[tuple[TritonInference, Peer, Metrics]]:
    async with running_peer(behaviour) as peer:
        limits = {"connections": 2, "connect_timeout": 2.0, "max_response_bytes": 100_000, **options}
        upstream, metrics = Upstream(peer.url, **limits), Metrics()
        yield TritonInference(upstream, metrics), peer, metrics
        await upstream.close()


async def infer(
    client: TritonInference, seconds: float = 5.0, request: InferRequest = REQUEST
) -> tuple[Tensor, ...]:
    return await client.infer(SPEC, request, asyncio.get_running_loop().time() + seconds)


async def test_a_right_answer_is_read_in_the_models_order() -> None:
    data = DATA[8:] + DATA[:8]
    async with inference(saying(triton_answer([Z, Y], data))) as (client, peer, _):
        first, second = await infer(client)
        await infer(client)
    assert (first.name, bytes(first.data), first.shape) == ("y", DATA[:8], (1, 2))
    assert (second.name, bytes(second.data)) == ("z", DATA[8:])
    assert peer.connections == 1  # kept and reused
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/models/m/versions/1/infer HTTP/1.1\r\n")
    assert body.endswith(struct.pack("<2f", 1, 2))


async def test_only_the_wanted_outputs_may_come() -> None:
    wanted = InferRequest("m", "", "", REQUEST.inputs, (RequestedOutput("z"),))
    async with inference(saying(triton_answer([Z], DATA[8:]))) as (client, _, _):
        (tensor,) = await infer(client, request=wanted)
        assert tensor.name == "z"
    async with inference(saying(triton_answer([Y, Z]))) as (client, _, _):
        with pytest.raises(BadUpstream):
            await infer(client, request=wanted)


GOOD = triton_answer([Y, Z])
GARBAGE: dict[str, bytes] = {
    "no http": b"hello\r\n\r\n",
    "no header length": answer(b"{}"),
    "json, not binary": answer(b'{"outputs":[]}', headers="Content-Type: application/json\r\n"),
    "header length is text": triton_answer([Y, Z], length="x"),
    "header length is negative": triton_answer([Y, Z], length=-1),
    "header length is zero": triton_answer([Y, Z], length=0),
    "header length past the end": triton_answer([Y, Z], length=10_000),
    "header cut off": triton_answer([Y, Z], length=20),
    "an output is missing": triton_answer([Y], DATA[:8]),
    "an unknown output": triton_answer([Y, {**Z, "name": "q"}]),
    "an output twice": triton_answer([Y, Y, Z], DATA[:8] + DATA),
    "no outputs": triton_answer([], b""),
    "outputs of another type": triton_answer({}, b""),
    "another datatype": triton_answer([{**Y, "datatype": "INT32"}, Z]),
    "an unknown datatype": triton_answer([{**Y, "datatype": "FP99"}, Z]),
    "another rank": triton_answer([{**Y, "shape": [2]}, Z]),
    "another dim": triton_answer(
        [{**Y, "shape": [1, 3], "parameters": {"binary_data_size": 12}}, Z], bytes(4) + DATA
    ),
    "another batch": triton_answer(
        [{**Y, "shape": [2, 2], "parameters": {"binary_data_size": 16}}, Z], bytes(8) + DATA
    ),
    "a negative dim": triton_answer([{**Y, "shape": [-1, 2]}, Z]),
    "a size that is not the shape's": triton_answer(
        [{**Y, "parameters": {"binary_data_size": 4}}, Z], DATA[4:]
    ),
    "a negative size": triton_answer([{**Y, "parameters": {"binary_data_size": -8}}, Z]),
    "a size past the end": triton_answer([Y, {**Z, "parameters": {"binary_data_size": 600}}]),
    "no size": triton_answer([{**Y, "parameters": {}}, Z]),
    "bytes left over": triton_answer([Y, Z], DATA + b"!"),
    "bytes missing": triton_answer([Y, Z], DATA[:-1]),
    "a broken BYTES element": triton_answer([Y, Z], DATA[:8] + struct.pack("<I", 9) + b"ab"),
    "too many BYTES elements": triton_answer(
        [Y, {**Z, "parameters": {"binary_data_size": 8}}], DATA[:8] + bytes(8)
    ),
    "a second answer": GOOD + GOOD,
    "trailing garbage": GOOD + b"xyz",
    "an oversized body": answer(bytes(200_000)),
    "oversized headers": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    "an interim status": b"HTTP/1.1 102 Processing\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "two lengths": GOOD.replace(b"\r\nContent-Length: ", b"\r\nContent-Length: 9\r\nContent-Length: "),
    "a redirect": answer(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_a_bad_upstream(garbage: str) -> None:
    async with inference(saying(GARBAGE[garbage])) as (client, peer, metrics):
        with pytest.raises(BadUpstream) as error:
            await infer(client)
        assert error.value.status == 502
        assert len(peer.requests) == 1  # never sent twice
        counted = metrics.registry.get_sample_value(
            "tidegate_triton_failures_total", {"model": "m", "code": "bad_upstream"}
        )
        assert counted == 1


@pytest.mark.parametrize("kept", range(0, len(GOOD), 7))
async def test_a_cut_off_answer_is_a_bad_upstream(kept: int) -> None:
    async with inference(saying(GOOD[:kept], close=True)) as (client, peer, _):
        with pytest.raises(BadUpstream):
            await infer(client)
        assert len(peer.requests) == 1


async def test_a_reset_is_a_bad_upstream() -> None:
    async with inference(reset) as (client, peer, _):
        with pytest.raises(BadUpstream):
            await infer(client)
        assert len(peer.requests) == 1


@pytest.mark.parametrize("behaviour", [silence, saying(GOOD[:60])])
async def test_silence_ends_at_the_deadline_and_the_connection_with_it(behaviour: Behaviour) -> None:
    async with inference(behaviour) as (client, peer, _):
        with pytest.raises(DeadlineExceeded):
            await infer(client, seconds=0.05)
        peer.behaviour = saying(GOOD)
        assert len(await infer(client)) == 2  # not the late answer of the first
        assert peer.connections == 2


async def test_nobody_listening_is_unavailable() -> None:
    upstream = Upstream("http://127.0.0.1:9", connections=1, connect_timeout=2.0, max_response_bytes=1000)
    for _ in range(3):  # a failure gives its place in the pool back
        with pytest.raises(Unavailable) as error:
            await infer(TritonInference(upstream, Metrics()))
        assert error.value.retry_after == 1


ERRORS: list[tuple[str, str, type[GatewayError]]] = [
    ("503 Service Unavailable", "Exceeds maximum queue size", Overloaded),
    ("503 Service Unavailable", "Request timeout expired", Overloaded),
    (
        "503 Service Unavailable",
        "Request for unknown model: 'm' version 1 is not at ready state",
        ModelNotReady,
    ),
    ("404 Not Found", "Request for unknown model: 'm' is not found", ModelNotReady),
    ("400 Bad Request", "onnx runtime error 2: indices element out of data bounds", BadRequest),
    ("500 Internal Server Error", "Failed to process the request(s)", BadUpstream),
    ("500 Internal Server Error", "Stub process 'm_0_0' is not healthy.", ModelNotReady),
    ("501 Not Implemented", "no", BadUpstream),
    ("403 Forbidden", "restricted", BadUpstream),
]


@pytest.mark.parametrize(("status", "text", "kind"), ERRORS)
async def test_tritons_errors_become_ours_without_its_words(
    status: str, text: str, kind: type[GatewayError]
) -> None:
    async with inference(saying(answer(json.dumps({"error": text}).encode(), status=status))) as (
        client,
        _,
        _,
    ):
        with pytest.raises(kind) as error:
            await infer(client)
    assert type(error.value).status == kind.status
    assert text not in error.value.message
    assert (error.value.retry_after is not None) == (kind.status == 503)


async def test_a_dead_model_process_is_counted_apart() -> None:
    body = b'{"error":"Stub process \'m_0_0\' is not healthy."}'
    async with inference(saying(answer(body, status="500 Internal Server Error"))) as (client, _, metrics):
        with pytest.raises(ModelNotReady):
            await infer(client)
        labels = {"model": "m", "code": "model_process_died"}
        assert metrics.registry.get_sample_value("tidegate_triton_failures_total", labels) == 1


async def test_error_bodies_that_are_no_json_are_survived() -> None:
    for body in (b"", b"<html>", b'{"error":5}', b"\xff" * 1000, b"[" * 50_000):
        async with inference(saying(answer(body, status="500 Oops"))) as (client, _, _):
            with pytest.raises(BadUpstream):
                await infer(client)

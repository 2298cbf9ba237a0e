"""Binary V2 on the wire to Triton: requests rebuilt from checked parts, answers read with every check.

Layout: a JSON header of `Inference-Header-Content-Length` bytes, then the binary tensors in header order
without padding (Triton's binary tensor data extension).
"""

from __future__ import annotations

from math import prod
from typing import Any

import msgspec

from gateway.errors import BadUpstream
from gateway.triton.connection import UpstreamResponse
from gateway.types import ITEM_SIZES, InferRequest, ModelSpec, Tensor, TensorBytes, TensorSpec, count_elements

_HEADER_LENGTH = b"inference-header-content-length"
_BINARY_OUTPUT = {"binary_data_output": True}
_ENCODER = msgspec.json.Encoder()

WRONG_ANSWER = "The inference server's answer does not fit the model. Tell the operator if it persists."


class _Sizes(msgspec.Struct, gc=False):
    binary_data_size: int


class _Output(msgspec.Struct, gc=False):
    name: str
    datatype: str
    shape: list[int]
    parameters: _Sizes


class _Header(msgspec.Struct, gc=False):
    outputs: list[_Output]


_DECODER = msgspec.json.Decoder(_Header)


class BadAnswer(BadUpstream):
    """Triton answered 200 with something that does not fit; `reason` is for the log, not for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(WRONG_ANSWER)
        self.reason = reason


def request_prefix(host: bytes, spec: ModelSpec) -> bytes:
    """Return the part of an infer request's head that is the same for every request to this version."""
    target = spec.model_version
    return (
        f"POST /v2/models/{target.model}/versions/{target.version}/infer HTTP/1.1\r\n"
        "Content-Type: application/octet-stream\r\nHost: "
    ).encode("ascii") + host


def encode(prefix: bytes, request: InferRequest) -> list[TensorBytes]:
    """Return the wire bytes of an infer request: head and JSON header first, then each tensor's data."""
    header: dict[str, Any] = {
        "inputs": [
            {
                "name": tensor.name,
                "shape": tensor.shape,
                "datatype": tensor.datatype,
                "parameters": {"binary_data_size": len(tensor.data)},
            }
            for tensor in request.inputs
        ],
        "parameters": {**request.parameters, **_BINARY_OUTPUT} if request.parameters else _BINARY_OUTPUT,
    }
    if request.outputs:
        header["outputs"] = [
            {
                "name": output.name,
                "parameters": {"binary_data": True, "classification": output.classification}
                if output.classification
                else {"binary_data": True},
            }
            for output in request.outputs
        ]
    encoded = _ENCODER.encode(header)
    total = len(encoded) + sum(len(tensor.data) for tensor in request.inputs)
    head = b"%b\r\nInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n%b" % (
        prefix, len(encoded), total, encoded,
    )  # fmt: skip
    return [head, *(tensor.data for tensor in request.inputs)]


def decode(response: UpstreamResponse, spec: ModelSpec, request: InferRequest) -> tuple[Tensor, ...]:
    """Return the output tensors of Triton's answer, in the order asked for (or the model's).

    Args:
        response: a 200 answer to `request`.
        spec: the contract of the version that answered.
        request: the validated request.

    Raises:
        BadAnswer: truncated, too long, or not the outputs, datatypes and shapes that must come.
    """
    body = response.body
    length = response.headers.get(_HEADER_LENGTH, b"")
    if not length.isdigit() or not 0 < int(length) <= len(body):
        raise BadAnswer("the header length is missing or out of range")
    view = memoryview(body)
    try:
        header = _DECODER.decode(view[: int(length)])
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the JSON header is malformed: {error}") from None
    position, found = int(length), {}
    batch = request.inputs[0].shape[0] if spec.max_batch_size and request.inputs else None
    wanted = _expected(spec, request)
    for output in header.outputs:
        end = position + output.parameters.binary_data_size
        expected = wanted.get(output.name)
        if expected is None or output.name in found or end < position or end > len(body):
            raise BadAnswer(f"output {output.name!r} was not asked for, comes twice or is cut off")
        tensor = Tensor(output.name, output.datatype, tuple(output.shape), view[position:end])
        _check(tensor, expected, batch)
        found[output.name] = tensor
        position = end
    if position != len(body) or len(found) != len(wanted):
        raise BadAnswer("an output is missing or bytes are left over")
    return tuple(found[name] for name in wanted)


def _expected(spec: ModelSpec, request: InferRequest) -> dict[str, TensorSpec]:
    by_name = {output.name: output for output in spec.outputs}
    if not request.outputs:
        return by_name
    expected = {}
    for output in request.outputs:
        contract = by_name[output.name]
        if output.classification:
            # `value:index[:label]` strings; how many come is min(asked for, classes).
            lead = contract.shape[:1] if spec.max_batch_size else ()
            contract = TensorSpec(output.name, "BYTES", (*lead, -1))
        expected[output.name] = contract
    return expected


def _check(tensor: Tensor, expected: TensorSpec, batch: int | None) -> None:
    shape = tensor.shape
    fits = (
        tensor.datatype == expected.datatype
        and len(shape) == len(expected.shape)
        and all(got == want or (want < 0 <= got) for got, want in zip(shape, expected.shape, strict=True))
        and (batch is None or shape[0] == batch)
    )
    if not fits:
        raise BadAnswer(f"output {tensor.name!r} came as {tensor.datatype} {shape}, not as the model states")
    elements = prod(shape)
    if tensor.datatype == "BYTES":
        try:
            complete = count_elements(tensor.data) == elements
        except ValueError:
            complete = False
    else:
        complete = len(tensor.data) == elements * ITEM_SIZES[tensor.datatype]
    if not complete:
        raise BadAnswer(
            f"output {tensor.name!r} has {len(tensor.data)} bytes, which is not what its shape holds"
        )

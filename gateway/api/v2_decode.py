"""V2 request bytes to an `InferRequest`: JSON, binary tensors after a JSON header, or both mixed.

Source: the V2 (open inference) REST protocol and Triton's binary tensor data extension.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import msgspec

from gateway.api.tensor_values import flatten, pack
from gateway.api.v2_message import InferMessage, InputMessage, Parameters, allow_only, flag, integer
from gateway.errors import BadRequest
from gateway.types import ITEM_SIZES, InferRequest, ModelSpec, RequestedOutput, Tensor

HEADER_LENGTH = b"inference-header-content-length"
MAX_ID = 256

_DECIMAL = re.compile(rb"[0-9]{1,10}")
_DECODER = msgspec.json.Decoder(InferMessage)
_REQUEST_PARAMETERS = frozenset({"binary_data_output"})
_INPUT_PARAMETERS = frozenset({"binary_data_size"})
_OUTPUT_PARAMETERS = frozenset({"binary_data", "classification"})


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How the client wants its outputs.

    Attributes:
        binary: for every output without a wish of its own.
        wishes: per output name.
    """

    binary: bool
    wishes: dict[str, bool]


def header_length(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Return the value of `Inference-Header-Content-Length`, None without that header.

    Raises:
        BadRequest: not a plain decimal number, or given more than once.
    """
    values = [value for name, value in headers if name == HEADER_LENGTH]
    if not values:
        return None
    if len(values) > 1 or not _DECIMAL.fullmatch(values[0]):
        raise BadRequest("Inference-Header-Content-Length must be one decimal number. Correct the header.")
    return int(values[0])


def decode(
    body: bytes, length: int | None, model: str, version: str, spec: Callable[[], ModelSpec]
) -> tuple[InferRequest, OutputFormat]:
    """Return the request and how its outputs are wanted.

    Args:
        body: decompressed.
        length: bytes of JSON before the binary tensors; None for all, 0 for one bare tensor and no JSON.
        model: name from the path.
        version: version from the path, "" without one.
        spec: the contract of the version called; asked only for a bare tensor.

    Raises:
        BadRequest: it cannot be understood.
        Forbidden: it asks for shared memory.
    """
    if length == 0:
        tensor = _bare_tensor(body, spec())
        return InferRequest(model, version, "", (tensor,)), OutputFormat(True, {})
    if length is not None and length > len(body):
        raise BadRequest("Inference-Header-Content-Length is larger than the body. Correct the header.")
    view = memoryview(body)
    message = _message(view if length is None else view[:length])
    parameters = message.parameters or {}
    allow_only(parameters, _REQUEST_PARAMETERS, "for a request")
    identity = message.id or ""
    if len(identity) > MAX_ID:
        raise BadRequest(f"The id is longer than {MAX_ID} characters. Shorten it.")
    inputs = _inputs(message.inputs, view[len(body) if length is None else length :])
    outputs, wishes = _outputs(message)
    request = InferRequest(model, version, identity, inputs, outputs)
    return request, OutputFormat(flag(parameters, "binary_data_output", False), wishes)


def _message(json: memoryview) -> InferMessage:
    try:
        return _DECODER.decode(json)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The request does not have the V2 form: {str(error)[:200]}. Correct it.") from None
    except (ValueError, RecursionError):
        raise BadRequest("The request's JSON is malformed. Send valid UTF-8 JSON.") from None


def _inputs(messages: Sequence[InputMessage], binary: memoryview) -> tuple[Tensor, ...]:
    tensors = []
    position = 0
    for message in messages:
        size = _binary_size(message.name, message.parameters)
        if message.data is not msgspec.UNSET:
            if size is not None:
                raise BadRequest(
                    f"Input {_show(message.name)} has data and binary_data_size. Send one of them."
                )
            values = flatten(_show(message.name), message.data, message.shape)
            data: bytes | memoryview = pack(_show(message.name), message.datatype, values)
            if message.datatype != "BYTES" and len(values) != prod(message.shape):
                raise BadRequest(
                    f"Input {_show(message.name)} has {len(values)} values, its shape another number. "
                    "Make the two agree."
                )
        elif size is None:
            raise BadRequest(f"Input {_show(message.name)} has no data. Send data or binary_data_size.")
        elif size > len(binary) - position:
            raise BadRequest(
                f"Input {_show(message.name)}: binary_data_size points past the end of the body. Correct it."
            )
        else:
            data = binary[position : position + size]
            position += size
        tensors.append(Tensor(message.name, message.datatype, tuple(message.shape), data))
    if position != len(binary):
        raise BadRequest(
            f"The binary_data_size values add up to {position} bytes, but {len(binary)} follow the JSON. "
            "Make the two agree."
        )
    return tuple(tensors)


def _binary_size(name: str, parameters: Parameters) -> int | None:
    if not parameters:
        return None
    allow_only(parameters, _INPUT_PARAMETERS, "for an input")
    size = integer(parameters, "binary_data_size")
    if size is not None and size < 0:
        raise BadRequest(f"Input {_show(name)}: binary_data_size is negative. Correct it.")
    return size


def _outputs(message: InferMessage) -> tuple[tuple[RequestedOutput, ...], dict[str, bool]]:
    outputs: list[RequestedOutput] = []
    wishes: dict[str, bool] = {}
    for output in message.outputs or ():
        parameters = output.parameters or {}
        allow_only(parameters, _OUTPUT_PARAMETERS, "for an output")
        if "binary_data" in parameters:
            wishes[output.name] = flag(parameters, "binary_data", False)
        outputs.append(RequestedOutput(output.name, integer(parameters, "classification") or 0))
    return tuple(outputs), wishes


def _bare_tensor(body: bytes, spec: ModelSpec) -> Tensor:
    """Shape the body as the model's only input: batch 1, one open axis filled from the size."""
    if len(spec.inputs) != 1:
        raise BadRequest("A body without JSON needs a model with exactly one input. Send a JSON header.")
    tensor = spec.inputs[0]
    if tensor.datatype == "BYTES":
        return Tensor(tensor.name, "BYTES", (1,) * len(tensor.shape), len(body).to_bytes(4, "little") + body)
    shape = [1, *tensor.shape[1:]] if spec.max_batch_size else list(tensor.shape)
    if shape.count(-1) > 1:
        raise BadRequest("A body without JSON needs a model with at most one open axis. Send a JSON header.")
    if -1 in shape:
        fixed = prod(dim for dim in shape if dim >= 0) * ITEM_SIZES[tensor.datatype]
        shape[shape.index(-1)] = len(body) // fixed if fixed else 0
    return Tensor(tensor.name, tensor.datatype, tuple(shape), body)


def _show(name: str) -> str:
    return name if name.isascii() and name.isprintable() and len(name) <= 80 else ascii(name)[:80]

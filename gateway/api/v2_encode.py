"""An `InferResponse` to V2 answer bytes: JSON, binary tensors after a JSON header, or both mixed."""

from __future__ import annotations

import zlib

import msgspec

from gateway.api.call import JSON, Answer
from gateway.api.tensor_values import unpack
from gateway.api.v2_decode import OutputFormat
from gateway.api.v2_message import AnswerMessage, TensorMessage
from gateway.types import InferResponse, TensorBytes

_ENCODER = msgspec.json.Encoder()
_BINARY = (b"content-type", b"application/octet-stream")
_CODINGS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
# Below this a compressed answer saves no packet.
_WORTH_COMPRESSING = 1024


def encode(response: InferResponse, wanted: OutputFormat, accept_encoding: bytes) -> Answer:
    """Return the answer in the form the client wants.

    Args:
        response: what the plane returned.
        wanted: binary or JSON, per output.
        accept_encoding: value of that header, b"" without one.

    Raises:
        BadRequest: an output is wanted as JSON that cannot travel in JSON.
    """
    outputs: list[TensorMessage] = []
    binary: list[TensorBytes] = []
    for tensor in response.outputs:
        message = TensorMessage(tensor.name, tensor.datatype, tensor.shape)
        if wanted.wishes.get(tensor.name, wanted.binary):
            message.parameters = {"binary_data_size": len(tensor.data)}
            binary.append(tensor.data)
        else:
            message.data = unpack(tensor)
        outputs.append(message)
    target = response.model_version
    header = _ENCODER.encode(AnswerMessage(target.model, target.version, outputs, response.id))
    if binary:
        length = (b"inference-header-content-length", b"%d" % len(header))
        return _compressed(Answer((header, *binary), headers=(_BINARY, length)), accept_encoding)
    return _compressed(Answer((header,), headers=(JSON,)), accept_encoding)


def _compressed(answer: Answer, accept_encoding: bytes) -> Answer:
    if not accept_encoding or sum(map(len, answer.body)) < _WORTH_COMPRESSING:
        return answer
    coding = _choose(accept_encoding)
    if coding is None:
        return answer
    compressor = zlib.compressobj(level=1, wbits=_CODINGS[coding])
    parts = [compressor.compress(part) for part in answer.body]
    parts.append(compressor.flush())
    return Answer(parts, answer.status, (*answer.headers, (b"content-encoding", coding)))


def _choose(accept_encoding: bytes) -> bytes | None:
    for item in accept_encoding.lower().split(b","):
        coding, _, quality = item.strip().partition(b";")
        refused = quality.strip().replace(b" ", b"") in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
        if coding.strip() in _CODINGS and not refused:
            return coding.strip()
    return None

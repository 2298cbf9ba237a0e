"""An `InferResponse` to V1 bytes: `predictions` row by row, or whole `outputs`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.api.call import Answer
from gateway.api.tensor_values import nest, unpack
from gateway.errors import BadRequest
from gateway.types import InferResponse, Tensor, iterate_elements


def encode(response: InferResponse, instances: int | None) -> Answer:
    """Return `predictions` for so many instances, or `outputs` when the request was columnar.

    One output comes bare, several as objects by name. NaN and infinities come as null.

    Raises:
        BadRequest: an output has no row per instance, or does not travel in JSON.
    """
    if instances is None:
        outputs = {tensor.name: nest(_values(tensor), tensor.shape) for tensor in response.outputs}
        return _json({"outputs": outputs if len(outputs) != 1 else next(iter(outputs.values()))})
    columns = {}
    for tensor in response.outputs:
        if not tensor.shape or tensor.shape[0] != instances:
            raise BadRequest(
                f"Output {tensor.name} has no row per instance. Send inputs instead of instances."
            )
        columns[tensor.name] = nest(_values(tensor), tensor.shape)
    if len(columns) == 1:
        return _json({"predictions": next(iter(columns.values()))})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _json({"predictions": rows})


def _values(tensor: Tensor) -> Sequence[Any]:
    if tensor.datatype == "BYTES":
        return [_element(element) for element in iterate_elements(tensor.data)]
    return unpack(tensor)


def _element(element: bytes) -> Any:
    try:
        return element.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(element).decode("ascii")}


def _json(value: Any) -> Answer:
    return Answer((msgspec.json.encode(value),))

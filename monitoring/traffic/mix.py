"""The kinds of request: good ones in every protocol, and the bad ones of real life."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from monitoring.traffic.tensors import MAX_BATCH, Tensor, TensorSpec, make_tensor

# Users behind the one key: a rollout keeps each of them on one version.
USERS = 100
STICKY = "X-Tidegate-Sticky"
JSON = {"Content-Type": "application/json"}
OCTETS = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Model:
    """A model to send traffic to."""

    name: str
    inputs: Sequence[TensorSpec]

    def tensors(self, dice: random.Random) -> list[Tensor]:
        """Return random inputs of one random batch size."""
        batch = dice.randint(1, MAX_BATCH)
        return [make_tensor(spec, batch, dice) for spec in self.inputs]

    @property
    def json_possible(self) -> bool:
        """Whether every input may be sent as JSON."""
        return all(spec.json_possible for spec in self.inputs)


@dataclass(frozen=True)
class Request:
    """One HTTP request, the key aside.

    Attributes:
        with_key: whether the caller's key is sent; `headers` may hold another one.
    """

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    with_key: bool = True


Build = Callable[[Model, random.Random], Request]


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        weight: share among the sum of all weights.
        build: makes one.
        expected: the statuses that are right; 429 and 503 are besides, since load may cause them.
    """

    weight: int
    build: Build
    expected: tuple[int, ...] = (200,)


def v2_json(model: Model, dice: random.Random) -> Request:
    """V2 infer with JSON tensors."""
    if not model.json_possible:
        return v2_binary(model, dice)
    inputs = [
        {"name": t.spec.name, "datatype": t.spec.datatype, "shape": t.shape, "data": t.nested()}
        for t in model.tensors(dice)
    ]
    return _infer(model, {"inputs": inputs}, _user(dice))


def v2_binary(model: Model, dice: random.Random) -> Request:
    """V2 infer with binary tensors both ways."""
    parts = [(tensor, tensor.binary()) for tensor in model.tensors(dice)]
    inputs = [
        {
            "name": tensor.spec.name,
            "datatype": tensor.spec.datatype,
            "shape": tensor.shape,
            "parameters": {"binary_data_size": len(data)},
        }
        for tensor, data in parts
    ]
    header = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return Request(
        "POST",
        f"/v2/models/{model.name}/infer",
        header + b"".join(data for _, data in parts),
        {**OCTETS, **_user(dice), "Inference-Header-Content-Length": str(len(header))},
    )


def v1_predict(model: Model, dice: random.Random) -> Request:
    """V1 predict: rows where the model batches, columns where it does not."""
    if not model.json_possible:
        return v2_binary(model, dice)
    tensors = model.tensors(dice)
    columns = {tensor.spec.name: tensor.nested() for tensor in tensors}
    body: dict[str, Any] = {"inputs": columns}
    if all(tensor.spec.batched for tensor in tensors):
        names, rows = list(columns), zip(*columns.values(), strict=True)
        # One input needs no name.
        body = {
            "instances": [row[0] if len(row) == 1 else dict(zip(names, row, strict=True)) for row in rows]
        }
    return Request(
        "POST", f"/v1/models/{model.name}:predict", json.dumps(body).encode(), {**JSON, **_user(dice)}
    )


def metadata(model: Model, dice: random.Random) -> Request:
    """What clients ask before they infer."""
    return Request("GET", f"/v2/models/{model.name}{dice.choice(('', '/ready'))}")


def wrong_shape(model: Model, _: random.Random) -> Request:
    """A tensor of one dimension too many."""
    inputs = [
        {"name": spec.name, "datatype": spec.datatype, "shape": [1] * (len(spec.shape) + 1), "data": [0]}
        for spec in model.inputs
    ]
    return _infer(model, {"inputs": inputs})


def broken_json(model: Model, _: random.Random) -> Request:
    """A body that ends in the middle."""
    return Request("POST", f"/v2/models/{model.name}/infer", b'{"inputs": [{"name": "x", ', JSON)


def unknown_model(_: Model, dice: random.Random) -> Request:
    """A model nobody serves; the name must not become a metric label."""
    return Request("POST", f"/v2/models/no-such-model-{dice.randrange(10**6)}/infer", b'{"inputs": []}', JSON)


def without_key(model: Model, dice: random.Random) -> Request:
    """A good request without credentials."""
    good = v2_json(model, dice)
    return Request(good.method, good.path, good.content, good.headers, with_key=False)


def wrong_key(model: Model, dice: random.Random) -> Request:
    """A good request with a key that was never issued."""
    good = v2_json(model, dice)
    headers = {**good.headers, "Authorization": "Bearer tg_0000000000000000_never-issued"}
    return Request(good.method, good.path, good.content, headers, with_key=False)


def _infer(
    model: Model, body: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
) -> Request:
    content = json.dumps(body).encode()
    return Request("POST", f"/v2/models/{model.name}/infer", content, {**JSON, **headers})


def _user(dice: random.Random) -> dict[str, str]:
    return {STICKY: f"user-{dice.randrange(USERS)}"}

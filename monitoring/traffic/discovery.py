"""Which models there are and what they take, asked through the gateway's own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from monitoring.errors import StackUnreachable, UnsupportedInput
from monitoring.traffic.mix import Model
from monitoring.traffic.tensors import FORMATS, TensorSpec


def discover(client: httpx.Client, key: Mapping[str, str], wanted: Sequence[str]) -> list[Model]:
    """Return the models to send traffic to, in the order of their names.

    Args:
        client: knows the gateway's address.
        key: the header of the API key.
        wanted: only these, all when empty.

    Raises:
        StackUnreachable: when no gateway answers, the key is refused, or there is nothing to call.
        UnsupportedInput: when not one of the models takes inputs the traffic can make.
    """
    served = sorted({entry["name"] for entry in _call(client, key, "POST", "/v2/repository/index")})
    if missing := sorted(set(wanted) - set(served)):
        raise StackUnreachable(
            f"The gateway does not serve {', '.join(missing)} to this key. "
            f"Choose with --model among: {', '.join(served) or '(nothing)'}."
        )
    models = [_describe(client, key, name) for name in (wanted or served)]
    if not models:
        raise StackUnreachable("The gateway serves no model to this key. Publish one with `tidegate export`.")
    usable = [model for model in models if all(_makeable(spec) for spec in model.inputs)]
    if not usable:
        raise UnsupportedInput(
            "No served model takes only numeric, BOOL or BYTES inputs; publish one that does."
        )
    return usable


def _describe(client: httpx.Client, key: Mapping[str, str], name: str) -> Model:
    metadata = _call(client, key, "GET", f"/v2/models/{name}")
    inputs = [
        TensorSpec(entry["name"], entry["datatype"], tuple(entry["shape"])) for entry in metadata["inputs"]
    ]
    return Model(name, inputs)


def _makeable(spec: TensorSpec) -> bool:
    return spec.datatype in FORMATS or spec.datatype == "BYTES"


def _call(client: httpx.Client, key: Mapping[str, str], method: str, path: str) -> Any:
    try:
        response = client.request(method, path, headers=dict(key))
    except httpx.HTTPError as error:
        raise StackUnreachable(
            f"No gateway answers at {client.base_url} ({error}). "
            "Start the stack with `make up`, or name its address with --url."
        ) from None
    if response.is_error:
        raise StackUnreachable(
            f"The gateway answers {path} with {response.status_code}: {response.text.strip()[:200]} "
            "Check the key in TIDEGATE_API_KEY or .tidegate/api-key."
        )
    return response.json()

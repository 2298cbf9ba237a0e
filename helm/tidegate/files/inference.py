"""`helm test`: one authenticated inference through the gateway, with a key made for it and revoked after.

Runs in the gateway's image with nothing but the standard library. Environment: GATEWAY_URL, MODEL (empty
means the first that is ready), TIMEOUT_SECONDS, TIDEGATE_ADMIN_KEY.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

URL = os.environ["GATEWAY_URL"].rstrip("/")
RETRY_SECONDS = 2

Answer = tuple[int, Any]
Result = TypeVar("Result")


def call(method: str, path: str, key: str, body: object = None) -> Answer:
    """Send one request; return (status, parsed body)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, method=method)  # noqa: S310 - the chart's URL
    request.add_header("X-API-Key", key)
    request.add_header("Content-Type", "application/json")
    # Cluster traffic never goes through a proxy of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            text = response.read()
            return response.status, json.loads(text) if text else {}
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def expect(what: str, wanted: int, answer: Answer) -> Any:
    """Return the body, or end the test with a sentence.

    Raises:
        LookupError: the gateway, Triton or a model is not there yet.
    """
    status, body = answer
    if status in (502, 503, 504):
        raise LookupError(f"{what} answered {status}: {body}")
    if status != wanted:
        raise SystemExit(f"{what} answered {status} instead of {wanted}: {body}")
    return body


def first_model(key: str) -> str:
    """Return the name of a model the gateway serves."""
    names: list[str] = expect("GET /v1/models", 200, call("GET", "/v1/models", key))["models"]
    ready = [name for name in names if call("GET", f"/v2/models/{name}/ready", key)[0] == 200]
    if not ready:
        raise LookupError(f"no model is ready (known: {names}); publish one into the model repository")
    return ready[0]


def zeros(tensor: dict[str, Any]) -> dict[str, Any]:
    """Return an input tensor of zeros (or empty strings) that fits the model's metadata."""
    shape = [1 if size == -1 else size for size in tensor["shape"]]
    fill: object = {"BYTES": "", "BOOL": False}.get(tensor["datatype"], 0)
    data = [fill] * math.prod(shape)
    return {"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": data}


def infer(key: str) -> str:
    """Run one inference and check that the answer has the outputs of the model."""
    model = os.environ.get("MODEL") or first_model(key)
    path = f"/v2/models/{model}"
    metadata = expect(f"GET {path}", 200, call("GET", path, key))
    inputs = [zeros(tensor) for tensor in metadata["inputs"]]
    answer = expect(f"POST {path}/infer", 200, call("POST", f"{path}/infer", key, {"inputs": inputs}))
    got, wanted = ({tensor["name"] for tensor in source["outputs"]} for source in (answer, metadata))
    if got != wanted:
        raise SystemExit(f"{model} answered with outputs {sorted(got)} instead of {sorted(wanted)}")
    return model


def until_deadline(action: Callable[[], Result]) -> Result:
    """Repeat `action` while the gateway or its models are not there yet."""
    deadline = time.monotonic() + float(os.environ.get("TIMEOUT_SECONDS", "60"))
    while True:
        try:
            return action()
        except (OSError, LookupError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"Gave up: {error}") from None
            time.sleep(RETRY_SECONDS)


def main() -> None:
    """Create a key, infer, revoke it, and see that it is dead."""
    admin = os.environ["TIDEGATE_ADMIN_KEY"]
    new = {"project": "helm-test", "name": "helm test", "scopes": ["infer", "read"]}
    path = "/admin/v1/keys"
    created = until_deadline(lambda: expect(f"POST {path}", 201, call("POST", path, admin, new)))
    try:
        model = until_deadline(lambda: infer(created["key"]))
    finally:
        path = f"{path}/{created['key_id']}"
        expect(f"DELETE {path}", 200, call("DELETE", path, admin))
    # Other gateways learn of it within a second.
    time.sleep(1)
    expect("a revoked key", 401, call("GET", "/v1/models", created["key"]))
    sys.stdout.write(f"ok: {model} answered through {URL}\n")


if __name__ == "__main__":
    main()

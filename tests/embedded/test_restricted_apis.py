"""Only who knows the secret may load models, map shared memory, or look behind the scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import tritonclient.grpc

from tests.support.triton import RunningTriton

HTTP = {
    "index": ("POST", "/v2/repository/index"),
    "load": ("POST", "/v2/repository/models/any/load"),
    "unload": ("POST", "/v2/repository/models/any/unload"),
    "shared memory": ("GET", "/v2/systemsharedmemory/status"),
    "cuda shared memory": ("GET", "/v2/cudasharedmemory/status"),
    "statistics": ("GET", "/v2/models/stats"),
    "configuration": ("GET", "/v2/models/any/config"),
    "trace": ("GET", "/v2/trace/setting"),
    "logging": ("GET", "/v2/logging"),
}
GRPC: dict[str, Callable[[Any, Any], object]] = {
    "index": lambda client, headers: client.get_model_repository_index(headers=headers),
    "shared memory": lambda client, headers: client.get_system_shared_memory_status(headers=headers),
    "statistics": lambda client, headers: client.get_inference_statistics(headers=headers),
    "trace": lambda client, headers: client.get_trace_settings(headers=headers),
    "logging": lambda client, headers: client.get_log_settings(headers=headers),
}


@pytest.mark.parametrize("api", HTTP)
def test_http_asks_for_the_secret(triton: RunningTriton, api: str) -> None:
    method, path = HTTP[api]

    def status(headers: dict[str, str]) -> int:
        return httpx.request(method, triton.http_url + path, headers=headers, timeout=30).status_code

    assert status({}) == 403
    assert status({next(iter(triton.admin_headers)): "wrong"}) == 403
    assert status(triton.admin_headers) != 403


@pytest.mark.parametrize("api", GRPC)
def test_grpc_asks_for_the_secret(triton: RunningTriton, api: str) -> None:
    call = GRPC[api]
    name, secret = next(iter(triton.admin_headers.items()))
    with tritonclient.grpc.InferenceServerClient(triton.grpc_url) as client:
        with pytest.raises(tritonclient.grpc.InferenceServerException, match="restricted"):
            call(client, {})
        call(client, {f"triton-grpc-protocol-{name}": secret})


def test_inference_metadata_and_health_need_no_secret(triton: RunningTriton) -> None:
    assert triton.get("/v2/health/ready").status_code == 200
    assert triton.get("/v2").json()["name"] == "triton"

"""The OpenAPI entries of the inference routes, written out: raw ASGI endpoints do not describe themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import Route

from gateway.api.endpoint import Endpoint

_ERROR = {
    "type": "object",
    "required": ["error", "code", "request_id"],
    "properties": {name: {"type": "string"} for name in ("error", "code", "request_id")},
}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "description": "BOOL, [U]INT8…64, FP16, BF16, FP32, FP64 or BYTES"},
        "data": {"type": "array", "items": {}, "description": "flat or nested by shape; absent when binary"},
        "parameters": {"type": "object"},
    },
}
_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "maxLength": 256},
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "parameters": {"type": "object"},
    },
}
_PREDICT = {
    "type": "object",
    "properties": {"instances": {"type": "array", "items": {}, "minItems": 1}, "inputs": {}},
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
}

# What each path does and which body it takes; both forms with and without a version share an entry.
_SUMMARIES: Mapping[str, tuple[str, Mapping[str, Any] | None]] = {
    "/v2/models/{model}/infer": ("Run a model once (V2)", _INFER),
    "/v1/models/{model}:predict": ("Run a model once (V1)", _PREDICT),
    "/v2/models/{model}/ready": ("Tell whether a model is served", None),
    "/v2/models/{model}": ("Show a model's inputs and outputs", None),
    "/v2": ("Show the gateway's name and version", None),
    "/v2/health/live": ("Tell whether the gateway answers", None),
    "/v2/health/ready": ("Tell whether models can be called", None),
    "/v2/repository/index": ("List the versions this key may use (V2)", None),
    "/v1/models": ("List the models this key may use", None),
    "/v1/models/{model}": ("Tell whether a model is served", None),
}


def inference_paths(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI path items of the inference routes.

    Args:
        routes: those of `inference_routes`.
    """
    return {
        route.path: _path_item(route, route.endpoint)
        for route in routes
        if isinstance(route.endpoint, Endpoint)
    }


def _path_item(route: Route, endpoint: Endpoint) -> dict[str, Any]:
    summary, body = _SUMMARIES[route.path.replace("/versions/{version}", "")]
    error = {"description": "Error", "content": {"application/json": {"schema": _ERROR}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "tags": [endpoint.protocol.upper()],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in route.param_convertors
        ],
        "responses": {"200": {"description": "Success"}, "default": error},
    }
    if endpoint.scopes:
        operation["description"] = f"Needs the scope {' or '.join(endpoint.scopes)}."
        operation["security"] = [{"bearer": []}, {"api_key": []}]
    if body is not None:
        content = {"application/json": {"schema": body}}
        if endpoint.protocol == "v2":
            content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": content}
    return {endpoint.method.lower(): operation}


SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

"""The FastAPI application, with a short way in front for the inference routes.

FastAPI's middleware stack and router cost about a quarter of a small inference. The inference endpoints
need none of it: they authenticate, answer errors and count by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.api.openapi import SECURITY_SCHEMES, inference_paths


class FrontedAPI(FastAPI):
    """Tries the inference routes first and is an ordinary FastAPI application for everything else.

    Args:
        inference: routes whose endpoints are ASGI applications; they are also listed among `routes`.
        options: of FastAPI.
    """

    def __init__(self, inference: Sequence[Route], **options: Any) -> None:
        super().__init__(**options)
        self.router.routes.extend(inference)
        self._inference = tuple(inference)
        self._short_way = tuple((route.path_regex, route.endpoint) for route in inference)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server (ASGI)."""
        if scope["type"] == "http":
            path = scope["path"]
            for regex, endpoint in self._short_way:
                found = regex.fullmatch(path)
                if found is not None:
                    scope["path_params"] = found.groupdict()
                    await endpoint(scope, receive, send)
                    return
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return FastAPI's schema with the inference routes added."""
        schema = super().openapi()
        schema["paths"].update(inference_paths(self._inference))
        schema.setdefault("components", {}).setdefault("securitySchemes", {}).update(SECURITY_SCHEMES)
        return schema

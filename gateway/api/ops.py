"""The ops application: `/metrics`, `/livez` and `/readyz` on a port of their own, without keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# Returns why the gateway cannot serve, as sentences; empty when it can.
ReadinessCheck = Callable[[], Sequence[str]]


def ops_app(registry: CollectorRegistry, checks: Sequence[ReadinessCheck]) -> Starlette:
    """Return the ops application.

    Args:
        registry: what `/metrics` shows.
        checks: what must all find nothing for `/readyz` to be 200; they are cheap and never block.
    """

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def livez(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def readyz(_request: Request) -> Response:
        reasons = [reason for check in checks for reason in check()]
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    routes = [Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _plain_error})
    app.router.redirect_slashes = False
    return app


async def _plain_error(_request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "bad_request")
    body = {"error": "Only GET of /metrics, /livez and /readyz is answered here.", "code": code}
    return JSONResponse(body, status_code=status, headers=headers)

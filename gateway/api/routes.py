"""The inference routes, visible in one table: path, method, scopes, handler."""

from __future__ import annotations

from starlette.routing import Route

from gateway.api.accounting import Accounting
from gateway.api.body import BodyLimits
from gateway.api.endpoint import Endpoint, Handler, Pipeline
from gateway.api.v2 import V2
from gateway.controlplane.authenticator import Authenticator
from gateway.dataplane import Plane
from gateway.metrics import Metrics
from gateway.settings import Settings

INFER = ("infer",)
LOOK = ("infer", "read")
OPEN = ()


def inference_routes(
    *, plane: Plane, authenticator: Authenticator, metrics: Metrics, settings: Settings, version: str
) -> list[Route]:
    """Return the routes of every inference protocol, the most called first.

    Args:
        plane: answers them.
        authenticator: tells who asks.
        metrics: where they are counted.
        settings: limits and deadlines.
        version: of this gateway, shown in `GET /v2`.
    """
    pipeline = Pipeline(
        authenticator=authenticator,
        accounting=Accounting(metrics, log_requests=settings.access_log),
        limits=BodyLimits(settings.max_body_bytes, settings.body_timeout),
        request_seconds=settings.request_timeout,
    )
    v2 = V2(plane, version)

    def both(suffix: str, method: str, scopes: tuple[str, ...], handler: Handler) -> list[Route]:
        model = "/v2/models/{model}"
        endpoint = Endpoint(pipeline, "v2", method, scopes, handler)
        return [Route(f"{model}{at}{suffix}", endpoint) for at in ("", "/versions/{version}")]

    def one(path: str, method: str, scopes: tuple[str, ...], handler: Handler) -> Route:
        return Route(path, Endpoint(pipeline, "v2", method, scopes, handler))

    return [
        *both("/infer", "POST", INFER, v2.infer),
        *both("/ready", "GET", LOOK, v2.model_ready),
        *both("", "GET", LOOK, v2.model_metadata),
        one("/v2", "GET", LOOK, v2.server_metadata),
        one("/v2/health/live", "GET", OPEN, v2.live),
        one("/v2/health/ready", "GET", OPEN, v2.ready),
        one("/v2/repository/index", "POST", LOOK, v2.index),
    ]

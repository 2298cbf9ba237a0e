"""The inference routes, visible in one table: path, method, scopes, handler."""

from __future__ import annotations

from starlette.routing import Route

from gateway.api.access_log import AccessLog
from gateway.api.accounting import Accounting
from gateway.api.body import BodyLimits
from gateway.api.endpoint import Endpoint, Handler, Pipeline
from gateway.api.v1 import V1
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

    Each route's `endpoint` is an `Endpoint`, whose `scopes` tell what a caller needs.

    Args:
        plane: answers them.
        authenticator: tells who asks.
        metrics: where they are counted.
        settings: limits and deadlines.
        version: of this gateway, shown in `GET /v2`.
    """
    pipeline = Pipeline(
        authenticator=authenticator,
        accounting=Accounting(metrics, AccessLog() if settings.access_log else None),
        limits=BodyLimits(settings.max_body_bytes, settings.body_timeout),
        request_seconds=settings.request_timeout,
    )
    v2, v1 = V2(plane, version), V1(plane)
    table: tuple[tuple[str, str, tuple[str, ...], Handler], ...] = (
        ("/v2/models/{model}/infer", "POST", INFER, v2.infer),
        ("/v2/models/{model}/versions/{version}/infer", "POST", INFER, v2.infer),
        # Before the V1 model routes, whose {model} would take the suffix for part of the name.
        ("/v1/models/{model}:predict", "POST", INFER, v1.predict),
        ("/v1/models/{model}/versions/{version}:predict", "POST", INFER, v1.predict),
        ("/v2/models/{model}/ready", "GET", LOOK, v2.model_ready),
        ("/v2/models/{model}/versions/{version}/ready", "GET", LOOK, v2.model_ready),
        ("/v2/models/{model}", "GET", LOOK, v2.model_metadata),
        ("/v2/models/{model}/versions/{version}", "GET", LOOK, v2.model_metadata),
        ("/v2", "GET", LOOK, v2.server_metadata),
        ("/v2/health/live", "GET", OPEN, v2.live),
        ("/v2/health/ready", "GET", OPEN, v2.ready),
        ("/v2/repository/index", "POST", LOOK, v2.index),
        ("/v1/models", "GET", LOOK, v1.models),
        ("/v1/models/{model}", "GET", LOOK, v1.model),
        ("/v1/models/{model}/versions/{version}", "GET", LOOK, v1.model),
    )
    return [
        Route(path, Endpoint(pipeline, path[1:3], method, scopes, handler))
        for path, method, scopes, handler in table
    ]

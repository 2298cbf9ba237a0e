"""A FastAPI route that asks who calls, and whether they may, before it reads a byte of the body."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

from gateway.api.request_id import request_id
from gateway.controlplane.authenticator import Authenticator
from gateway.controlplane.authorization import require
from gateway.errors import BadRequest, Forbidden, GatewayError, TooLarge, Unauthenticated
from gateway.metrics import Metrics
from gateway.types import Principal

log = logging.getLogger("gateway.access")

# The largest sensible admin request is a few kilobytes.
MAX_BODY_BYTES = 64 << 10
BODY_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Guard:
    """What every guarded route needs.

    Attributes:
        authenticator: tells who calls.
        metrics: counts who was refused.
        access_log: whether each request is logged.
    """

    authenticator: Authenticator
    metrics: Metrics
    access_log: bool = True

    def admit(self, request: Request, scopes: tuple[str, ...]) -> Principal:
        """Return the caller if they hold one of `scopes`.

        Raises:
            Unauthenticated: without a valid key.
            Forbidden: with one that lacks them all.
        """
        try:
            principal = self.authenticator.authenticate(request.headers.raw)
            require(principal, *scopes)
        except (Unauthenticated, Forbidden) as error:
            self.metrics.auth_failures.labels(error.code).inc()
            raise
        return principal


class GuardedRoute(APIRoute):
    """A route that declares the scopes of which one is needed.

    The handler finds the caller in `request.state.principal`.
    """

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, guard: Guard, needs: tuple[str, ...], **options: Any
    ) -> None:
        self.guard = guard
        self.needs = needs
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard around FastAPI's own handler, which starts by reading the body."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            started = time.perf_counter()
            request.state.request_id = request_id(request.headers.raw)
            status = 500
            try:
                request.state.principal = self.guard.admit(request, self.needs)
                response = await handle(await _with_body(request))
                status = response.status_code
                response.headers["x-request-id"] = request.state.request_id
                return response
            except GatewayError as error:
                status = error.status
                raise
            except (RequestValidationError, HTTPException):
                # FastAPI raises the second one only for a body it cannot parse.
                status = BadRequest.status
                raise
            finally:
                if self.guard.access_log:
                    self._log(request, status, time.perf_counter() - started)

        return guarded

    def _log(self, request: Request, status: int, seconds: float) -> None:
        principal: Principal | None = getattr(request.state, "principal", None)
        log.info(
            "request",
            extra={
                "request_id": request.state.request_id,
                "method": request.method,
                "route": self.path_format,
                "project": principal.project if principal else None,
                "key_id": principal.key_id if principal else None,
                "status": status,
                "milliseconds": round(seconds * 1000, 3),
            },
        )


async def _with_body(request: Request) -> Request:
    """Return the request with its whole body read, within the limits."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes; send less.")
    except TimeoutError:
        raise BadRequest("The body did not arrive in time; send the request again.") from None

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return Request(request.scope, receive)

"""The raw ASGI endpoint every inference protocol shares.

In order: request id, method, announced size, authentication, authorisation, body, handler, answer,
accounting. FastAPI's own route functions cost about as much as all of this together, so the inference
routes are plain ASGI, and their OpenAPI entries are written out in `openapi`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.api.accounting import CLIENT_GONE, Accounting, Outcome
from gateway.api.body import BodyLimits, ClientGoneError
from gateway.api.call import JSON, Answer, Call
from gateway.api.disconnect import DisconnectWatch
from gateway.api.request_id import request_id
from gateway.controlplane.authenticator import CHALLENGE, Authenticator
from gateway.controlplane.authorization import require
from gateway.errors import GatewayError, MethodNotAllowed, TooLarge, Unauthenticated

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
ErrorBody: TypeAlias = Callable[[GatewayError, str], bytes]

INTERNAL = "The gateway failed on this request. Report it with the request id."


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What all endpoints share.

    Attributes:
        authenticator: tells who asks.
        accounting: counts and logs.
        limits: of request bodies.
        request_seconds: time a request may take, waiting included.
    """

    authenticator: Authenticator
    accounting: Accounting
    limits: BodyLimits
    request_seconds: float


def plain_error_body(error: GatewayError, number: str) -> bytes:
    """Return the error shape of V2 and V1; tritonclient reads `error` from it."""
    return msgspec.json.encode({"error": error.message, "code": error.code, "request_id": number})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An ASGI application for one route.

    Attributes:
        pipeline: shared by all.
        protocol: metric label.
        method: the one HTTP method it takes.
        scopes: the caller must hold one of them; empty for a route that is open to everyone.
        handler: what the route does.
        error_body: the protocol's error shape.
    """

    pipeline: Pipeline
    protocol: str
    method: str
    scopes: tuple[str, ...]
    handler: Handler
    error_body: ErrorBody = plain_error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begin = perf_counter()
        raw = scope["headers"]
        call = Call(
            request_id=request_id(raw),
            raw_headers=raw,
            headers=dict(raw),
            path=scope["path_params"],
            deadline=asyncio.get_running_loop().time() + self.pipeline.request_seconds,
        )
        code = ""
        try:
            answer = await self._handle(call, scope["method"], receive)
        except ClientGoneError:
            self._settle(call, begin, CLIENT_GONE, "client_gone", 0)
            return
        except GatewayError as error:
            reusable = await self._past_body(error, call, receive)
            answer, code = self._error(error, call, reusable=reusable), error.code
        except Exception:
            logger.exception("unforeseen_error", extra={"request_id": call.request_id})
            answer, code = self._error(GatewayError(INTERNAL), call, reusable=False), GatewayError.code
        body = answer.body[0] if len(answer.body) == 1 else b"".join(answer.body)
        headers = [
            *answer.headers,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", call.request_id.encode("ascii")),
        ]
        if call.record.model_version is not None:
            headers.append((b"x-model-version", call.record.model_version.version.encode("ascii")))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._settle(call, begin, answer.status, code, len(body))

    async def _handle(self, call: Call, method: str, receive: Receive) -> Answer:
        pipeline = self.pipeline
        if method != self.method:
            raise MethodNotAllowed(f"This path takes {self.method} only. Use that method.")
        pipeline.limits.check_length(call.headers)
        if self.scopes:
            call.principal = pipeline.authenticator.authenticate(call.raw_headers)
            require(call.principal, *self.scopes)
        if method != "POST":
            return await self.handler(call)
        call.body_begun = True
        begin = perf_counter()
        call.body = await pipeline.limits.read(receive, call.headers)
        call.body_seconds = perf_counter() - begin
        call.body_read = True
        watch = DisconnectWatch(receive)
        try:
            return await self.handler(call)
        except asyncio.CancelledError:
            if watch.swallow_cancellation():
                raise ClientGoneError from None
            raise
        finally:
            watch.stop()

    async def _past_body(self, error: GatewayError, call: Call, receive: Receive) -> bool:
        """Leave no unread body behind an error's answer; tell whether the connection may be kept."""
        if call.body_read:
            return True
        if call.body_begun or isinstance(error, TooLarge):
            return False
        return await self.pipeline.limits.discard(receive, call.headers)

    def _error(self, error: GatewayError, call: Call, *, reusable: bool) -> Answer:
        headers = [JSON]
        if error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after))
        if isinstance(error, Unauthenticated):
            headers.append((b"www-authenticate", CHALLENGE.encode("ascii")))
        if isinstance(error, MethodNotAllowed):
            headers.append((b"allow", self.method.encode("ascii")))
        if not reusable:
            headers.append((b"connection", b"close"))
        return Answer((self.error_body(error, call.request_id),), error.status, tuple(headers))

    def _settle(self, call: Call, begin: float, status: int, code: str, size: int) -> None:
        outcome = Outcome(self.protocol, status, code, perf_counter() - begin, size)
        self.pipeline.accounting.settle(call, outcome)

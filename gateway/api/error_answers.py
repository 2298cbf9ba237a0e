"""Turns every error of the FastAPI application into the one shape `{"error", "code", "request_id"}`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from gateway.api.request_id import request_id
from gateway.controlplane.authenticator import CHALLENGE
from gateway.errors import BadRequest, GatewayError, MethodNotAllowed, NotFound, Unauthenticated

log = logging.getLogger(__name__)

SHOWN_PROBLEMS = 5


def install(app: FastAPI) -> None:
    """Register the handlers; together they leave no error in FastAPI's own shapes."""
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen_error)


def answer(request: Request, error: GatewayError) -> JSONResponse:
    """Return the response that tells `error` to the client of `request`."""
    number = getattr(request.state, "request_id", None) or request_id(request.headers.raw)
    headers = {"x-request-id": number}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = CHALLENGE
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(allowed_methods(request.app.routes, request.scope))
    body = {"error": error.message, "code": error.code, "request_id": number}
    return JSONResponse(body, status_code=error.status, headers=headers)


def allowed_methods(routes: Sequence[BaseRoute], scope: Any) -> list[str]:
    """Return the methods that some route takes at the path of `scope`."""
    found: set[str] = set()
    for route in routes:
        methods = getattr(route, "methods", None)
        if methods and route.matches(scope)[0] is not Match.NONE:
            found |= methods
    return sorted(found)


async def _gateway_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, GatewayError):
        raise error
    if error.status >= 500 and error.__cause__ is not None:
        log.warning("a request failed", extra={"code": error.code, "cause": str(error.__cause__)})
    return answer(request, error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(_problem(problem) for problem in problems[:SHOWN_PROBLEMS])
    return answer(request, BadRequest(f"The request is not valid: {said}. Correct it and send it again."))


def _problem(problem: dict[str, Any]) -> str:
    # FastAPI says where as ("body", "scopes", 0): the first element is of no use to the client's author.
    where = ".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0])
    what = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"`{where}`: {what}"


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status = getattr(error, "status_code", 500)
    if status == NotFound.status:
        return answer(request, NotFound("There is nothing at this path; /openapi.json lists what there is."))
    if status == MethodNotAllowed.status:
        return answer(request, MethodNotAllowed("This path does not take this method; see `Allow`."))
    return answer(request, BadRequest("The request body cannot be read; send valid JSON."))


async def _unforeseen_error(request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback as well; this line joins it to the request.
    response = answer(request, GatewayError("The gateway failed; report this with the request id."))
    log.error(
        "unforeseen error", extra={"request_id": response.headers["x-request-id"], "cause": repr(error)}
    )
    return response

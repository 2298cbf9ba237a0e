"""Decides who is calling, from the request's headers and memory alone."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

from gateway.controlplane import keys
from gateway.controlplane.principals import Principals
from gateway.errors import Unauthenticated
from gateway.types import Principal

# One sentence for every cause, so that an answer does not tell which part of a guess was right.
MESSAGE = "No valid API key came with the request; send one in `Authorization: Bearer <key>` or `X-API-Key`."
CHALLENGE = 'Bearer realm="tidegate"'
_BEARER = b"bearer "
_NO_KEY = bytes(32)


class Authenticator:
    """Checks `Authorization: Bearer <key>` or `X-API-Key: <key>`, of which a request has exactly one."""

    def __init__(self, principals: Principals, pepper: bytes, now: Callable[[], float] = time.time) -> None:
        self._principals = principals
        self._pepper = pepper
        self._now = now

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Return the caller.

        Args:
            headers: the request's headers, names in lower case as ASGI has them.

        Raises:
            Unauthenticated: with one message, whatever was wrong.
            Unavailable: while the keys have never been read.
        """
        key = keys.parse(_presented(headers))
        if key is None:
            _refuse()
        credential = self._principals.find(key.key_id)
        # An unknown id costs the same work as a wrong secret: time must not tell which ids exist.
        stored = _NO_KEY if credential is None else credential.hash
        fits = hmac.compare_digest(keys.key_hash(self._pepper, key.text), stored)
        if credential is None or not fits or self._now() >= credential.expires_at:
            _refuse()
        return credential.principal


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    presented: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if presented is not None or value[: len(_BEARER)].lower() != _BEARER:
                _refuse()
            presented = value[len(_BEARER) :]
        elif name == b"x-api-key":
            if presented is not None:
                _refuse()
            presented = value
    if presented is None:
        _refuse()
    return presented


def _refuse() -> NoReturn:
    raise Unauthenticated(MESSAGE)

"""One request on its way through an endpoint, and the answer that comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.dataplane import RequestRecord
from gateway.errors import BadRequest
from gateway.types import Principal, TensorBytes

JSON = (b"content-type", b"application/json")
ANONYMOUS = Principal(key_id="", project="", scopes=frozenset())
STICKY_HEADER = b"x-tidegate-sticky"
_STICKY = re.compile(rb"[\x21-\x7e]{1,128}")


@dataclass(slots=True)
class Call:
    """What a handler gets: everything already authenticated, authorised and within the limits.

    Attributes:
        request_id: of this request; echoed and logged.
        raw_headers: as ASGI has them, names in lower case.
        headers: the same by name; the last one wins.
        path: the parts of the path the route captured.
        principal: who asks; `ANONYMOUS` on open routes.
        body: decompressed.
        body_begun: whether some of the body may have been read.
        body_read: whether all of it was.
        body_seconds: how long that took.
        deadline: loop time at which the answer must be there.
        record: what the data plane learns on the way.
    """

    request_id: str
    raw_headers: Sequence[tuple[bytes, bytes]]
    headers: Mapping[bytes, bytes]
    path: Mapping[str, str]
    deadline: float
    principal: Principal = ANONYMOUS
    body: bytes = b""
    body_begun: bool = False
    body_read: bool = False
    body_seconds: float = 0.0
    record: RequestRecord = field(default_factory=RequestRecord)

    @property
    def sticky(self) -> str:
        """What the caller wants to always get the same version during a rollout; "" for their key.

        Raises:
            BadRequest: the header is no plain word.
        """
        value = self.headers.get(STICKY_HEADER)
        if value is None:
            return ""
        if not _STICKY.fullmatch(value):
            raise BadRequest("X-Tidegate-Sticky must be 1 to 128 visible ASCII characters. Correct it.")
        return value.decode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back.

    Attributes:
        body: its parts, in order.
        status: HTTP status.
        headers: without Content-Length and X-Request-Id, which the endpoint adds.
    """

    body: Sequence[TensorBytes]
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)

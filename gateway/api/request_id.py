"""The request id: the client's own where it is harmless, else a new one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

HEADER = b"x-request-id"
# It is echoed in a header and written to logs, so nothing but plain characters of bounded number.
_HARMLESS = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the value of `X-Request-Id` if it is harmless, else 32 random hexadecimal digits.

    Args:
        headers: the request's headers, names in lower case as ASGI has them.
    """
    for name, value in headers:
        if name == HEADER and _HARMLESS.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(16)

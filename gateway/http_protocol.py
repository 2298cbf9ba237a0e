"""HTTP/1.1 as this gateway speaks it: uvicorn's httptools protocol with limits and one error shape.

What is refused here never becomes a request: too many or too large headers (431), too long a URL (414), a
malformed or doubled Host (400, which closes the class of CVE-2026-48710), headers that do not arrive in time.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 << 10
MAX_URL_BYTES = 8 << 10
# From the first byte of a request, or the opening of the connection, to the end of its headers.
HEADER_TIMEOUT = 10.0
# A name, an IPv4 address or a bracketed IPv6 address, then perhaps a port (RFC 9110 §7.2, RFC 3986 §3.2).
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

BODY_HEADERS = frozenset((b"content-length", b"transfer-encoding"))

BAD_REQUEST = (400, "bad_request", "The request is not valid HTTP/1.1; correct it and send it again.")
BAD_HOST = (400, "bad_request", "The request needs exactly one valid Host header; send one.")
BAD_UPGRADE = (400, "bad_request", "This gateway speaks HTTP/1.1 only; send the request without Upgrade.")
URL_TOO_LONG = (414, "url_too_long", f"The URL is longer than {MAX_URL_BYTES} bytes; send a shorter one.")
HEADERS_TOO_LARGE = (
    431,
    "headers_too_large",
    f"There are more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them; send fewer.",
)


class RefusedError(Exception):
    """Stops the parser; never leaves this module."""


class Connections(ServerState):
    """What all connections of one server share.

    Attributes:
        draining: whether answers ask clients to close their connection, so that none is cut later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.draining = False


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusal = BAD_REQUEST
        self._header_bytes = 0
        self._hosts = 0
        self._unparsed = 0
        self._in_body = False
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first request's headers."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_header_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; where that did not complete a request's headers, bound their size and their time."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            return
        # The parser keeps an unfinished header to itself: `on_header` would be too late to count it. What
        # is left of a body that was answered early is no header, but its time is bounded all the same.
        self._unparsed += 0 if self._in_body else len(data)
        if self._unparsed > MAX_URL_BYTES + MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refusal = HEADERS_TOO_LARGE
            self.send_400_response("")
        elif self._header_timer is None:
            self._start_header_timer()

    def on_message_begin(self) -> None:
        """Begin a request's headers."""
        super().on_message_begin()
        self._header_bytes = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        """Collect the URL within its limit."""
        if len(self.url) + len(url) > MAX_URL_BYTES:
            self._refuse(URL_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header within the limits."""
        self._header_bytes += len(name) + len(value)
        if len(self.headers) >= MAX_HEADERS or self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(HEADERS_TOO_LARGE)
        super().on_header(name, value)
        if self.headers[-1][0] == b"host":
            self._hosts += 1
            if self._hosts > 1 or not _HOST.fullmatch(value):
                self._refuse(BAD_HOST)

    def on_headers_complete(self) -> None:
        """Start the request, now that its headers are known to be sound."""
        self._stop_header_timer()
        self._unparsed = 0
        self._in_body = True
        if self._hosts != 1 and self.parser.get_http_version() != "1.0":
            self._refuse(BAD_HOST)
        upgrade = self.parser.should_upgrade()
        if upgrade and not self._can_go_on():
            self._refuse(BAD_UPGRADE)
        super().on_headers_complete()
        # Past an offered upgrade the parser takes nothing for a request: what was pipelined must not be
        # waited for.
        if upgrade or getattr(self.server_state, "draining", False):
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End a request's body."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, ours are sent
        """Answer what the parser or this class refused, and close."""
        status, code, message = self._refusal
        body = msgspec.json.encode({"error": message, "code": code, "request_id": secrets.token_hex(16)})
        lines = [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        lines += [
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
            body,
        ]
        # While an earlier request of this connection is being answered, a second answer would mix with it.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(b"".join(lines))
        self.transport.close()

    def _can_go_on(self) -> bool:
        # Offering h2c is harmless, and Java's client does it by default; but the parser takes the body of
        # such a request for the new protocol, so one with a body cannot be served.
        offers = [value.lower() for name, value in self.headers if name == b"upgrade"]
        return offers == [b"h2c"] and not {name for name, _ in self.headers} & BODY_HEADERS

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: declining an upgrade is normal."""

    def _refuse(self, refusal: tuple[int, str, str]) -> None:
        self._refusal = refusal
        raise RefusedError

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT, self._headers_late)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self.transport.close()

"""Reads a request's body within its limits: bytes, time, and bytes after decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive

from gateway.errors import BadRequest, BodyTimeout, TooLarge, UnsupportedMedia

# window bits by content coding: `deflate` is the zlib format, as in HTTP and in tritonclient.
_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


# A refused upload up to this size is read to its end, so that the client sees why it was refused.
_WORTH_DISCARDING = 1 << 20
_DISCARD_SECONDS = 1.0


class ClientGoneError(Exception):
    """The client left: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a client may send.

    Attributes:
        max_bytes: largest body, as sent and after decompression.
        seconds: time to send it in.
    """

    max_bytes: int
    seconds: float

    def check_length(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a body that announces itself as too large, before any of it is read.

        Raises:
            TooLarge: it does.
            BadRequest: the announcement is no number.
        """
        length = headers.get(b"content-length")
        if length is None:
            return
        if not length.isdigit():
            raise BadRequest("Content-Length is not a number. Send the body's size in bytes.")
        if len(length) > 19 or int(length) > self.max_bytes:
            raise self._too_large()

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the decompressed body.

        Raises:
            TooLarge: more than `max_bytes`, sent or decompressed.
            BodyTimeout: it took the client too long.
            UnsupportedMedia: a content coding other than gzip and deflate.
            BadRequest: the compressed data are broken.
            ClientGoneError: the client left.
        """
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding != b"identity" and coding not in _WINDOW_BITS:
            raise UnsupportedMedia("This Content-Encoding is not supported. Send gzip, deflate or none.")
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._receive_all(receive)
        except TimeoutError:
            raise BodyTimeout("The body did not arrive in time. Send it faster or make it smaller.") from None
        return body if coding == b"identity" else self._decompress(body, _WINDOW_BITS[coding])

    async def discard(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bool:
        """Read past a small body nobody wants, so that the answer is not lost in a connection reset.

        Returns:
            Whether all of it is gone, so that the connection may be kept.
        """
        length = headers.get(b"content-length", b"0")
        chunked = b"transfer-encoding" in headers
        if not chunked and length == b"0":
            return True
        if chunked or b"expect" in headers or not length.isdigit() or int(length) > _WORTH_DISCARDING:
            return False
        try:
            async with asyncio.timeout(_DISCARD_SECONDS):
                await self._receive_all(receive)
        except (TimeoutError, TooLarge, ClientGoneError):
            return False
        return True

    async def _receive_all(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self.max_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
            if not chunks and not more:
                return chunk
            if chunk:
                chunks.append(chunk)
            if not more:
                return b"".join(chunks)

    def _decompress(self, body: bytes, window_bits: int) -> bytes:
        decompressor = zlib.decompressobj(window_bits)
        try:
            # One byte over the limit suffices to know; the rest of a bomb is never produced.
            plain = decompressor.decompress(body, self.max_bytes + 1)
        except zlib.error:
            raise BadRequest("The compressed body is broken. Compress it again and resend.") from None
        if len(plain) > self.max_bytes:
            raise self._too_large()
        if not decompressor.eof or decompressor.unused_data:
            raise BadRequest("The compressed body is cut off or has trailing bytes. Compress it again.")
        return plain

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is over {self.max_bytes} bytes. Send fewer or smaller tensors per request."
        )

"""Which content types an inference route takes."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import UnsupportedMedia


def require_media_type(headers: Mapping[bytes, bytes], accepted: frozenset[bytes]) -> None:
    """Return when the body's content type is one of `accepted`, or not stated.

    Args:
        headers: by lower-case name.
        accepted: lower-case media types, without parameters.

    Raises:
        UnsupportedMedia: forms, multipart and whatever else is not an inference.
    """
    stated = headers.get(b"content-type")
    if stated is None or stated in accepted:
        return
    if stated.partition(b";")[0].strip().lower() not in accepted:
        names = " or ".join(sorted(name.decode("ascii") for name in accepted))
        raise UnsupportedMedia(f"This Content-Type is not supported. Send {names}.")

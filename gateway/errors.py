"""Everything that can go wrong in the gateway, as one tree.

::

    GatewayError
      BadRequest            400  the request cannot be understood or does not fit the model
      Unauthenticated       401  no API key, or none that is valid
      Forbidden             403  a valid key that lacks the scope
      NotFound              404  unknown, or not permitted: the two are indistinguishable
      MethodNotAllowed      405
      BodyTimeout           408  the body did not arrive in time
      Conflict              409
      TooLarge              413  body or tensor over its limit
      UnsupportedMedia      415  content type or encoding
      UnusableVersion       422  a version that failed a step of its deployment
      HeadersTooLarge       431
      RateLimited           429  the caller's own limit
      Unavailable           503  the platform cannot take the request now
        Overloaded               queue or byte budget full
        ModelNotReady            the model is known but not served at this moment
        ShuttingDown             this gateway is draining
      BadUpstream           502  Triton answered with something that is no answer
      DeadlineExceeded      504  no answer within the request's deadline

    CannotStart             never on the wire: the process says why and exits

Each protocol turns an error into its own native shape in `gateway.api`, once. Messages are sentences for
the client: they never hold upstream text, paths or stack traces; what the operator needs is logged where
the error is raised.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base of the tree.

    Attributes:
        status: HTTP status.
        code: stable machine-readable name, documented in `docs/reference/errors.md`.
        message: one sentence for the client that says what to do.
        retry_after: whole seconds after which trying again makes sense, or None.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(GatewayError):
    """The request cannot be understood or does not fit the model."""

    status = 400
    code = "bad_request"


class Unauthenticated(GatewayError):
    """No API key, or none that is valid."""

    status = 401
    code = "unauthenticated"


class Forbidden(GatewayError):
    """The key is valid but lacks the scope."""

    status = 403
    code = "forbidden"


class NotFound(GatewayError):
    """Unknown, or not permitted to this caller."""

    status = 404
    code = "not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class BodyTimeout(GatewayError):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"


class Conflict(GatewayError):
    """The change contradicts the present state."""

    status = 409
    code = "conflict"


class TooLarge(GatewayError):
    """The body or a tensor is over its limit."""

    status = 413
    code = "too_large"


class UnsupportedMedia(GatewayError):
    """The content type or encoding is not accepted here."""

    status = 415
    code = "unsupported_media"


class UnusableVersion(GatewayError):
    """A version failed a step of its deployment; what served before still serves.

    Attributes:
        step: the step that failed: `checksum`, `load`, `warm-up` or `golden`.
    """

    status = 422
    code = "unusable_version"

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step


class RateLimited(GatewayError):
    """The caller's own limit is reached."""

    status = 429
    code = "rate_limited"


class HeadersTooLarge(GatewayError):
    """Too many headers, or too many bytes of them."""

    status = 431
    code = "headers_too_large"


class Unavailable(GatewayError):
    """The platform cannot take the request now."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, retry_after=retry_after)


class Overloaded(Unavailable):
    """The model's queue or the byte budget is full."""

    code = "overloaded"


class ModelNotReady(Unavailable):
    """The model is known but not served at this moment."""

    code = "model_not_ready"


class ShuttingDown(Unavailable):
    """This gateway is draining."""

    code = "shutting_down"


class BadUpstream(GatewayError):
    """Triton answered with something that is no answer, or did not answer at all."""

    status = 502
    code = "bad_upstream"


class DeadlineExceeded(GatewayError):
    """No answer within the request's deadline."""

    status = 504
    code = "deadline_exceeded"


class CannotStart(Exception):
    """The gateway cannot start as it is set up; the message says what to change."""

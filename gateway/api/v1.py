"""The V1 (TensorFlow Serving, KServe) protocol over HTTP."""

from __future__ import annotations

import msgspec

from gateway.api.call import Answer, Call
from gateway.api.media_type import require_media_type
from gateway.api.v1_decode import decode
from gateway.api.v1_encode import encode
from gateway.dataplane import Plane
from gateway.errors import ModelNotReady

_MEDIA_TYPES = frozenset({b"application/json"})


class V1:
    """The handlers of the V1 routes.

    Args:
        plane: answers everything.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    async def predict(self, call: Call) -> Answer:
        """`POST /v1/models/{model}[/versions/{version}]:predict`."""
        require_media_type(call.headers, _MEDIA_TYPES)
        version = call.path.get("version", "")
        sticky = call.sticky
        spec = self._plane.spec(call.principal, call.path["model"], version, call.record, sticky)
        request, instances = decode(call.body, spec, version)
        response = await self._plane.infer(call.principal, request, call.deadline, call.record, sticky)
        return encode(response, instances)

    async def models(self, call: Call) -> Answer:
        """`GET /v1/models`: the models this caller may use."""
        names = [entry.name for entry in self._plane.models(call.principal)]
        return Answer((msgspec.json.encode({"models": names}),))

    async def model(self, call: Call) -> Answer:
        """`GET /v1/models/{model}[/versions/{version}]`."""
        name, version = call.path["model"], call.path.get("version", "")
        if not self._plane.model_ready(call.principal, name, version, call.record):
            raise ModelNotReady("The model is not ready. Try again after the seconds in Retry-After.")
        return Answer((msgspec.json.encode({"name": name, "ready": True}),))

"""The V2 (open inference, KServe) protocol over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.call import Answer, Call
from gateway.api.media_type import require_media_type
from gateway.api.v2_decode import decode, header_length
from gateway.api.v2_encode import encode
from gateway.dataplane import Plane
from gateway.errors import ModelNotReady, Unavailable
from gateway.types import TensorSpec

# Only what really passes through: see the V2 extensions this gateway implements.
EXTENSIONS = ("binary_tensor_data", "classification")
_MEDIA_TYPES = frozenset({b"application/json", b"application/octet-stream"})


class V2:
    """The handlers of the V2 routes.

    Args:
        plane: answers everything.
        version: of this gateway.
    """

    def __init__(self, plane: Plane, version: str) -> None:
        self._plane = plane
        self._version = version

    async def infer(self, call: Call) -> Answer:
        """`POST /v2/models/{model}[/versions/{version}]/infer`."""
        require_media_type(call.headers, _MEDIA_TYPES)
        model, version, sticky = call.path["model"], call.path.get("version", ""), call.sticky
        request, wanted = decode(
            call.body,
            header_length(call.raw_headers),
            model,
            version,
            lambda: self._plane.spec(call.principal, model, version, call.record, sticky),
        )
        response = await self._plane.infer(call.principal, request, call.deadline, call.record, sticky)
        return encode(response, wanted, call.headers.get(b"accept-encoding", b""))

    async def server_metadata(self, _call: Call) -> Answer:
        """`GET /v2`."""
        return _json({"name": "tidegate", "version": self._version, "extensions": EXTENSIONS})

    async def live(self, _call: Call) -> Answer:
        """`GET /v2/health/live`: this process answers."""
        return Answer((b"",))

    async def ready(self, _call: Call) -> Answer:
        """`GET /v2/health/ready`: models can be called."""
        if not self._plane.ready():
            raise Unavailable("The gateway is not ready. Try again after the seconds in Retry-After.")
        return Answer((b"",))

    async def model_metadata(self, call: Call) -> Answer:
        """`GET /v2/models/{model}[/versions/{version}]`."""
        model = call.path["model"]
        version = call.path.get("version", "")
        spec = self._plane.spec(call.principal, model, version, call.record, call.sticky)
        return _json(
            {
                "name": spec.model_version.model,
                "versions": self._plane.versions(call.principal, model),
                "platform": spec.platform,
                "inputs": [_tensor(tensor) for tensor in spec.inputs],
                "outputs": [_tensor(tensor) for tensor in spec.outputs],
            }
        )

    async def model_ready(self, call: Call) -> Answer:
        """`GET /v2/models/{model}[/versions/{version}]/ready`."""
        version = call.path.get("version", "")
        if not self._plane.model_ready(call.principal, call.path["model"], version, call.record):
            raise ModelNotReady("The model is not ready. Try again after the seconds in Retry-After.")
        return Answer((b"",))

    async def index(self, call: Call) -> Answer:
        """`POST /v2/repository/index`: the versions this caller may use, in Triton's form."""
        rows = [
            {
                "name": entry.name,
                "version": version,
                "state": "READY" if entry.ready else "UNAVAILABLE",
                "reason": "",
            }
            for entry in self._plane.models(call.principal)
            for version in sorted(entry.versions, key=int)
        ]
        return _json(rows)


def _tensor(tensor: TensorSpec) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def _json(value: Any) -> Answer:
    return Answer((msgspec.json.encode(value),))

"""Triton's repository and metadata API: what is there, load, unload, and the contract of a version.

Every call carries the admin header, because a well-run Triton restricts these APIs to it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from gateway.errors import BadUpstream, ModelNotReady
from gateway.triton.connection import UpstreamResponse
from gateway.triton.refusals import upstream_text
from gateway.triton.upstream import Upstream
from gateway.types import DATATYPES, ModelSpec, ModelVersion, TensorSpec

READY = "READY"


class IndexEntry(msgspec.Struct, frozen=True):
    """One row of Triton's repository index.

    Attributes:
        name: the model.
        version: "" for a model that was never loaded.
        state: `READY`, `LOADING`, `UNLOADING`, `UNAVAILABLE`, or "".
        reason: why it is unavailable, in Triton's words (for logs only).
    """

    name: str
    version: str = ""
    state: str = ""
    reason: str = ""


class _TensorMetadata(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]


class _Metadata(msgspec.Struct):
    platform: str
    inputs: list[_TensorMetadata]
    outputs: list[_TensorMetadata]


class _ConfigInput(msgspec.Struct):
    name: str
    optional: bool = False


class _ConfigOutput(msgspec.Struct):
    name: str
    label_filename: str = ""


class _InstanceGroup(msgspec.Struct):
    count: int = 1


class _Policy(msgspec.Struct, frozen=True):
    decoupled: bool = False


class _Config(msgspec.Struct):
    max_batch_size: int = 0
    input: list[_ConfigInput] = []
    output: list[_ConfigOutput] = []
    instance_group: list[_InstanceGroup] = []
    model_transaction_policy: _Policy = _Policy()


_INDEX = msgspec.json.Decoder(list[IndexEntry])
_METADATA = msgspec.json.Decoder(_Metadata)
_CONFIG = msgspec.json.Decoder(_Config)


class LoadFailed(ModelNotReady):
    """Triton refused to load a model; `reason` holds its words, for the log."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"Model {model} could not be loaded. See the inference server's log.")
        self.reason = reason


class RepositoryUnreadable(BadUpstream):
    """Triton answers, but cannot list its model repository; `reason` holds its words, for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__("The inference server cannot list its models. See its log.")
        self.reason = reason


class TritonRepository:
    """The client of Triton's repository extension and model metadata.

    Args:
        upstream: where Triton is.
        admin_header: name of the header that opens the restricted APIs.
        admin_secret: its value; None sends no such header.
        time_limit: seconds a call may take, loads excepted.
    """

    def __init__(
        self, upstream: Upstream, *, admin_header: str, admin_secret: str | None, time_limit: float = 3.0
    ) -> None:
        self._upstream = upstream
        self._headers = ((admin_header, admin_secret),) if admin_secret else ()
        self._time_limit = time_limit

    async def index(self) -> list[IndexEntry]:
        """Return every model of the repository and the state of each version Triton knows.

        Raises:
            Unavailable: Triton cannot be reached.
            RepositoryUnreadable: it cannot read its repository: one dangling link in there suffices.
            BadUpstream: it answered with something else.
        """
        response = await self._call("POST", "/v2/repository/index")
        if response.status == 500:
            raise RepositoryUnreadable(upstream_text(response))
        entries: list[IndexEntry] = self._decoded(_INDEX, response)
        return entries

    async def load(self, model: str, time_limit: float, config: str | None = None) -> None:
        """Load a model, or bring a loaded one up to date with its directory; returns when it is ready.

        Args:
            model: its name.
            time_limit: seconds it may take.
            config: JSON that takes the place of `config.pbtxt` for this load.

        Raises:
            LoadFailed: Triton refused; what served before still serves.
            DeadlineExceeded: not loaded in time; Triton may still be at it.
        """
        body = b"" if config is None else msgspec.json.encode({"parameters": {"config": config}})
        response = await self._call("POST", f"/v2/repository/models/{model}/load", time_limit, body)
        if response.status != 200:
            raise LoadFailed(model, upstream_text(response))

    async def unload(self, model: str) -> None:
        """Take a model out of service; returns at once, running requests finish.

        Raises:
            BadUpstream: Triton refused.
        """
        response = await self._call("POST", f"/v2/repository/models/{model}/unload")
        if response.status != 200:
            raise BadUpstream(f"The inference server refused to unload {model}. See its log.")

    async def spec(self, model: str, version: str) -> ModelSpec:
        """Return the contract of a ready version.

        Raises:
            BadUpstream: it is not ready any more, or described in terms this gateway does not know.
        """
        path = f"/v2/models/{model}/versions/{version}"
        metadata = self._decoded(_METADATA, await self._call("GET", path))
        config = self._decoded(_CONFIG, await self._call("GET", f"{path}/config"))
        optional = {tensor.name for tensor in config.input if tensor.optional}
        spec = ModelSpec(
            model_version=ModelVersion(model, version),
            platform=metadata.platform,
            inputs=tuple(_tensor(t, t.name in optional) for t in metadata.inputs),
            outputs=tuple(_tensor(t) for t in metadata.outputs),
            max_batch_size=config.max_batch_size,
            instances=max(1, sum(group.count for group in config.instance_group)),
            decoupled=config.model_transaction_policy.decoupled,
            labels=any(output.label_filename for output in config.output),
        )
        unknown = {t.datatype for t in (*spec.inputs, *spec.outputs)} - DATATYPES
        if unknown:
            raise BadUpstream(f"Model {model} uses datatypes this gateway does not know: {sorted(unknown)}.")
        return spec

    async def _call(
        self, method: str, path: str, time_limit: float | None = None, body: bytes = b""
    ) -> UpstreamResponse:
        deadline = asyncio.get_running_loop().time() + (time_limit or self._time_limit)
        return await self._upstream.request(method, path, deadline, headers=self._headers, body=body)

    @staticmethod
    def _decoded(decoder: msgspec.json.Decoder[Any], response: UpstreamResponse) -> Any:
        if response.status == 403:
            raise BadUpstream(
                "The inference server does not accept the admin header. "
                "Set TIDEGATE_TRITON_ADMIN_SECRET to its value."
            )
        if response.status != 200:
            raise BadUpstream(f"The inference server answered {response.status}: {upstream_text(response)}")
        try:
            return decoder.decode(response.body)
        except (ValueError, RecursionError):
            raise BadUpstream("The inference server's answer could not be read.") from None


def _tensor(metadata: _TensorMetadata, optional: bool = False) -> TensorSpec:
    return TensorSpec(metadata.name, metadata.datatype, tuple(metadata.shape), optional)

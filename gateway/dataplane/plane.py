"""The way of every inference, whatever its protocol: resolve → permit → validate → admit → call → check."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TypeAlias

from gateway.dataplane.admission import Admission
from gateway.dataplane.catalog import Catalog, CatalogEntry, Servable
from gateway.dataplane.loader import Loader
from gateway.dataplane.record import RequestRecord
from gateway.errors import GatewayError, ModelNotReady, NotFound
from gateway.triton import TritonInference, Upstream
from gateway.types import InferRequest, InferResponse, ModelSpec, Principal

Permits: TypeAlias = Callable[[Principal, str], bool]

# The same words whether a model does not exist or is not this caller's: nobody learns what others have.
UNKNOWN_MODEL = (
    "This model or version is unknown, or not permitted to this key. "
    "GET /v1/models lists what the key may use."
)
NOT_READY = "The model is not served at this moment. Try again after the seconds in Retry-After."


class Plane:
    """What the protocols talk to.

    Args:
        catalog: what Triton serves.
        loader: brings models into Triton.
        admission: the places at each model.
        inference: calls Triton.
        upstream: the connections, closed with the plane.
        permits: whether a principal may use a model.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        loader: Loader,
        admission: Admission,
        inference: TritonInference,
        upstream: Upstream,
        permits: Permits,
    ) -> None:
        self._catalog = catalog
        self._loader = loader
        self._admission = admission
        self._inference = inference
        self._upstream = upstream
        self._permits = permits

    async def start(self) -> None:
        """Look at Triton once and keep following it; returns also while Triton is away."""
        await self._loader.start()
        await self._catalog.start()

    async def stop(self) -> None:
        """Stop following Triton and close the connections to it."""
        await self._catalog.stop()
        await self._loader.stop()
        await self._upstream.close()

    async def infer(
        self,
        principal: Principal,
        request: InferRequest,
        deadline: float,
        record: RequestRecord | None = None,
    ) -> InferResponse:
        """Run one inference.

        Args:
            principal: who asks.
            request: tensors in the V2 binary layout; nothing in it is trusted.
            deadline: loop time at which the answer must be there.
            record: filled in along the way.

        Raises:
            NotFound: unknown or not permitted model or version.
            BadRequest: the request does not fit the model.
            Unavailable: queue full, model not ready, Triton away.
            BadUpstream: Triton's answer is no answer.
            DeadlineExceeded: no answer in time.
        """
        record = record or RequestRecord()
        servable = self._resolve(principal, request.model, request.version)
        spec = servable.spec
        record.model_version = spec.model_version
        servable.validator.check(request)
        gate = self._admission.gate(spec)
        record.queue_seconds = await gate.enter(principal, deadline)
        begin = perf_counter()
        record.sent = True
        try:
            outputs = await self._inference.infer(spec, request, deadline)
        except ModelNotReady:
            self._catalog.refresh()
            raise
        finally:
            record.triton_seconds = perf_counter() - begin
            gate.leave()
        return InferResponse(spec.model_version, request.id, outputs)

    def spec(
        self, principal: Principal, model: str, version: str = "", record: RequestRecord | None = None
    ) -> ModelSpec:
        """Return the contract a request for this model and version would be held to.

        Raises:
            NotFound: unknown or not permitted.
            ModelNotReady: known, but not served now.
        """
        spec = self._resolve(principal, model, version).spec
        if record is not None:
            record.model_version = spec.model_version
        return spec

    def model_ready(self, principal: Principal, model: str, version: str = "") -> bool:
        """Tell whether a request for this model and version would be served.

        Raises:
            NotFound: unknown or not permitted.
        """
        try:
            self._resolve(principal, model, version)
        except ModelNotReady:
            return False
        return self._catalog.triton_up

    def versions(self, principal: Principal, model: str) -> tuple[str, ...]:
        """Return the versions of a model that are served, lowest first.

        Raises:
            NotFound: unknown or not permitted.
        """
        return tuple(sorted(self._entry(principal, model).versions, key=int))

    def models(self, principal: Principal) -> tuple[CatalogEntry, ...]:
        """Return the models this principal may use, by name."""
        entries = self._catalog.entries
        return tuple(entries[name] for name in sorted(entries) if self._permits(principal, name))

    def live(self) -> bool:
        """Tell whether Triton answered when last asked."""
        return self._catalog.triton_up

    def ready(self) -> bool:
        """Tell whether Triton answers and every model that it served, or should first serve, is ready."""
        return not self.problems()

    def problems(self) -> tuple[str, ...]:
        """Return what keeps the plane from being ready, as sentences for the operator.

        A model that fails to load and was never served is not among them: one broken directory must not
        take every other model out of service. It shows in the log and in `tidegate_model_ready`.
        """
        if not self._catalog.triton_up:
            return ("Triton does not answer.",)
        found = [f"Model {name} is being loaded." for name in self._loader.pending]
        found += [
            f"Model {entry.name} was served and is not ready."
            for entry in self._catalog.entries.values()
            if entry.versions and not entry.ready
        ]
        return tuple(found)

    def _entry(self, principal: Principal, model: str) -> CatalogEntry:
        entry = self._catalog.entries.get(model)
        if entry is None or not self._permits(principal, model):
            raise NotFound(UNKNOWN_MODEL)
        return entry

    def _resolve(self, principal: Principal, model: str, version: str) -> Servable:
        """Name and version to what serves them: the one place where aliases and rollouts will choose."""
        entry = self._entry(principal, model)
        servable = entry.versions.get(version or entry.default)
        if servable is not None and entry.ready:
            return servable
        if entry.ready or (version and entry.versions and servable is None):
            raise NotFound(UNKNOWN_MODEL)
        raise self._not_ready()

    def _not_ready(self) -> GatewayError:
        return ModelNotReady(NOT_READY, retry_after=2)

"""The way of every inference, whatever its protocol: resolve → permit → validate → admit → call → check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TypeAlias

from gateway.dataplane.admission import Admission
from gateway.dataplane.catalog import Catalog, CatalogEntry, Servable
from gateway.dataplane.record import RequestRecord
from gateway.dataplane.routing import choose
from gateway.errors import ModelNotReady, NotFound
from gateway.triton import TritonInference, Upstream
from gateway.types import InferRequest, InferResponse, ModelSpec, PolicyOf, Principal, Tensor

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
        admission: the places at each model.
        inference: calls Triton.
        upstream: the connections, closed with the plane.
        permits: whether a principal may use a model.
        policies: how the requests for a model are routed.
        pending: models that are on their way into Triton.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        admission: Admission,
        inference: TritonInference,
        upstream: Upstream,
        permits: Permits,
        policies: PolicyOf,
        pending: Callable[[], Sequence[str]],
    ) -> None:
        self._catalog = catalog
        self._admission = admission
        self._inference = inference
        self._upstream = upstream
        self._permits = permits
        self._policies = policies
        self._pending = pending

    async def start(self) -> None:
        """Look at Triton once and keep following it; returns also while Triton is away."""
        await self._catalog.start()

    async def stop(self) -> None:
        """Stop following Triton and close the connections to it."""
        await self._catalog.stop()
        await self._upstream.close()

    async def look(self) -> None:
        """Return when Triton was looked at after this call began."""
        await self._catalog.poll()

    async def infer(
        self,
        principal: Principal,
        request: InferRequest,
        deadline: float,
        record: RequestRecord | None = None,
        sticky: str = "",
    ) -> InferResponse:
        """Run one inference.

        Args:
            principal: who asks.
            request: tensors in the V2 binary layout; nothing in it is trusted.
            deadline: loop time at which the answer must be there.
            record: filled in along the way.
            sticky: what always gets the same version during a rollout; the principal's key if empty.

        Raises:
            NotFound: unknown or not permitted model or version.
            BadRequest: the request does not fit the model.
            Unavailable: queue full, model not ready, Triton away.
            BadUpstream: Triton's answer is no answer.
            DeadlineExceeded: no answer in time.
        """
        record = record or RequestRecord()
        servable = self._resolve(principal, request.model, request.version, sticky)
        try:
            outputs = await self._run(servable, principal, request, deadline, record)
        except ModelNotReady:
            # Its version may have been unloaded between our look and the call, which then never ran.
            await self._catalog.poll()
            other = self._resolve(principal, request.model, request.version, sticky)
            if other.spec.model_version == servable.spec.model_version:
                raise
            servable = other
            outputs = await self._run(servable, principal, request, deadline, record)
        return InferResponse(servable.spec.model_version, request.id, outputs)

    async def _run(
        self,
        servable: Servable,
        principal: Principal,
        request: InferRequest,
        deadline: float,
        record: RequestRecord,
    ) -> tuple[Tensor, ...]:
        spec = servable.spec
        record.model_version = spec.model_version
        servable.validator.check(request)
        gate = self._admission.gate(spec)
        record.queue_seconds += await gate.enter(principal, deadline)
        begin = perf_counter()
        record.sent = True
        try:
            return await self._inference.infer(spec, request, deadline)
        finally:
            record.triton_seconds += perf_counter() - begin
            gate.leave()

    def spec(
        self,
        principal: Principal,
        model: str,
        version: str = "",
        record: RequestRecord | None = None,
        sticky: str = "",
    ) -> ModelSpec:
        """Return the contract a request for this model and version would be held to.

        Raises:
            NotFound: unknown or not permitted.
            ModelNotReady: known, but not served now.
        """
        spec = self._resolve(principal, model, version, sticky).spec
        if record is not None:
            record.model_version = spec.model_version
        return spec

    def model_ready(
        self, principal: Principal, model: str, version: str = "", record: RequestRecord | None = None
    ) -> bool:
        """Tell whether a request for this model and version would be served.

        Raises:
            NotFound: unknown or not permitted.
        """
        try:
            self.spec(principal, model, version, record)
        except ModelNotReady:
            return False
        return self._catalog.triton_up

    def versions(self, principal: Principal, model: str) -> tuple[str, ...]:
        """Return the versions of a model that are served, lowest first.

        Raises:
            NotFound: unknown or not permitted.
        """
        return tuple(sorted(self._visible(self._entry(principal, model)).versions, key=int))

    def models(self, principal: Principal) -> tuple[CatalogEntry, ...]:
        """Return the models this principal may use, by name, with the versions that may be called."""
        entries = self._catalog.entries
        return tuple(
            self._visible(entries[name]) for name in sorted(entries) if self._permits(principal, name)
        )

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
            if reason := self._catalog.unreadable:
                return (f"Triton cannot list its model repository ({reason}); repair or remove that file.",)
            return ("Triton does not answer.",)
        found = [f"Model {name} is being loaded." for name in self._pending()]
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

    def _visible(self, entry: CatalogEntry) -> CatalogEntry:
        """Leave out versions that are loaded only to be tried out."""
        policy = self._policies(entry.name)
        admitted = policy.admitted if policy else frozenset()
        return replace(entry, versions={v: s for v, s in entry.versions.items() if v in admitted})

    def _resolve(self, principal: Principal, model: str, version: str, sticky: str) -> Servable:
        """Name and version to what serves them: the one place where aliases and rollouts choose."""
        entry = self._entry(principal, model)
        policy = self._policies(model)
        if policy is None:
            raise ModelNotReady(NOT_READY, retry_after=2)
        wanted = choose(policy, version, sticky or principal.key_id)
        if entry.ready:
            for candidate in wanted:
                servable = entry.versions.get(candidate)
                if servable is not None:
                    return servable
        if any(candidate in policy.aliases.values() for candidate in wanted):
            raise ModelNotReady(NOT_READY, retry_after=2)
        raise NotFound(UNKNOWN_MODEL)

"""Tries a version out: checksum → load beside what serves → warm-up → golden requests.

A version on trial is loaded but not admitted, so nobody can call it. When a step fails it is unloaded again;
what served before goes on serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from gateway.controlplane import golden
from gateway.controlplane.manifest import STEP as CHECKSUM
from gateway.controlplane.manifest import VersionFiles, require_unchanged
from gateway.controlplane.routing_records import ModelState
from gateway.controlplane.version_sets import LOAD, VersionSets
from gateway.errors import BadRequest, DeadlineExceeded, GatewayError, UnusableVersion
from gateway.triton import TritonInference, TritonRepository
from gateway.triton.repository import LoadFailed

log = logging.getLogger(__name__)

WARM_UP, GOLDEN = "warm-up", "golden"
STEPS = (CHECKSUM, LOAD, WARM_UP, GOLDEN)
PASSED, SKIPPED = "passed", "skipped"
# Triton answers a load when the version serves; this is for what its index still has to catch up on.
WARM_UP_SECONDS = 30.0
POLL_SECONDS = 0.05
GOLDEN_SECONDS = 30.0


@dataclass(slots=True)
class Trial:
    """What a trial found.

    Attributes:
        digest: of the version's manifest.
        steps: each as `{"step", "outcome", "seconds"}`.
    """

    digest: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)


class Trials:
    """Tries versions out; whoever calls holds the model's lease.

    Args:
        files: the model repository on disk.
        triton: changes what Triton holds.
        repository: tells the contract of a loaded version.
        inference: sends golden requests.
    """

    def __init__(
        self,
        files: VersionFiles,
        triton: VersionSets,
        repository: TritonRepository,
        inference: TritonInference,
    ) -> None:
        self._files = files
        self._triton = triton
        self._repository = repository
        self._inference = inference

    async def run(self, state: ModelState, version: str) -> Trial:
        """Try a version out; when this returns it is loaded and may be admitted.

        Raises:
            UnusableVersion: a step failed; the error names it.
            Unavailable: Triton cannot be reached.
        """
        trial, model = Trial(), state.model
        async with _step(trial, CHECKSUM):
            trial.digest = await self._files.verify(model, version)
            require_unchanged(state, version, trial.digest)
        try:
            async with _step(trial, LOAD):
                await self._load(model, version)
            async with _step(trial, WARM_UP):
                await self._wait_ready(model, version)
            async with _step(trial, GOLDEN) as outcome:
                if not await self._ask(model, version):
                    outcome["outcome"] = SKIPPED
        except BaseException:
            await self._withdraw(state, version)
            raise
        return trial

    async def _load(self, model: str, version: str) -> None:
        held = await self._triton.held(model)
        try:
            await self._triton.hold(model, held.ready | {version})
        except LoadFailed as error:
            log.warning("load_failed", extra={"model": model, "version": version, "reason": error.reason})
            raise _failed(model, version, LOAD, "Triton cannot load it; its log says why") from None
        except DeadlineExceeded:
            raise _failed(model, version, LOAD, "it was not loaded in time") from None

    async def _wait_ready(self, model: str, version: str) -> None:
        deadline = asyncio.get_running_loop().time() + WARM_UP_SECONDS
        while version not in (held := await self._triton.held(model)).ready:
            if version not in held.busy or asyncio.get_running_loop().time() >= deadline:
                raise _failed(model, version, WARM_UP, "Triton does not serve it after its load")
            await asyncio.sleep(POLL_SECONDS)

    async def _ask(self, model: str, version: str) -> bool:
        """Send the golden requests; return whether there are any."""
        spec = await self._repository.spec(model, version)
        # In threads: half a million numbers would hold up every request meanwhile.
        content = await asyncio.to_thread(self._files.golden, model, version)
        if content is None:
            return False
        try:
            requests = await asyncio.to_thread(golden.parse, content, model, version)
        except ValueError as error:
            log.warning("golden_unreadable", extra={"model": model, "version": version, "reason": str(error)})
            raise _failed(model, version, GOLDEN, "its golden.json cannot be understood") from None
        for number, expected in enumerate(requests):
            deadline = asyncio.get_running_loop().time() + GOLDEN_SECONDS
            try:
                answer = await self._inference.infer(spec, expected.request, deadline)
            except GatewayError as error:
                log.warning(
                    "golden_failed", extra={"model": model, "version": version, "reason": error.message}
                )
                said = "is refused" if isinstance(error, BadRequest) else "is not answered"
                raise _failed(model, version, GOLDEN, f"golden request {number} {said}") from None
            difference = await asyncio.to_thread(expected.difference, answer)
            if difference is not None:
                raise _failed(model, version, GOLDEN, f"golden request {number}: {difference}")
        return True

    async def _withdraw(self, state: ModelState, version: str) -> None:
        """Unload a version that failed, unless it served before; what is missed here the reconciler does."""
        if version in state.wanted:
            return
        with contextlib.suppress(GatewayError):
            held = await self._triton.held(state.model)
            if version in held.ready | held.busy:
                await self._triton.hold(state.model, held.ready - {version})


@asynccontextmanager
async def _step(trial: Trial, name: str) -> AsyncIterator[dict[str, Any]]:
    """Time one step and note that it passed; one that raises is not noted, its error names it."""
    begin = perf_counter()
    result: dict[str, Any] = {"step": name, "outcome": PASSED}
    yield result
    result["seconds"] = round(perf_counter() - begin, 3)
    trial.steps.append(result)


def _failed(model: str, version: str, step: str, reason: str) -> UnusableVersion:
    return UnusableVersion(
        f"Version {version} of {model} failed the step `{step}`: {reason}. "
        "What served before still serves; correct the version and publish it as a new one.",
        step=step,
    )

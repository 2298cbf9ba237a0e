"""The object Triton's model process calls: initialize once, execute for every batch."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from .errors import BadRequestError, UnservableModelError
from .execution import Array, Executor, Job, describe
from .model_config import BackendConfig, read_config
from .model_file import locate
from .session import open_session, run_options
from .validation import validate

# Asking whether a request was cancelled is a round trip to the server. Triton itself drops requests that
# are cancelled in its queue; asking once more pays only before a run that takes much longer.
_SLOW_RUN_SECONDS = 0.02


class TritonPythonModel:
    """One instance of an ONNX model; each instance is a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model and check it against its configuration.

        Args:
            args: Triton's arguments; `model_config` is JSON, `model_repository` the *model's* folder.

        Raises:
            UnservableModelError: the model cannot be served; its text is what the caller of `load` sees.
        """
        model, version = args["model_name"], args["model_version"]
        try:
            # Older stubs were built against numpy 1 and pass wrong numbers, silently, on numpy 2.
            if int(np.__version__.split(".", 1)[0]) >= 2:
                raise UnservableModelError(
                    f"numpy {np.__version__} is installed and corrupts tensors in this Triton's model "
                    'processes; install an older one with `pip install "numpy<2"`'
                )
            self._config: BackendConfig = read_config(json.loads(args["model_config"]))
            path = locate(Path(args["model_repository"]) / version, self._config.filename)
            session = open_session(path, self._config)
            validate(self._config, session)
        except UnservableModelError as error:
            raise UnservableModelError(f"model '{model}' version {version}: {error}.") from None
        self._instance = args["model_instance_name"]
        self._text_inputs = {t.name for t in self._config.inputs if t.data_type == "TYPE_STRING"}
        self._output_names = tuple(tensor.name for tensor in self._config.outputs)
        self._run_seconds = 0.0
        self._executor = Executor(
            session,
            batched=self._config.max_batch_size > 0,
            options=run_options(self._config),
            on_fallback=self._log_fallback,
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch of requests; each gets its own response, whatever becomes of the others."""
        responses: list[Any] = [None] * len(requests)
        jobs: list[Job] = []
        places: list[int] = []
        for place, request in enumerate(requests):
            try:
                if self._run_seconds > _SLOW_RUN_SECONDS and request.is_cancelled():
                    responses[place] = _failure("the request was cancelled", pb_utils.TritonError.CANCELLED)
                    continue
                jobs.append(self._decode(request))
                places.append(place)
            except BadRequestError as error:
                responses[place] = _failure(str(error), pb_utils.TritonError.INVALID_ARG)
            except Exception as error:
                responses[place] = _failure(describe(error), pb_utils.TritonError.INTERNAL)
        if jobs:
            started = time.monotonic()
            outcomes = self._executor.run(jobs)
            self._run_seconds = time.monotonic() - started
            for place, job, outcome in zip(places, jobs, outcomes, strict=True):
                responses[place] = self._answer(job, outcome)
        return responses

    def _decode(self, request: Any) -> Job:
        feeds: dict[str, Array] = {}
        for tensor in request.inputs():
            name = tensor.name()
            array = tensor.as_numpy()
            feeds[name] = _text(name, array) if name in self._text_inputs else array
        wanted = request.requested_output_names()
        return Job(feeds, [name for name in self._output_names if name in wanted])

    def _answer(self, job: Job, outcome: dict[str, Array] | Exception) -> Any:
        if isinstance(outcome, InvalidArgument):
            # The values are at fault, not the server: an index out of range, a wrong length.
            return _failure(describe(outcome), pb_utils.TritonError.INVALID_ARG)
        if isinstance(outcome, Exception):
            return _failure(describe(outcome), pb_utils.TritonError.INTERNAL)
        try:
            tensors = [pb_utils.Tensor(name, outcome[name]) for name in job.outputs]
            return pb_utils.InferenceResponse(output_tensors=tensors)
        except Exception as error:
            return _failure(describe(error), pb_utils.TritonError.INTERNAL)

    def _log_fallback(self, jobs: int, error: Exception) -> None:
        pb_utils.Logger.log_warn(
            f"{self._instance}: a batch of {jobs} requests failed and is run one by one: {describe(error)}"
        )


def _text(name: str, array: Array) -> Array:
    """Decode a BYTES tensor: ONNX Runtime takes its strings as UTF-8 text."""
    try:
        flat = [item.decode() if isinstance(item, bytes) else item for item in array.ravel()]
    except UnicodeDecodeError:
        raise BadRequestError(
            f"input '{name}' has an element that is not UTF-8 text; send text only"
        ) from None
    decoded = np.empty(len(flat), dtype=np.object_)
    decoded[:] = flat
    return decoded.reshape(array.shape)


def _failure(text: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))

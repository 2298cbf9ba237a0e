"""What this backend reads from the effective `config.pbtxt` (the JSON Triton hands to a model process)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import UnservableModelError


@dataclass(frozen=True)
class TensorConfig:
    """One `input` or `output` entry.

    Attributes:
        name: name of the tensor.
        data_type: e.g. `TYPE_FP32`.
        dims: shape the *model* sees without the batch dimension, -1 where it may vary; `reshape` is
            already applied, as Triton applies it to the tensors themselves.
        optional: whether a request may leave it out.
    """

    name: str
    data_type: str
    dims: tuple[int, ...]
    optional: bool


@dataclass(frozen=True)
class BackendConfig:
    """The parts of a model's configuration this backend obeys.

    Attributes:
        model: name of the model.
        max_batch_size: 0 when `dims` are whole shapes.
        inputs: the configured inputs.
        outputs: the configured outputs.
        instances: number of model processes that will share this machine's processors.
        graph_level: `optimization.graph.level`; 0 when absent.
        parameters: `parameters`, key → string value.
        filename: name of the model file inside a version folder.
    """

    model: str
    max_batch_size: int
    inputs: tuple[TensorConfig, ...]
    outputs: tuple[TensorConfig, ...]
    instances: int
    graph_level: int
    parameters: Mapping[str, str]
    filename: str


def read_config(config: Mapping[str, Any]) -> BackendConfig:
    """Read the effective configuration.

    Args:
        config: the decoded `model_config` argument of `initialize`.

    Raises:
        UnservableModelError: it lacks what must be written out, or asks for what this backend cannot do.
    """
    _refuse_unsupported(config)
    inputs = tuple(_tensor(entry) for entry in config.get("input", []))
    outputs = tuple(_tensor(entry) for entry in config.get("output", []))
    if not inputs or not outputs:
        raise UnservableModelError(
            "config.pbtxt must list every input and output of the model; the embedded Triton does not "
            "complete a partial configuration"
        )
    optimization = config.get("optimization") or {}
    return BackendConfig(
        model=str(config["name"]),
        max_batch_size=int(config.get("max_batch_size", 0)),
        inputs=inputs,
        outputs=outputs,
        instances=sum(int(group.get("count", 1)) for group in config.get("instance_group", [])) or 1,
        graph_level=int((optimization.get("graph") or {}).get("level", 0)),
        parameters={
            key: str(value["string_value"]) for key, value in (config.get("parameters") or {}).items()
        },
        filename=config.get("default_model_filename") or "model.onnx",
    )


def _tensor(entry: Mapping[str, Any]) -> TensorConfig:
    reshape = entry.get("reshape")
    dims = entry["dims"] if reshape is None else reshape.get("shape", [])
    return TensorConfig(
        name=str(entry["name"]),
        data_type=str(entry["data_type"]),
        dims=tuple(int(dim) for dim in dims),
        optional=bool(entry.get("optional", False)),
    )


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    native = "remove it from config.pbtxt, or serve the model with NVIDIA's container"
    if (config.get("model_transaction_policy") or {}).get("decoupled"):
        raise UnservableModelError(
            f"an onnxruntime model answers each request once and cannot be decoupled; {native}"
        )
    if config.get("sequence_batching"):
        raise UnservableModelError(
            f"the embedded Triton does not support sequence_batching for onnxruntime; {native}"
        )
    if config.get("batch_input") or config.get("batch_output"):
        raise UnservableModelError(
            f"the embedded Triton does not support batch_input and batch_output for onnxruntime; {native}"
        )
    for entry in config.get("input", []):
        if entry.get("allow_ragged_batch"):
            raise UnservableModelError(
                f"input '{entry['name']}': the embedded Triton does not support allow_ragged_batch; {native}"
            )
    accelerators = (config.get("optimization") or {}).get("execution_accelerators") or {}
    for accelerator in accelerators.get("cpu_execution_accelerator", []):
        # As in an image built without it, where the native backend refuses the model too.
        raise UnservableModelError(
            f"the embedded Triton has no CPU execution accelerator '{accelerator.get('name')}'; {native}"
        )

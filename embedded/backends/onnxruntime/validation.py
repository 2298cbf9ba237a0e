"""Checks at load that `config.pbtxt` and the model agree, by the rules of the native backend.

What the native backend refuses is refused here, so that a repository that loads on the embedded Triton
also loads in NVIDIA's container.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import onnxruntime as ort

from .datatypes import check_datatype
from .errors import UnservableModelError
from .model_config import BackendConfig, TensorConfig


class ModelTensor(Protocol):
    """A tensor as ONNX Runtime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


def validate(config: BackendConfig, session: ort.InferenceSession) -> None:
    """Compare the configuration with the loaded model.

    Raises:
        UnservableModelError: names, datatypes, ranks or dims differ, or inputs are missing.
    """
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    # An input with a default value in the model may be left out of the configuration or be optional.
    defaults = {tensor.name: tensor for tensor in session.get_overridable_initializers()}
    outputs = {tensor.name: tensor for tensor in session.get_outputs()}

    missing = sorted(inputs.keys() - {tensor.name for tensor in config.inputs})
    if missing:
        raise UnservableModelError(
            f"the model has {len(inputs)} inputs and config.pbtxt leaves out {_names(missing)}; list every "
            "input of the model"
        )
    for tensor in config.inputs:
        _check_optional(config, tensor, inputs)
        _check_tensor(config, "input", tensor, inputs | defaults)
    for tensor in config.outputs:
        _check_tensor(config, "output", tensor, outputs)


def _check_optional(config: BackendConfig, tensor: TensorConfig, inputs: dict[str, ModelTensor]) -> None:
    if tensor.optional and config.max_batch_size > 0:
        raise UnservableModelError(
            f"input '{tensor.name}' cannot be optional while max_batch_size is {config.max_batch_size}; "
            "remove optional, or set max_batch_size: 0"
        )
    if tensor.optional and tensor.name in inputs:
        raise UnservableModelError(
            f"input '{tensor.name}' is optional in config.pbtxt but the model has no default value for it; "
            "remove optional"
        )


def _check_tensor(
    config: BackendConfig, kind: str, tensor: TensorConfig, model: dict[str, ModelTensor]
) -> None:
    found = model.get(tensor.name)
    if found is None:
        raise UnservableModelError(
            f"{kind} '{tensor.name}' of config.pbtxt is not in the model, which has {_names(sorted(model))}; "
            "use the model's names"
        )
    check_datatype(kind, tensor.name, tensor.data_type, found.type)
    shape = [dim if isinstance(dim, int) else -1 for dim in found.shape]
    if config.max_batch_size > 0:
        _check_batch_dimension(config, kind, tensor, shape)
        _check_dims(kind, tensor, shape[1:], batched=True)
    else:
        _check_dims(kind, tensor, shape, batched=False)


def _check_batch_dimension(config: BackendConfig, kind: str, tensor: TensorConfig, shape: list[int]) -> None:
    if not shape or shape[0] != -1:
        raise UnservableModelError(
            f"{kind} '{tensor.name}' has shape {shape} in the model, whose first dimension is not dynamic, "
            f"so it cannot be batched although max_batch_size is {config.max_batch_size}; export it with "
            "a dynamic batch dimension, or set max_batch_size: 0 and write whole shapes in dims"
        )


def _check_dims(kind: str, tensor: TensorConfig, shape: list[int], *, batched: bool) -> None:
    dims = list(tensor.dims)
    without = " without its batch dimension" if batched else ""
    if len(dims) != len(shape):
        raise UnservableModelError(
            f"{kind} '{tensor.name}' has {len(dims)} dims {dims} in config.pbtxt, but the model's shape"
            f"{without} is {shape}; write dims: {shape}"
        )
    for configured, actual in zip(dims, shape, strict=True):
        # A dynamic dimension of an input takes any configured size; outputs must be exact, because
        # nothing guarantees the size the configuration would promise.
        accepted = configured == actual or (kind == "input" and actual == -1)
        if not accepted:
            raise UnservableModelError(
                f"{kind} '{tensor.name}' has dims {dims} in config.pbtxt, but the model's shape{without} is "
                f"{shape}; write dims: {shape}"
            )


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)

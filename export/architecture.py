"""The trained PyTorch model: its class from an import path, its weights from a checkpoint."""

import traceback
from importlib import import_module
from typing import Any

import torch
from torch import nn

from export.checkpoint import read_checkpoint
from export.conversion import Job
from export.errors import ArchitectureError, CheckpointError


def load_model(job: Job) -> nn.Module:
    """Import, construct, fill with the checkpoint, switch to evaluation.

    Raises:
        ArchitectureError: the class cannot be imported or constructed.
        CheckpointError: the weights are refused or do not fit.
    """
    model = _construct(job.spec.architecture, job.spec.arguments)
    weights = read_checkpoint(job.checkpoint)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{job.checkpoint} does not fit {job.spec.architecture}: {_words(error)}; "
            "train again, or give the `arguments` the checkpoint was trained with"
        ) from error
    return model.eval().requires_grad_(requires_grad=False)


def run_reference(model: nn.Module, names: list[str], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs of the model, in the order of the spec.

    Raises:
        ArchitectureError: the forward pass fails or returns another number of outputs.
    """
    try:
        with torch.inference_mode():
            answer = model(*inputs)
    except Exception as error:
        shapes = ", ".join(f"{list(tensor.shape)} {tensor.dtype}" for tensor in inputs)
        raise ArchitectureError(
            f"the forward pass failed on inputs of shape {shapes}: {_last_line(error)}; "
            "correct `inputs` in the spec (dims leave out the batch) or the architecture"
        ) from error
    return outputs_in_order(answer, names)


def outputs_in_order(answer: Any, names: list[str]) -> list[torch.Tensor]:
    """What `forward` returned (one tensor, a sequence, or a mapping by output name) as a list.

    Raises:
        ArchitectureError: it does not match the outputs of the spec.
    """
    if isinstance(answer, dict):
        if set(answer) != set(names):
            raise ArchitectureError(
                f"the forward pass returns {sorted(answer)} and the spec names {sorted(names)}; "
                "use the same names"
            )
        answer = [answer[name] for name in names]
    tensors = list(answer) if isinstance(answer, tuple | list) else [answer]
    if len(tensors) != len(names) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise ArchitectureError(
            f"the forward pass returns {len(tensors)} values and the spec names {len(names)} outputs; "
            "return one tensor for each output, in the order of the spec"
        )
    return tensors


class OrderedOutputs(nn.Module):
    """The model with its outputs as a tuple in the order of the spec, whatever `forward` returns."""

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Outputs in the order of the spec."""
        return tuple(outputs_in_order(self.model(*inputs), self.names))


def _construct(import_path: str, arguments: dict[str, Any]) -> nn.Module:
    module_name, _, name = import_path.partition(":")
    try:
        factory = getattr(import_module(module_name), name)
    except Exception as error:
        raise ArchitectureError(
            f"cannot import architecture {import_path}: {_last_line(error)}; "
            "it is looked for on the Python path, in the working directory and beside the spec"
        ) from error
    try:
        model = factory(**arguments)
    except Exception as error:
        raise ArchitectureError(
            f"cannot construct {import_path} with arguments {arguments}: {_last_line(error)}; "
            "correct `arguments` in the spec"
        ) from error
    if not isinstance(model, nn.Module):
        raise ArchitectureError(
            f"{import_path} makes a {type(model).__name__}, not a torch.nn.Module; "
            "name a module class or a function that returns a module"
        )
    return model


def _words(error: Exception) -> str:
    """The message on one line, without torch's heading."""
    return " ".join(str(error).partition(":\n")[2].split()).rstrip(".") or str(error)


def _last_line(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()

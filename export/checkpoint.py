"""Trained weights from a file that cannot run code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from export.errors import CheckpointError


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _read_state_dict(path: Path) -> Any:
    # weights_only refuses every pickle instruction that could call something.
    return torch.load(path, map_location="cpu", weights_only=True)


READERS: Mapping[str, Callable[[Path], Any]] = MappingProxyType(
    {".safetensors": _read_safetensors, ".pt": _read_state_dict, ".pth": _read_state_dict}
)
"""Reader of every accepted file name suffix."""


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint.

    Raises:
        CheckpointError: missing, of a refused kind, broken, or not a state dict.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CheckpointError(
            f"{path} is not an accepted checkpoint: a pickle can run code; save the weights as .safetensors, "
            "or as .pt/.pth with torch.save(model.state_dict(), path)"
        )
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; train the model first, or pass --checkpoint")
    try:
        weights = reader(path)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"cannot read {path} as weights: {reason}; save it with torch.save(model.state_dict(), path) "
            "or as .safetensors"
        ) from error
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise CheckpointError(
            f"{path} holds no state dict; save it with torch.save(model.state_dict(), path)"
        )
    return weights

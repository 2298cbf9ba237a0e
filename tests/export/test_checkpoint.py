import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from export.checkpoint import read_checkpoint
from export.errors import CheckpointError
from tests.export.tiny_models import Affine
from tests.export.workshop import Workshop


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_both_accepted_kinds_give_the_same_weights(workshop: Workshop) -> None:
    safe = read_checkpoint(workshop.checkpoint())
    plain = workshop.folder / "affine.pt"
    torch.save(safe, plain)
    again = read_checkpoint(plain)
    assert safe.keys() == again.keys() == Affine().state_dict().keys()
    assert all(torch.equal(safe[name], again[name]) for name in safe)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".bin", ".safetensors", ""])
def test_a_pickle_never_runs(tmp_path: Path, suffix: str) -> None:
    path, canary = tmp_path / f"weights{suffix}", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"weight": _Canary(canary)}))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    torch.save({"weight": _Canary(canary)}, path)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not canary.exists()


def test_a_whole_module_is_no_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "module.pt"
    torch.save(Affine(), path)
    with pytest.raises(CheckpointError, match="state_dict"):
        read_checkpoint(path)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*none\.safetensors"):
        read_checkpoint(path)
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match="cannot read"):
        read_checkpoint(path)


def test_weights_of_another_model_are_refused(workshop: Workshop) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit .*Affine: size mismatch for linear.weight"):
        workshop.convert(arguments={"outputs": 5})

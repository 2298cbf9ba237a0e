"""Golden requests: what this version must answer wherever it is loaded, in `golden.json`.

The gateway sends them before a version may serve. Their answers are PyTorch's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.architecture import run_reference
from export.conversion import Job
from export.durable import disk_errors
from export.example_inputs import random_inputs
from export.spec import Spec, Tensor

FILE = "golden.json"
FORMAT_VERSION = 1
# Other hardware rounds otherwise (TF32 keeps 10 bits of a factor). A golden request finds wrong weights or a
# broken file; small differences are what the parity gate is for.
_LOOSE = 0.01
# As text this is about 10 MB; the gateway reads up to 16.
_MAX_ELEMENTS = 500_000
# Other values than those of the parity gate.
_DRAW = 1_000


def write_golden(model: nn.Module, job: Job) -> Path | None:
    """Write one request of a single row and one of two.

    Returns:
        The file; None when the tensors are too large to be written as text.

    Raises:
        RepositoryWriteError: the disk refused.
    """
    spec = job.spec
    requests = [_request(model, spec, batch) for batch in sorted({1, min(2, spec.max_batch_size)})]
    elements = sum(
        len(tensor["data"]) for request in requests for tensor in (*request["inputs"], *request["outputs"])
    )
    if elements > _MAX_ELEMENTS:
        return None
    path = job.artifact_dir / FILE
    with disk_errors(job.artifact_dir):
        path.write_text(json.dumps({"format_version": FORMAT_VERSION, "requests": requests}) + "\n")
    return path


def _request(model: nn.Module, spec: Spec, batch: int) -> dict[str, Any]:
    inputs = random_inputs(spec, batch, _DRAW)
    tensors = [torch.from_numpy(inputs[tensor.name]) for tensor in spec.inputs]
    answers = [
        answer.numpy() for answer in run_reference(model, [tensor.name for tensor in spec.outputs], tensors)
    ]
    largest = max(float(np.abs(answer.astype(np.float64)).max(initial=0.0)) for answer in answers)
    return {
        "inputs": [_tensor(tensor, inputs[tensor.name]) for tensor in spec.inputs],
        "outputs": [_tensor(tensor, answer) for tensor, answer in zip(spec.outputs, answers, strict=True)],
        "tolerance": {
            "atol": spec.tolerance.atol + _LOOSE * largest,
            "rtol": max(spec.tolerance.rtol, _LOOSE),
        },
    }


def _tensor(tensor: Tensor, array: NDArray[Any]) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(array.shape),
        "data": array.ravel().tolist(),
    }

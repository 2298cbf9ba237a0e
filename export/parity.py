"""The parity gate: the artifact answers as PyTorch does, and a row does not depend on its neighbours."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.architecture import run_reference
from export.conversion import ParityRow
from export.errors import GateError
from export.example_inputs import random_inputs
from export.spec import Spec

Arrays = list[NDArray[Any]]
# Several draws, because one random row can miss a branch of the graph.
_DRAWS = 4
# Rows asked one by one in the batch invariance check.
_ALONE = 8


def check_parity(path: Path, model: nn.Module, spec: Spec) -> tuple[ParityRow, ...]:
    """Compare ONNX Runtime with PyTorch at batch 1, 2 and max.

    Returns:
        The worst difference of every output at every batch size.

    Raises:
        GateError: a difference above the tolerance, another shape, a NaN or an infinity.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise GateError(
            f"the parity gate refused {path.name}: ONNX Runtime cannot load it: {error}"
        ) from error
    batches = sorted({1, min(2, spec.max_batch_size), spec.max_batch_size})
    rows = [row for batch in batches for row in _against_pytorch(session, model, spec, batch)]
    return (*rows, *_against_single_rows(session, spec))


def _against_pytorch(session: Any, model: nn.Module, spec: Spec, batch: int) -> list[ParityRow]:
    names = [tensor.name for tensor in spec.outputs]
    worst: dict[str, ParityRow] = {}
    for draw in range(_DRAWS):
        inputs = random_inputs(spec, batch, draw)
        tensors = [torch.from_numpy(inputs[tensor.name]) for tensor in spec.inputs]
        reference = [tensor.numpy() for tensor in run_reference(model, names, tensors)]
        for row in compare(spec, "pytorch", reference, _run(session, names, inputs)):
            seen = worst.get(row.output)
            worst[row.output] = row if seen is None else _worse(seen, row)
    return list(worst.values())


def _against_single_rows(session: Any, spec: Spec) -> Iterator[ParityRow]:
    """Triton merges requests of different callers: nobody's answer may change by who came along."""
    names = [tensor.name for tensor in spec.outputs]
    inputs = random_inputs(spec, spec.max_batch_size, 0)
    together = [array[:_ALONE] for array in _run(session, names, inputs)]
    singles = [
        _run(session, names, {name: array[row : row + 1] for name, array in inputs.items()})
        for row in range(min(_ALONE, spec.max_batch_size))
    ]
    alone = [np.concatenate(parts) for parts in zip(*singles, strict=True)]
    yield from compare(spec, "alone", alone, together)


def compare(spec: Spec, reference: str, expected: Arrays, found: Arrays) -> Iterator[ParityRow]:
    """Compare the outputs of one batch, in the order of the spec.

    Args:
        spec: names the outputs and the tolerance.
        reference: `pytorch` or `alone`; see `ParityRow`.
        expected: arrays [batch, ...] of the reference.
        found: arrays [batch, ...] of the artifact.

    Raises:
        GateError: at the first output that misses.
    """
    for output, wanted, got in zip(spec.outputs, expected, found, strict=True):
        place = f"the parity gate refused output {output.name} at batch {len(wanted)}"
        if wanted.shape != got.shape:
            raise GateError(
                f"{place}: shape {list(got.shape)} instead of {list(wanted.shape)}; check the spec"
            )
        for who, array in ((_REFERENCES[reference], wanted), ("the artifact", got)):
            bad = int(array.size - np.count_nonzero(np.isfinite(array)))
            if bad:
                raise GateError(
                    f"{place}: {who} has {bad} values that are NaN or infinite, allowed 0; "
                    "correct the weights, or narrow `range` of the inputs to what the model accepts"
                )
        yield _measure(place, spec, output.name, reference, wanted, got)


_REFERENCES = {"pytorch": "PyTorch", "alone": "the artifact on single rows"}
_ADVICE = {
    "pytorch": "look for randomness or training behaviour in the forward pass, or widen `tolerance`",
    "alone": "the answer to a row must not depend on the other rows of its batch",
}


def _measure(
    place: str, spec: Spec, name: str, reference: str, wanted: NDArray[Any], got: NDArray[Any]
) -> ParityRow:
    inexact = np.issubdtype(wanted.dtype, np.floating)
    atol, rtol = (spec.tolerance.atol, spec.tolerance.rtol) if inexact else (0.0, 0.0)
    magnitude = np.abs(wanted.astype(np.float64))
    difference = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    counted = magnitude > atol
    max_abs = float(difference.max(initial=0.0))
    max_rel = float((difference[counted] / magnitude[counted]).max(initial=0.0))
    misses = int(np.count_nonzero(difference > atol + rtol * magnitude))
    if misses:
        raise GateError(
            f"{place}: {misses} of {wanted.size} values differ from {_REFERENCES[reference]} by more than "
            f"atol {atol:g} + rtol {rtol:g}; measured max abs {max_abs:.3g}, max rel {max_rel:.3g}; "
            f"{_ADVICE[reference]}"
        )
    return ParityRow(name, len(wanted), reference, max_abs, max_rel, atol, rtol)


def _worse(first: ParityRow, second: ParityRow) -> ParityRow:
    return ParityRow(
        first.output,
        first.batch,
        first.reference,
        max(first.max_abs, second.max_abs),
        max(first.max_rel, second.max_rel),
        first.atol,
        first.rtol,
    )


def _run(session: Any, names: Sequence[str], inputs: dict[str, NDArray[np.generic]]) -> Arrays:
    try:
        return list(session.run(list(names), inputs))
    except Exception as error:
        rows = len(next(iter(inputs.values())))
        raise GateError(
            f"the parity gate refused the artifact: ONNX Runtime fails at batch {rows}: {error}"
        ) from error

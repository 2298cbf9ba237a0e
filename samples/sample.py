"""What a sample is and what training it returns. Imports nothing heavy: the command line lists samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


@dataclass(frozen=True)
class Sample:
    """One sample model: where its export spec lies and what trains it.

    Attributes:
        name: name of the sample and of the model it becomes.
        description: one line for listings.
        spec: export spec, an absolute path inside this package.
        trainer: import path `module:function` of a `Trainer`.
        seed: seed of the data split, the initial weights and the order of the batches.
        epochs: passes over the training data of a full run.
    """

    name: str
    description: str
    spec: Path
    trainer: str
    seed: int
    epochs: int


@dataclass(frozen=True)
class Trained:
    """What a trainer hands back.

    Attributes:
        weights: the state dict, name to CPU tensor.
        score_name: `accuracy` or `r2`.
        score: the score on the held-out rows.
        metrics: every further number measured on the held-out rows.
        data: where the rows come from and how many were trained on and held out.
    """

    weights: Mapping[str, Any]
    score_name: str
    score: float
    metrics: Mapping[str, float]
    data: Mapping[str, object]


@dataclass(frozen=True)
class TrainingResult:
    """A checkpoint on disk, freshly trained or found up to date.

    Attributes:
        name: name of the sample.
        checkpoint: the `.safetensors` file.
        metadata: the `.training.json` file beside it.
        score_name: `accuracy` or `r2`.
        score: the score on the held-out rows.
        seconds: wall-clock time of the training; 0.0 when it was skipped.
        skipped: true when the checkpoint was there and still belongs to these sources and this seed.
    """

    name: str
    checkpoint: Path
    metadata: Path
    score_name: str
    score: float
    seconds: float
    skipped: bool


Trainer = Callable[[int, int, Progress], Trained]
"""`trainer(seed, epochs, progress)`; the same seed gives the same weights, bit by bit, on one machine."""

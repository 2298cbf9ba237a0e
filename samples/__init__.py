"""Sample models, trained on real data: the user's side of an export.

Each folder holds an architecture, its training, its export spec and its held-out score. This module
imports no torch, so that the command line can list the samples quickly.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from samples.build import train_sample
from samples.errors import MissingDependencyError, SampleError, UnknownSampleError
from samples.sample import Progress, Sample, TrainingResult

_HERE = Path(__file__).resolve().parent

SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "digits": Sample(
            name="digits",
            description="A CNN that reads handwritten digits shown as 28x28",
            spec=_HERE / "digits" / "export.yaml",
            trainer="samples.digits.train:train",
            seed=1,
            epochs=12,
        ),
        "diabetes": Sample(
            name="diabetes",
            description="An MLP that regresses diabetes progression from 10 measurements",
            spec=_HERE / "diabetes" / "export.yaml",
            trainer="samples.diabetes.train:train",
            seed=1,
            epochs=30,
        ),
    }
)


def train(
    name: str, checkpoint_dir: Path, *, progress: Progress | None = None, force: bool = False
) -> TrainingResult:
    """Train the sample of this name; see `samples.build.train_sample`.

    Raises:
        UnknownSampleError: no sample has that name.
        MissingDependencyError: the `samples` extra is not installed.
    """
    if name not in SAMPLES:
        raise UnknownSampleError(name, tuple(SAMPLES))
    return train_sample(SAMPLES[name], checkpoint_dir, progress=progress, force=force)


__all__ = [
    "SAMPLES",
    "MissingDependencyError",
    "Sample",
    "SampleError",
    "TrainingResult",
    "UnknownSampleError",
    "train",
]

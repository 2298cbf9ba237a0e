"""Training a sample into a checkpoint, unless an up-to-date one is there."""

import time
from importlib import import_module
from pathlib import Path

from samples.checkpoint import checkpoint_paths, read_current, write_checkpoint
from samples.errors import MissingDependencyError
from samples.sample import Progress, Sample, Trainer, TrainingResult


def train_sample(
    sample: Sample, checkpoint_dir: Path, *, progress: Progress | None = None, force: bool = False
) -> TrainingResult:
    """Train one sample and write `<name>.safetensors` and `<name>.training.json`.

    Args:
        sample: what to train.
        checkpoint_dir: folder of the checkpoints; created when missing.
        progress: called with (epochs done, epochs in all).
        force: train even when the checkpoint is up to date.

    Raises:
        MissingDependencyError: the `samples` extra is not installed.
    """
    weights, metadata = checkpoint_paths(checkpoint_dir, sample.name)
    recorded = None if force else read_current(sample, checkpoint_dir)
    if recorded is not None:
        score_name = str(recorded["score_name"])
        score = float(recorded["held_out"][score_name])
        return TrainingResult(sample.name, weights, metadata, score_name, score, 0.0, skipped=True)
    started = time.monotonic()
    trained = _load_trainer(sample.trainer)(sample.seed, sample.epochs, progress or _silent)
    seconds = time.monotonic() - started
    write_checkpoint(sample, trained, seconds, checkpoint_dir)
    return TrainingResult(
        sample.name, weights, metadata, trained.score_name, trained.score, seconds, skipped=False
    )


def _load_trainer(import_path: str) -> Trainer:
    module, _, function = import_path.partition(":")
    try:
        trainer: Trainer = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or module) from error
    return trainer


def _silent(_done: int, _total: int) -> None:
    """Progress of a caller who asked for none."""

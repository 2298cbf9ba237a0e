"""Sample models from training to a published version: `samples` trains, `export` publishes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from export import ExportError, ExportResult, ModelRepository, export_model
from samples import SAMPLES, SampleError, TrainingResult, UnknownSampleError, train
from tidegate.errors import CommandError
from tidegate.output import err, progress_bar
from tidegate.state import StateDirectory

# Quick to build; what `make up` brings. `tidegate samples build --all` builds every sample.
DEFAULT_SAMPLES = ("digits", "diabetes")


def build_missing(state: StateDirectory, repository: Path) -> None:
    """Train and export the default samples that have no version in the repository yet.

    Raises:
        CommandError: when it failed; why was printed.
    """
    published = ModelRepository(repository).models()
    missing = [name for name in DEFAULT_SAMPLES if name not in published]
    if not missing:
        return
    err.print(f"Building the sample models that are not there yet: {', '.join(missing)}")
    # In a process of its own: what torch takes would stay with this one for as long as the stack runs.
    options = ["--repository", str(repository), "--state-dir", str(state.path)]
    command = [sys.executable, "-m", "tidegate", "samples", "build", *missing, *options]
    with subprocess.Popen(command) as builder:
        try:
            failed = builder.wait() != 0
        except KeyboardInterrupt:
            builder.terminate()
            raise
    if failed:
        raise CommandError(
            "The sample models were not built, see above; start again, or leave them out with --no-samples."
        )


def build(
    names: Sequence[str], state: StateDirectory, repository: Path, *, retrain: bool = False
) -> list[ExportResult]:
    """Train each sample if its checkpoint is not up to date, then export it as a new version.

    Args:
        names: names from `samples.SAMPLES`.
        state: where the checkpoints are kept.
        repository: the model repository.
        retrain: train even when the checkpoint is up to date.

    Raises:
        CommandError: for an unknown name, or when a training or an export fails.
    """
    for name in names:
        if name not in SAMPLES:
            raise CommandError(str(UnknownSampleError(name, tuple(SAMPLES))))
    state.create()
    results = []
    for name in names:
        try:
            trained = _train(name, state.checkpoints, retrain=retrain)
            err.print(f"[bold]{name}[/bold]: held-out {trained.score_name} {trained.score:.4f}")
            results.append(export_with_progress(SAMPLES[name].spec, repository, state, trained.checkpoint))
        except (SampleError, ExportError) as error:
            raise CommandError(f"The sample {name} could not be built: {error}") from error
    return results


def _train(name: str, checkpoints: Path, *, retrain: bool) -> TrainingResult:
    with progress_bar() as bar:
        task = bar.add_task(f"training {name} (epochs)", total=SAMPLES[name].epochs)
        return train(
            name,
            checkpoints,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            force=retrain,
        )


def export_with_progress(
    spec: Path, repository: Path, state: StateDirectory, checkpoint: Path | None
) -> ExportResult:
    """Run one export, showing its steps.

    Raises:
        ExportError: when a step or a gate fails; nothing is published then.
    """
    label = spec.parent.name if spec.stem == "export" else spec.stem
    with progress_bar() as bar:
        task = bar.add_task(f"exporting {label}", total=None)
        return export_model(
            spec,
            repository,
            checkpoint=checkpoint,
            state_dir=state.path,
            progress=lambda step, done, total: bar.update(
                task, description=f"exporting {label}: {step}", completed=done, total=total
            ),
        )

"""One export from end to end: read → load → export → check → parity → write → publish."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.durable import disk_errors
from export.repository import CONFIG, ModelRepository
from export.staging import Stage, staging

if TYPE_CHECKING:
    from export.conversion import Conversion, ParityRow
    from export.publish import Publication
    from export.spec_file import SpecFile

Progress = Callable[[str, int, int], None]
"""Called with (step, steps done, steps in all) when a step starts and when it ends."""

STEPS = ("load", "export", "check", "parity", "write", "publish")


@dataclass(frozen=True)
class ExportResult:
    """A published version.

    Attributes:
        model: name of the model.
        version: the new version.
        path: its directory in the model repository.
        parity: the measured differences to PyTorch.
        sizes: file name to bytes.
        seconds: duration of every step.
    """

    model: str
    version: int
    path: Path
    parity: "tuple[ParityRow, ...]"
    sizes: Mapping[str, int]
    seconds: Mapping[str, float]


def export_model(
    spec: Path,
    repository: Path,
    *,
    checkpoint: Path | None = None,
    state_dir: Path | None = None,
    version: int | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Export one model and publish it as a new version.

    Args:
        spec: the YAML spec.
        repository: the model repository; created when missing.
        checkpoint: overrides the spec's `checkpoint`; relative to the working directory.
        state_dir: value of `${STATE_DIR}` in the spec; by default `TIDEGATE_STATE_DIR`, else `.tidegate`.
        version: the version to publish; the next free one by default.
        progress: called when a step starts and when it ends.

    Raises:
        UserError: the spec, the model or the repository has to change. Nothing was published.
        ToolError: a crash or a disk error. Nothing was published.
    """
    # pydantic, protobuf and numpy stay out of the way of callers that only list models.
    from export.child import run_conversion
    from export.conversion import Job
    from export.spec_file import read_spec

    source = read_spec(spec, checkpoint=checkpoint, state_dir=state_dir)
    labels = _read_labels(source)
    meter = _Meter(progress)
    with staging(repository) as stage:
        search_path = (str(Path.cwd()), str(source.path.parent))
        job = Job(source.spec, source.checkpoint, stage.version.absolute(), search_path)
        conversion = run_conversion(job, stage.root / "conversion.log", meter.start)
        meter.start("write")
        with disk_errors(repository):
            _write_config(stage, source, labels)
        meter.start("publish")
        publication = _publish(ModelRepository(repository), stage, source, conversion, version)
        meter.finish()
    return ExportResult(
        model=publication.model,
        version=publication.version,
        path=publication.path,
        parity=conversion.parity,
        sizes={path.name: path.stat().st_size for path in sorted(publication.path.iterdir())},
        seconds=meter.seconds,
    )


def _read_labels(source: "SpecFile") -> dict[str, tuple[str, bytes]]:
    """Output name to the name and content of its labels file."""
    from export.labels import labels_file_name, read_labels

    found = {}
    for output in source.spec.outputs:
        if output.name in source.labels:
            content = read_labels(source.labels[output.name], output)
            found[output.name] = labels_file_name(output, content), content
    return found


def _write_config(stage: Stage, source: "SpecFile", labels: Mapping[str, tuple[str, bytes]]) -> None:
    from export.config import config_text
    from export.durable import write_new

    for name, content in labels.values():
        write_new(stage.version / name, content)
    text = config_text(source.spec, {output: name for output, (name, _) in labels.items()})
    write_new(stage.version / CONFIG, text.encode())


def _publish(
    repository: ModelRepository,
    stage: Stage,
    source: "SpecFile",
    conversion: "Conversion",
    version: int | None,
) -> "Publication":
    from export.manifest import manifest_writer
    from export.publish import publish

    manifest = manifest_writer(stage.version, source, conversion)
    return publish(repository, stage, source.spec.model, manifest, version=version)


class _Meter:
    """Measures the steps and passes them on."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress or (lambda _step, _done, _total: None)
        self._current: tuple[str, float] | None = None

    def start(self, step: str) -> None:
        self.finish()
        self._current = step, time.monotonic()
        self._progress(step, len(self.seconds), len(STEPS))

    def finish(self) -> None:
        if self._current is None:
            return
        step, begun = self._current
        self.seconds[step] = round(time.monotonic() - begun, 3)
        self._current = None
        self._progress(step, len(self.seconds), len(STEPS))

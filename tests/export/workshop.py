"""Makes specs and checkpoints of tiny models, and stages that need no conversion."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from export.config import config_text
from export.conversion import Conversion, Job, ParityRow
from export.durable import disk_errors, write_new
from export.manifest import manifest_writer
from export.publish import Publication, publish
from export.repository import CONFIG, LABELS_SUFFIX, ModelRepository
from export.spec import Spec
from export.spec_file import SpecFile, read_spec
from export.staging import Stage, staging

AFFINE: dict[str, Any] = {
    "model": "affine",
    "architecture": "tests.export.tiny_models:Affine",
    "checkpoint": "affine.safetensors",
    "inputs": [{"name": "x", "datatype": "FP32", "dims": [3]}],
    "outputs": [{"name": "y", "datatype": "FP32", "dims": [2]}],
    "max_batch_size": 8,
}


@dataclass(frozen=True)
class Workshop:
    """A folder to write specs and checkpoints into."""

    folder: Path

    def spec(self, **changes: Any) -> Path:
        """A spec file: the affine model with these fields changed; None removes a field."""
        fields = {name: value for name, value in {**AFFINE, **changes}.items() if value is not None}
        path = self.folder / "export.yaml"
        path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
        return path

    def checkpoint(self, architecture: str = "Affine", **arguments: Any) -> Path:
        """Seeded weights of a tiny model, where `spec` expects them."""
        import torch
        from safetensors.torch import save_file

        from tests.export import tiny_models

        torch.manual_seed(7)
        path = self.folder / "affine.safetensors"
        save_file(getattr(tiny_models, architecture)(**arguments).state_dict(), path)
        return path

    def convert(self, architecture: str = "Affine", **changes: Any) -> Conversion:
        """Run the real conversion in this process: the child's start-up is tested once elsewhere."""
        self.checkpoint(architecture)
        return self.convert_with({"architecture": f"tests.export.tiny_models:{architecture}", **changes})

    def convert_with(self, changes: dict[str, Any]) -> Conversion:
        """The same with the weights of `Affine`, unless others are there."""
        from export.worker import convert

        if not (self.folder / "affine.safetensors").exists():
            self.checkpoint()
        source = read_spec(self.spec(**changes))
        artifact_dir = self.folder / "artifact"
        artifact_dir.mkdir(exist_ok=True)
        return convert(Job(source.spec, source.checkpoint, artifact_dir, ()), lambda _step: None)


def fill_stage(stage: Stage, *, artifact: bytes = b"artifact", delay: int = 500, dims: int = 2) -> Spec:
    """A version whose artifact is mere bytes: publishing never looks inside."""
    spec = Spec.model_validate(
        {
            **AFFINE,
            "outputs": [{"name": "y", "datatype": "FP32", "dims": [dims]}],
            "batching": {"max_queue_delay_microseconds": delay},
        }
    )
    labels = f"y.{delay:012d}{LABELS_SUFFIX}"
    write_new(stage.version / "model.onnx", artifact)
    write_new(stage.version / labels, b"no\nyes\n")
    write_new(stage.version / CONFIG, config_text(spec, {"y": labels}).encode())
    return spec


def manifest_of(stage: Stage, spec: Spec, folder: Path) -> Callable[[int], bytes]:
    """The manifest of a filled stage."""
    source = SpecFile(folder / "export.yaml", "", spec, folder / "affine.safetensors", None, {})
    row = ParityRow("y", 1, "pytorch", 0.0, 0.0, 1e-5, 1e-4)
    conversion = Conversion((row,), {"opset": 20}, {"file": "affine.safetensors"}, {}, {})
    return manifest_writer(stage.version, source, conversion)


def publish_tiny(repository: Path, *, version: int | None = None, **contents: Any) -> Publication:
    """Publish a version of the model `affine`; see `fill_stage`."""
    with staging(repository) as stage:
        with disk_errors(repository):
            spec = fill_stage(stage, **contents)
        manifest = manifest_of(stage, spec, repository)
        return publish(ModelRepository(repository), stage, spec.model, manifest, version=version)

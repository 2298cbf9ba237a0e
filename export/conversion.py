"""What the conversion process is asked for and what it answers, as JSON on its pipes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.spec import Spec


@dataclass(frozen=True)
class Job:
    """One conversion.

    Attributes:
        spec: what to convert.
        checkpoint: the trained weights.
        artifact_dir: where the artifact goes; it exists and is empty.
        search_path: folders the architecture may be imported from, after the Python path.
    """

    spec: Spec
    checkpoint: Path
    artifact_dir: Path
    search_path: tuple[str, ...]

    def dump(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "spec": self.spec.model_dump(mode="json"),
                "checkpoint": str(self.checkpoint),
                "artifact_dir": str(self.artifact_dir),
                "search_path": self.search_path,
            }
        )

    @classmethod
    def parse(cls, line: str) -> "Job":
        """The inverse of `dump`."""
        data = json.loads(line)
        return cls(
            Spec.model_validate(data["spec"]),
            Path(data["checkpoint"]),
            Path(data["artifact_dir"]),
            tuple(data["search_path"]),
        )


@dataclass(frozen=True)
class ParityRow:
    """How far the artifact is from its reference for one output at one batch size.

    Attributes:
        output: name of the output.
        batch: rows compared.
        reference: `pytorch`, or `alone` for the artifact's own answer to each row by itself.
        max_abs: largest absolute difference.
        max_rel: largest difference relative to the reference, over the elements above `atol`.
        atol: accepted absolute difference.
        rtol: accepted relative difference, on top.
    """

    output: str
    batch: int
    reference: str
    max_abs: float
    max_rel: float
    atol: float
    rtol: float


@dataclass(frozen=True)
class Conversion:
    """A converted model that passed every gate.

    Attributes:
        parity: the measured table.
        graph: facts about the artifact, such as opset and IR version.
        checkpoint: file name, SHA-256 and size of the weights it was made from.
        seconds: duration of every step.
        versions: versions of the tools that took part.
    """

    parity: tuple[ParityRow, ...]
    graph: Mapping[str, Any]
    checkpoint: Mapping[str, Any]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Conversion":
        """The inverse of `as_dict`."""
        rows = tuple(ParityRow(**row) for row in data["parity"])
        return cls(**{**data, "parity": rows})

"""Reading a spec from its YAML file: line numbers for every mistake, and the paths it names."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from export.errors import SpecError
from export.spec import Spec

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_MAX_BYTES = 1 << 20
# Aliases can make a short file describe an endless one.
_MAX_NODES = 10_000
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class SpecFile:
    """A spec together with the file it came from.

    Attributes:
        path: the YAML file, absolute.
        text: its content.
        spec: the checked fields.
        checkpoint: the trained weights, absolute.
        training: the training metadata to put into the manifest, or None.
        labels: output name to its absolute labels file.
    """

    path: Path
    text: str
    spec: Spec
    checkpoint: Path
    training: Path | None
    labels: Mapping[str, Path]


def read_spec(path: Path, *, checkpoint: Path | None = None, state_dir: Path | None = None) -> SpecFile:
    """Read and check a spec.

    Args:
        path: the YAML file; relative paths inside it are relative to its folder.
        checkpoint: overrides the file's `checkpoint`; relative to the working directory.
        state_dir: value of `${STATE_DIR}`; by default `TIDEGATE_STATE_DIR`, else `.tidegate`.

    Raises:
        SpecError: with file, line, field and what is allowed.
    """
    path = path.absolute()
    text = _read_text(path)
    data, lines = _parse(path, text)
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(_describe_all(path, error, lines))) from error
    state = state_dir or Path(os.environ.get("TIDEGATE_STATE_DIR", ".tidegate"))
    place = _Place(path, state.absolute(), lines)
    return SpecFile(
        path=path,
        text=text,
        spec=spec,
        checkpoint=checkpoint.absolute() if checkpoint else place.resolve(("checkpoint",), spec.checkpoint),
        training=place.resolve(("training",), spec.training) if spec.training else None,
        labels={
            output.name: place.existing(("outputs", index, "labels"), str(output.labels))
            for index, output in enumerate(spec.outputs)
            if output.labels is not None
        },
    )


@dataclass(frozen=True)
class _Place:
    """Where the paths of one spec file start from."""

    file: Path
    state_dir: Path
    lines: Mapping[Location, int]

    def resolve(self, where: Location, value: str) -> Path:
        for name in _VARIABLE.findall(value):
            if name != "STATE_DIR":
                raise SpecError(
                    f"{_position(self.file, where, self.lines)}: ${{{name}}} is not known; "
                    "only ${STATE_DIR} can be used in a path"
                )
        return (self.file.parent / value.replace("${STATE_DIR}", str(self.state_dir))).absolute()

    def existing(self, where: Location, value: str) -> Path:
        path = self.resolve(where, value)
        if not path.is_file():
            raise SpecError(
                f"{_position(self.file, where, self.lines)}: there is no file {path}; "
                "paths are relative to the folder of the spec"
            )
        return path


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_BYTES:
            raise SpecError(f"{path}: a spec is a small YAML file, this one has {len(raw)} bytes")
        return raw.decode("utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise SpecError(f"{path}: cannot read the spec ({reason}); give the path of a YAML file") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: the spec is not UTF-8 text; save it as UTF-8") from error


def _parse(path: Path, text: str) -> tuple[Any, dict[Location, int]]:
    """The data of a YAML document and the line of every node in it."""
    lines: dict[Location, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(node, yaml.MappingNode):
            raise SpecError(f"{path}:1: the spec must be a mapping of fields such as `model: digits`")
        _collect_lines(path, node, (), lines)
        return yaml.safe_load(text), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: this is not YAML: {error.problem}; correct the line") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"{path}: this is not YAML: {error}; correct the file") from error


def _collect_lines(path: Path, node: yaml.Node, where: Location, lines: dict[Location, int]) -> None:
    lines.setdefault(where, node.start_mark.line + 1)
    if len(lines) > _MAX_NODES:
        raise SpecError(f"{path}: a spec has no more than {_MAX_NODES} values; do not nest YAML aliases")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect_lines(path, item, (*where, index), lines)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*where, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                raise SpecError(
                    f"{path}:{line}: {_field(inner)} is given twice, first on line {lines[inner]}; keep one"
                )
            lines[inner] = line
            _collect_lines(path, value, inner, lines)


def _describe_all(path: Path, error: ValidationError, lines: Mapping[Location, int]) -> list[str]:
    details = error.errors()
    places = [tuple(detail["loc"]) for detail in details]
    # A list whose only item is wrong is reported as too short as well; the item's own mistake says it all.
    return [
        _describe(path, detail, lines)
        for detail, where in zip(details, places, strict=True)
        if detail["type"] != "too_short"
        or not any(len(other) > len(where) and other[: len(where)] == where for other in places)
    ]


def _describe(path: Path, detail: ErrorDetails, lines: Mapping[Location, int]) -> str:
    where = tuple(detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_fields(where[:-1])
        close = difflib.get_close_matches(str(where[-1]), allowed, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"allowed: {', '.join(allowed)}"
        message = f"unknown field; {hint}"
    elif detail["type"] == "missing":
        message = "this field is required; add it"
    elif detail["type"] == "string_pattern_mismatch":
        message = f"{detail['input']!r} must match {detail['ctx']['pattern']}"
    elif message.startswith("Input should be"):
        message = f"{detail['input']!r} is not allowed; it must be{message.removeprefix('Input should be')}"
    return f"{_position(path, where, lines)}: {message}"


def _allowed_fields(where: Location) -> list[str]:
    """The fields of the section at `where`."""
    section: Any = Spec
    for step in where:
        if isinstance(step, str):
            annotation = section.model_fields[step].annotation
            arguments = getattr(annotation, "__args__", ())
            section = arguments[0] if arguments else annotation
    return list(section.model_fields) if issubclass(section, BaseModel) else []


def _position(path: Path, where: Location, lines: Mapping[Location, int]) -> str:
    known = where
    while known and known not in lines:
        known = known[:-1]
    return f"{path}:{lines.get(known, 1)}: {_field(where)}".removesuffix(": ")


def _field(where: Location) -> str:
    dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return dotted.removeprefix(".")

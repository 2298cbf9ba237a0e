from pathlib import Path
from typing import Any

import pytest

from export.errors import SpecError
from export.spec_file import read_spec
from tests.export.workshop import AFFINE, Workshop


def _message(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    return caught.value.message.replace(str(path), "SPEC")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"modle": "x"}, "SPEC:15: modle: unknown field; did you mean `model`?"),
        ({"max_batch_size": None}, "SPEC:1: max_batch_size: this field is required; add it"),
        (
            {"inputs": [{"name": "x", "datatype": "FLOAT", "dims": [3]}]},
            "SPEC:6: inputs[0].datatype: 'FLOAT' is not a datatype; allowed: BOOL, UINT8, INT8, INT16, "
            "INT32, INT64, FP16, FP32, FP64",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "INT64", "dims": [3]}]},
            "SPEC:5: inputs[0]: an integer input needs `range: [low, high]`, the values the model accepts",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "INT8", "dims": [3], "range": [0, 128]}]},
            "SPEC:5: inputs[0]: `range` of an INT8 input holds two whole numbers, -128 to 127",
        ),
        (
            {"instances": {"count": True}},
            "SPEC:16: instances.count: True is not allowed; it must be a valid integer",
        ),
        (
            {"outputs": [{"name": "y", "datatype": "FP32", "dims": [2], "label": "a.txt"}]},
            "SPEC:14: outputs[0].label: unknown field; did you mean `labels`?",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "FP32", "dims": [-1]}]},
            "SPEC:8: inputs[0].dims[0]: -1 is not allowed; it must be greater than or equal to 1",
        ),
        (
            {"batching": {"max_queue_sise": 1}},
            "SPEC:16: batching.max_queue_sise: unknown field; did you mean `max_queue_size`?",
        ),
        (
            {"batching": {"preferred_batch_size": [9]}},
            "SPEC:1: batching.preferred_batch_size 9 is above max_batch_size 8",
        ),
        ({"target": "tensorrt"}, "SPEC:15: target: 'tensorrt' is not allowed; it must be 'onnx'"),
        (
            {"outputs": [{"name": "x", "datatype": "FP32", "dims": [2]}]},
            "SPEC:1: tensor names must be unique; x is used more than once",
        ),
        (
            {"architecture": "tests.export.tiny_models.Affine"},
            "SPEC:2: architecture: 'tests.export.tiny_models.Affine' must match "
            r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        ),
        (
            {"checkpoint": "${HOME}/weights.safetensors"},
            "SPEC:3: checkpoint: ${HOME} is not known; only ${STATE_DIR} can be used in a path",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(
    workshop: Workshop, changes: dict[str, Any], expected: str
) -> None:
    assert _message(workshop.spec(**changes)) == expected


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", "nul", "CON.1", "x" * 129, "a b", "modèle"])
def test_a_model_name_is_safe_as_a_path(workshop: Workshop, name: str) -> None:
    assert "is not a model name" in _message(workshop.spec(model=name))


def test_every_mistake_is_listed_at_once(workshop: Workshop) -> None:
    message = _message(workshop.spec(max_batch_size=0, warm_up="perhaps"))
    assert [line.split(": ")[1] for line in message.splitlines()] == ["max_batch_size", "warm_up"]


def test_a_field_given_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "export.yaml"
    path.write_text("model: a\nseed: 1\nmodel: b\n")
    assert _message(path) == "SPEC:3: model is given twice, first on line 1; keep one"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: [a\n", "SPEC:2: this is not YAML"),
        ("- model\n", "SPEC:1: the spec must be a mapping"),
        ("", "SPEC:1: the spec must be a mapping"),
        ("model: !!python/object/apply:os.system ['true']\n", "SPEC:1: this is not YAML"),
    ],
)
def test_what_is_no_spec_at_all(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "export.yaml"
    path.write_text(text)
    assert _message(path).startswith(expected)


def test_aliases_cannot_make_a_short_file_endless(tmp_path: Path) -> None:
    path = tmp_path / "export.yaml"
    levels = [f"{chr(97 + i)}: &{chr(97 + i)} [{', '.join([f'*{chr(96 + i)}'] * 9)}]" for i in range(1, 12)]
    path.write_text("a: &a [1]\n" + "\n".join(levels))
    assert _message(path) == "SPEC: a spec has no more than 10000 values; do not nest YAML aliases"
    path.write_text("model: &model\n  model: *model\n")
    assert _message(path).startswith("SPEC")


def test_small_numbers_may_be_written_as_people_do(workshop: Workshop) -> None:
    path = workshop.spec()
    path.write_text(path.read_text() + "tolerance: {atol: 1e-3, rtol: 1.0e-2}\n")
    tolerance = read_spec(path).spec.tolerance
    assert (tolerance.atol, tolerance.rtol) == (1e-3, 1e-2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    expected = "SPEC: cannot read the spec (No such file or directory); give the path of a YAML file"
    assert _message(tmp_path / "none.yaml") == expected


def test_paths_start_at_the_spec_and_the_state_directory(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_spec(workshop.spec()).checkpoint == workshop.folder / "affine.safetensors"
    path = workshop.spec(checkpoint="${STATE_DIR}/a.safetensors")
    assert read_spec(path, state_dir=Path("/state")).checkpoint == Path("/state/a.safetensors")
    monkeypatch.setenv("TIDEGATE_STATE_DIR", "/elsewhere")
    assert read_spec(path).checkpoint == Path("/elsewhere/a.safetensors")
    assert read_spec(path, checkpoint=Path("/mine.pt")).checkpoint == Path("/mine.pt")


def test_labels_must_exist(workshop: Workshop) -> None:
    outputs = [{**AFFINE["outputs"][0], "labels": "classes.txt"}]
    message = _message(workshop.spec(outputs=outputs))
    assert message.startswith("SPEC:14: outputs[0].labels: there is no file ")
    (workshop.folder / "classes.txt").write_text("no\nyes\n")
    assert read_spec(workshop.spec(outputs=outputs)).labels == {"y": workshop.folder / "classes.txt"}

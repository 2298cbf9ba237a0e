"""Every gate, with a real model that it has to refuse."""

from typing import Any

import pytest

from export.errors import ArchitectureError, ConversionError, ExportError, GateError
from tests.export.workshop import Workshop

X = {"name": "x", "datatype": "FP32", "dims": [3]}
Y = {"name": "y", "datatype": "FP32", "dims": [2]}


def test_an_honest_model_passes_with_its_measurements(workshop: Workshop) -> None:
    conversion = workshop.convert()
    assert [(row.output, row.batch, row.reference) for row in conversion.parity] == [
        ("y", 1, "pytorch"),
        ("y", 2, "pytorch"),
        ("y", 8, "pytorch"),
        ("y", 8, "alone"),
    ]
    assert all(row.max_abs < 1e-5 for row in conversion.parity)
    assert conversion.graph["opset"] <= 20
    assert conversion.graph["ir_version"] <= 10
    assert {path.name for path in (workshop.folder / "artifact").iterdir()} == {"model.onnx", "golden.json"}
    # The exporter would note source lines and folders of this machine on every node.
    assert b".py" not in (workshop.folder / "artifact" / "model.onnx").read_bytes()


def test_several_inputs_and_named_outputs_of_other_datatypes(workshop: Workshop) -> None:
    conversion = workshop.convert(
        "TwoByTwo",
        inputs=[
            {"name": "tokens", "datatype": "INT64", "dims": [5], "range": [0, 9]},
            {"name": "keep", "datatype": "BOOL", "dims": [5]},
        ],
        outputs=[
            {"name": "mean", "datatype": "FP32", "dims": [4]},
            {"name": "count", "datatype": "INT64", "dims": [1]},
        ],
        max_batch_size=1,
    )
    assert {row.output for row in conversion.parity} == {"mean", "count"}
    assert all(row.atol == 0 for row in conversion.parity if row.output == "count")


@pytest.mark.parametrize(
    ("architecture", "error", "expected"),
    [
        (
            "Dropping",
            GateError,
            r"parity gate refused output y at batch 1: .* differ from PyTorch by more than",
        ),
        ("Branching", ConversionError, "torch.export cannot convert"),
        ("BatchSized", GateError, "refused input x: its batch is fixed at 2; .* must not decide what Python"),
        ("Centred", GateError, "differ from the artifact on single rows .* other rows of its batch"),
        ("NotFinite", GateError, r"PyTorch has \d+ values that are NaN or infinite, allowed 0"),
        ("TrainingMode", ArchitectureError, "Expected more than 1 value per channel when training"),
        ("FixedBatch", GateError, "refused output y: its batch is fixed"),
        ("not_a_module", ArchitectureError, "makes a object, not a torch.nn.Module"),
    ],
)
def test_a_wrong_model_is_refused(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    error: type[ExportError],
    expected: str,
) -> None:
    if architecture == "not_a_module":
        monkeypatch.setattr(Workshop, "checkpoint", lambda *_: None)
    with pytest.raises(error, match=f"(?s){expected}"):
        workshop.convert(architecture)


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"outputs": [{**Y, "dims": [3]}]}, GateError, r"the model has dims \[2\], the spec \[3\]"),
        ({"outputs": [{**Y, "datatype": "FP64"}]}, GateError, "the model has FLOAT, the spec FP64"),
        ({"outputs": [Y, {**Y, "name": "z"}]}, ArchitectureError, "returns 1 values and the spec names 2"),
        ({"inputs": [{**X, "dims": [4]}]}, ArchitectureError, "the forward pass failed on inputs of shape"),
        ({"inputs": [{**X, "datatype": "FP64"}]}, ArchitectureError, "the forward pass failed"),
        ({"architecture": "tests.export.nowhere:Net"}, ArchitectureError, "No module named"),
        (
            {"architecture": "tests.export.tiny_models:Nothing"},
            ArchitectureError,
            "has no attribute 'Nothing'",
        ),
        ({"arguments": {"width": 3}}, ArchitectureError, "unexpected keyword argument 'width'"),
    ],
)
def test_a_spec_that_does_not_describe_the_model_is_refused(
    workshop: Workshop, changes: dict[str, Any], error: type[ExportError], expected: str
) -> None:
    with pytest.raises(error, match=f"(?s){expected}"):
        workshop.convert_with(changes)


def test_a_missed_tolerance_tells_measured_and_allowed(workshop: Workshop) -> None:
    with pytest.raises(GateError, match=r"more than atol 0 \+ rtol 0; measured max abs [0-9.e-]+, max rel"):
        workshop.convert("Squashing", tolerance={"atol": 0.0, "rtol": 0.0})

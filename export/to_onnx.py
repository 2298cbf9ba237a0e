"""Target `onnx`: the torch.export based exporter, a dynamic batch, one file."""

from pathlib import Path

import torch
from torch import nn

from export.architecture import OrderedOutputs, run_reference
from export.conversion import Job
from export.durable import disk_errors
from export.errors import ConversionError
from export.example_inputs import random_inputs

FILE = "model.onnx"
OPSET = 20
# Protobuf cannot hold 2 GiB; the rest of the graph needs room too.
_ONE_FILE_LIMIT = 1_900_000_000
# torch.export takes a batch of 1 for a constant.
_TRACE_BATCH = 2


def to_onnx(model: nn.Module, job: Job) -> Path:
    """Convert and save.

    Returns:
        The saved file; weights above 1.9 GB lie beside it in `model.onnx.data`.

    Raises:
        ArchitectureError: the forward pass fails on the inputs of the spec.
        ConversionError: the exporter cannot take the model.
        RepositoryWriteError: the disk refused.
    """
    spec = job.spec
    outputs = [tensor.name for tensor in spec.outputs]
    arrays = random_inputs(spec, _TRACE_BATCH, draw=0)
    inputs = [torch.from_numpy(arrays[tensor.name]) for tensor in spec.inputs]
    run_reference(model, outputs, inputs)
    batch = torch.export.Dim("batch", min=1)
    try:
        program = torch.onnx.export(
            OrderedOutputs(model, outputs),
            tuple(inputs),
            dynamo=True,
            input_names=[tensor.name for tensor in spec.inputs],
            output_names=outputs,
            opset_version=OPSET,
            # The parameter of OrderedOutputs.forward is variadic, so its shapes come as one inner tuple.
            dynamic_shapes=(tuple({0: batch} for _ in inputs),),
            verbose=False,
        )
    except Exception as error:
        raise ConversionError(
            f"torch.export cannot convert {spec.architecture}: {_reason(error)}; "
            "the batch size and the values of the inputs must not decide what Python code runs"
        ) from error
    if program is None:
        raise ConversionError(f"torch.export returned nothing for {spec.architecture}; simplify its forward")
    _forget_sources(program)
    path = job.artifact_dir / FILE
    weight_bytes = sum(tensor.nbytes for tensor in model.state_dict().values())
    with disk_errors(job.artifact_dir):
        program.save(path, external_data=weight_bytes > _ONE_FILE_LIMIT)
    return path


def _forget_sources(program: torch.onnx.ONNXProgram) -> None:
    """Drop what the exporter noted on every node: source lines, and folders of this machine."""
    graph = program.model.graph
    for node in graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()


def _reason(error: BaseException) -> str:
    """The innermost cause in a line or two; the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:400] or type(error).__name__

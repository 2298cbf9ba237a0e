"""Datatypes of `config.pbtxt` and their names in ONNX Runtime."""

from __future__ import annotations

from .errors import UnservableModelError

# config.pbtxt data_type → the type string of onnxruntime's NodeArg.
ORT_TYPES: dict[str, str] = {
    "TYPE_BOOL": "tensor(bool)",
    "TYPE_UINT8": "tensor(uint8)",
    "TYPE_UINT16": "tensor(uint16)",
    "TYPE_UINT32": "tensor(uint32)",
    "TYPE_UINT64": "tensor(uint64)",
    "TYPE_INT8": "tensor(int8)",
    "TYPE_INT16": "tensor(int16)",
    "TYPE_INT32": "tensor(int32)",
    "TYPE_INT64": "tensor(int64)",
    "TYPE_FP16": "tensor(float16)",
    "TYPE_FP32": "tensor(float)",
    "TYPE_FP64": "tensor(double)",
    "TYPE_STRING": "tensor(string)",
}
CONFIG_TYPES: dict[str, str] = {ort_type: config_type for config_type, ort_type in ORT_TYPES.items()}


def check_datatype(kind: str, name: str, data_type: str, ort_type: str) -> None:
    """Refuse a tensor whose configured datatype is not exactly the model's.

    Args:
        kind: `input` or `output`, for the message.
        name: name of the tensor.
        data_type: as in `config.pbtxt`, e.g. `TYPE_FP32`.
        ort_type: as ONNX Runtime reports it, e.g. `tensor(float)`.

    Raises:
        UnservableModelError: they differ, or the datatype has no numpy form (BF16) or is not a tensor.
    """
    if "TYPE_BF16" in (data_type, CONFIG_TYPES.get(ort_type)) or ort_type == "tensor(bfloat16)":
        raise UnservableModelError(
            f"{kind} '{name}' is BF16, which the embedded Triton cannot pass to a model; export the model "
            "with FP32 or FP16 inputs and outputs, or serve it with NVIDIA's container"
        )
    if not ort_type.startswith("tensor("):
        raise UnservableModelError(
            f"{kind} '{name}' of the model is a {ort_type}; only tensors can be served: export the model "
            "with tensor inputs and outputs"
        )
    expected = CONFIG_TYPES.get(ort_type)
    if expected is None:
        raise UnservableModelError(
            f"{kind} '{name}' of the model is a {ort_type}, which Triton has no datatype for"
        )
    if data_type != expected:
        raise UnservableModelError(
            f"{kind} '{name}': config.pbtxt says data_type {data_type} but the model has {expected}; "
            f"write data_type: {expected}"
        )

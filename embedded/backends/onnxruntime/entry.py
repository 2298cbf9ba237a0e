"""What Triton imports as `model.py` of the backend: it hands over to the package beside it."""

from tidegate_onnxruntime.model import TritonPythonModel  # type: ignore[import-not-found]

__all__ = ["TritonPythonModel"]

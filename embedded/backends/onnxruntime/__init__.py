"""A Python-based Triton backend that serves `backend: "onnxruntime"` models with ONNX Runtime on the CPU.

It obeys the same `config.pbtxt` as the native backend in NVIDIA's container. It runs inside Triton's
model process, where only numpy, onnxruntime and the standard library may be imported; `entry.py` is what
Triton itself imports, everything else is reached from there by relative imports.
"""

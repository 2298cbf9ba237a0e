"""The ONNX Runtime session of a model, set up as its `config.pbtxt` says."""

from __future__ import annotations

import math
import os
from pathlib import Path

import onnxruntime as ort

from .errors import UnservableModelError, public_text
from .model_config import BackendConfig

# optimization.graph.level → level of ONNX Runtime, as in the native backend.
_GRAPH_LEVELS = {
    0: ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_LOG_ERROR = 3


def open_session(path: Path, config: BackendConfig) -> ort.InferenceSession:
    """Load a model into ONNX Runtime on the CPU.

    Args:
        path: the ONNX file.
        config: the model's configuration.

    Raises:
        UnservableModelError: a parameter makes no sense, or ONNX Runtime refuses the model.
    """
    options = session_options(config)
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UnservableModelError(
            f"ONNX Runtime {ort.__version__} cannot load the model: {public_text(error)}"
        ) from None


def session_options(config: BackendConfig) -> ort.SessionOptions:
    """Translate the configuration into session options; parameters it does not know are ignored."""
    options = ort.SessionOptions()
    options.log_severity_level = _LOG_ERROR
    options.graph_optimization_level = _graph_level(config.graph_level)
    # Each instance is a process of its own: left alone, every one of them would take all processors.
    threads = _count(config, "intra_op_thread_count") or max(1, available_processors() // config.instances)
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = _count(config, "inter_op_thread_count")
    options.execution_mode = _execution_mode(config)
    options.enable_cpu_mem_arena = _switch(config, "enable_mem_arena", default=True)
    options.enable_mem_pattern = _switch(config, "enable_mem_pattern", default=True)
    # Threads that spin while idle would steal the processor from Triton and from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if _switch(config, "session.use_device_allocator_for_initializers", default=False):
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


def run_options(config: BackendConfig) -> ort.RunOptions | None:
    """Options for each run, or None when the configuration asks for nothing special."""
    shrinkage = config.parameters.get("memory.enable_memory_arena_shrinkage")
    if not shrinkage:
        return None
    # The native backend's values also name GPUs; only the CPU's arena exists here.
    if "cpu:0" not in shrinkage.split(";"):
        return None
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def available_processors() -> int:
    """Processors this process may use: its affinity, bounded by the container's CPU quota."""
    processors = len(os.sched_getaffinity(0))
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        if quota != "max":
            processors = min(processors, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return processors


def _graph_level(level: int) -> ort.GraphOptimizationLevel:
    if level not in _GRAPH_LEVELS:
        raise UnservableModelError(f"optimization graph level {level} does not exist; use -1, 0, 1 or 2")
    return _GRAPH_LEVELS[level]


def _execution_mode(config: BackendConfig) -> ort.ExecutionMode:
    value = config.parameters.get("execution_mode", "0")
    if value not in ("0", "1"):
        raise UnservableModelError(
            f"parameter execution_mode is '{value}'; write 0 for sequential or 1 for parallel execution"
        )
    return ort.ExecutionMode.ORT_PARALLEL if value == "1" else ort.ExecutionMode.ORT_SEQUENTIAL


def _count(config: BackendConfig, key: str) -> int:
    value = config.parameters.get(key, "0")
    if not value.isdecimal():
        raise UnservableModelError(f"parameter {key} is '{value}'; write a whole number, 0 for the default")
    return int(value)


def _switch(config: BackendConfig, key: str, *, default: bool) -> bool:
    value = config.parameters.get(key)
    if value is None:
        return default
    if value not in ("0", "1"):
        raise UnservableModelError(f"parameter {key} is '{value}'; write 0 or 1")
    return value == "1"

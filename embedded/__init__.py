"""A real Triton on this machine, without a container: launcher, supervisor, ONNX Runtime backend."""

from embedded.admin_secret import ADMIN_HEADER
from embedded.config import TritonConfig
from embedded.errors import (
    ConfigurationError,
    EmbeddedTritonError,
    PortInUseError,
    StartError,
    UnusableEnvironmentError,
)
from embedded.launcher import Installation, prepare
from embedded.metrics import SupervisorMetrics
from embedded.supervisor import Supervisor, SupervisorConfig, supervise

__all__ = [
    "ADMIN_HEADER",
    "ConfigurationError",
    "EmbeddedTritonError",
    "Installation",
    "PortInUseError",
    "StartError",
    "Supervisor",
    "SupervisorConfig",
    "SupervisorMetrics",
    "TritonConfig",
    "UnusableEnvironmentError",
    "prepare",
    "supervise",
]

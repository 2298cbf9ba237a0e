"""Everything that can keep a Triton from running on this machine.

EmbeddedTritonError
├── UnusableEnvironment          this Python environment cannot run it
│   ├── WheelNotFound            nvidia-pytriton is missing or incomplete
│   ├── UnsupportedPython        the wheel has no stub for this Python
│   ├── UnsupportedNumpy         numpy 2 corrupts tensors in the stubs
│   └── LibpythonNotFound        no shared libpython for the stub
├── ConfigurationError           a setting makes no sense
│   └── PortInUse                something already listens there
├── UnsupportedServer            this tritonserver lacks a flag we depend on
├── StartError                   the server died or stayed silent at start
└── TritonApiError               a call to the running server failed
    └── TritonUnreachable        nobody answered, or not in time

Every message is a sentence that ends in what to do next.
"""

from __future__ import annotations


class EmbeddedTritonError(Exception):
    """Base of every error this package raises on purpose."""


class UnusableEnvironment(EmbeddedTritonError):
    """This Python environment cannot run the embedded Triton."""


class WheelNotFound(UnusableEnvironment):
    """The nvidia-pytriton wheel, or a file of it, is missing."""


class UnsupportedPython(UnusableEnvironment):
    """The wheel holds no stub for this version of Python, or no numpy below 2 exists for it."""


class UnsupportedNumpy(UnusableEnvironment):
    """The installed numpy is 2 or newer."""


class LibpythonNotFound(UnusableEnvironment):
    """No shared libpython of this interpreter's version was found."""


class ConfigurationError(EmbeddedTritonError):
    """A setting, or a combination of settings, makes no sense."""


class PortInUse(ConfigurationError):
    """Something already listens on a port the server needs."""


class UnsupportedServer(EmbeddedTritonError):
    """The tritonserver does not know a flag without which it must not run."""


class StartError(EmbeddedTritonError):
    """The server exited, or was not live in time, while starting."""


class TritonApiError(EmbeddedTritonError):
    """The running server refused a call.

    Attributes:
        status: the HTTP status it answered, or None when it gave no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TritonUnreachable(TritonApiError):
    """The server did not answer, or not in time."""

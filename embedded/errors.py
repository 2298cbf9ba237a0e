"""Everything that can keep a Triton from running on this machine.

EmbeddedTritonError
├── UnusableEnvironmentError         this Python environment cannot run it
│   ├── WheelNotFoundError           nvidia-pytriton is missing or incomplete
│   ├── UnsupportedPythonError       the wheel has no stub for this Python
│   ├── UnsupportedNumpyError        numpy 2 corrupts tensors in the stubs
│   └── LibpythonNotFoundError       no shared libpython for the stub
├── ConfigurationError               a setting makes no sense
│   └── PortInUseError               something already listens there
├── UnsupportedServerError           this tritonserver lacks a flag we depend on
├── StartError                       the server died or stayed silent at start
└── TritonApiError                   a call to the running server failed
    └── TritonUnreachableError       nobody answered, or not in time

Every message is a sentence that ends in what to do next.
"""

from __future__ import annotations


class EmbeddedTritonError(Exception):
    """Base of every error this package raises on purpose."""


class UnusableEnvironmentError(EmbeddedTritonError):
    """This Python environment cannot run the embedded Triton."""


class WheelNotFoundError(UnusableEnvironmentError):
    """The nvidia-pytriton wheel, or a file of it, is missing."""


class UnsupportedPythonError(UnusableEnvironmentError):
    """The wheel holds no stub for this version of Python, or no numpy below 2 exists for it."""


class UnsupportedNumpyError(UnusableEnvironmentError):
    """The installed numpy is 2 or newer."""


class LibpythonNotFoundError(UnusableEnvironmentError):
    """No shared libpython of this interpreter's version was found."""


class ConfigurationError(EmbeddedTritonError):
    """A setting, or a combination of settings, makes no sense."""


class PortInUseError(ConfigurationError):
    """Something already listens on a port the server needs."""


class UnsupportedServerError(EmbeddedTritonError):
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


class TritonUnreachableError(TritonApiError):
    """The server did not answer, or not in time."""

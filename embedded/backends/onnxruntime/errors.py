"""Errors of the backend, and error texts that are safe to show.

BackendError
├── UnservableModelError   the model or its config.pbtxt cannot be served: the load fails
└── BadRequestError        one request is wrong: only it fails
"""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.:/])(?:/[\w.@+-]+){2,}/?(?::\d+)?")
_STATUS_MESSAGE = re.compile(r"Status Message:\s*(.*)", re.DOTALL)
_ORT_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")


class BackendError(Exception):
    """Base of the errors this backend raises on purpose."""


class UnservableModelError(BackendError):
    """The model file or its configuration cannot be served."""


class BadRequestError(BackendError):
    """A request carries something the model cannot take."""


def public_text(error: BaseException) -> str:
    """The message of an ONNX Runtime error without paths, source locations and its own prefixes."""
    text = _ORT_PREFIX.sub("", str(error))
    inner = _STATUS_MESSAGE.search(text)
    if inner:
        text = inner.group(1)
    # `/a/b/gather.cc:154 onnxruntime::Gather::Compute(...) msg`: the place is of no use to a caller.
    text = _PATH.sub("", text)
    return " ".join(text.split()) or type(error).__name__

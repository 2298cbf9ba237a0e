"""One JSON line per request, in the form of `gateway.logs`, written once per turn of the event loop.

A line through `logging` costs a fifth of a small inference: a record, its formatting and a system call
each. The lines of all requests that ended in one turn share the call here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec

NAME = "gateway.access"
_ENCODER = msgspec.json.Encoder()


class AccessLog:
    """Writes lines to standard error while the logger `gateway.access` would.

    Args:
        stream: where to write; standard error, as it is at that time, by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._logger = logging.getLogger(NAME)
        self._lines: list[str] = []
        self._second = -1
        self._second_text = ""

    def write(self, fields: Mapping[str, Any]) -> None:
        """Write one line soon.

        Args:
            fields: JSON values by name, without time, level, logger and event.
        """
        if not self._logger.isEnabledFor(logging.INFO):
            return
        line = {"time": self._now(), "level": "info", "logger": NAME, "event": "request", **fields}
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(_ENCODER.encode(line).decode())

    def _flush(self) -> None:
        text = "\n".join(self._lines) + "\n"
        self._lines.clear()
        stream = self._stream or sys.stderr
        stream.write(text)
        stream.flush()

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"

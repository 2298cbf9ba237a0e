"""Structured logs: one JSON object per line on standard error, Triton's own lines included."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

# Everything a LogRecord carries by itself; the rest came through `extra=` and is logged as fields.
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Triton's default line: `I1122 04:44:41.072595 7598 model_lifecycle.cc:472] "loading: gather:1"`.
_TRITON_LINE = re.compile(r"^(?P<level>[IWEF])\d{4} [\d:.]+\s+\d+ (?P<source>[\w.]+:\d+)\]\s+(?P<text>.*)$")
_TRITON_LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR, "F": logging.CRITICAL}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time (UTC, ISO 8601), level, logger, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update((k, v) for k, v in vars(record).items() if k not in _OWN_ATTRIBUTES)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: str) -> None:
    """Send every logger of this process to standard error as JSON lines.

    Args:
        level: least severe level logged, e.g. `INFO`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # One line per probe would drown everything else.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def log_triton_line(logger: logging.Logger, line: str) -> None:
    """Log one line of Triton's output at the level it carries.

    Lines without one (the tables Triton draws, a traceback of a model process) are kept at debug level.
    """
    text = line.rstrip()
    if not text:
        return
    match = _TRITON_LINE.match(text)
    if match is None:
        logger.debug("%s", text)
        return
    message = match["text"].strip()
    if len(message) > 1 and message[0] == message[-1] == '"':
        message = message[1:-1]
    logger.log(_TRITON_LEVELS[match["level"]], "%s", message, extra={"source": match["source"]})

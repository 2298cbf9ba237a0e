"""Structured logs: one JSON object per line on standard error, whatever the input."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(enc_hook=str)
# Everything a LogRecord carries by itself; the rest came through `extra=` and is logged as fields.
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}


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
        return _ENCODER.encode(line).decode()


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
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    # Their progress reports say nothing the gateway's own lines do not.
    for name in ("uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # uvicorn's access log has neither request id nor project; the gateway writes its own line.
    logging.getLogger("uvicorn.access").disabled = True

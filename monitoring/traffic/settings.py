"""What traffic to send, and with which key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from monitoring.errors import StackUnreachable


@dataclass(frozen=True)
class TrafficSettings:
    """How much of what, where to.

    Attributes:
        url: the gateway.
        rate: requests per second, sent whether or not earlier ones are answered, as real callers do.
        duration: seconds.
        models: only these; all the key may see when empty.
        seed: of the random choices and tensors.
        concurrency: most requests under way; what would exceed it is counted as not sent.
        timeout: seconds to wait for one answer.
    """

    url: str = "http://127.0.0.1:8080"
    rate: float = 20.0
    duration: float = 60.0
    models: tuple[str, ...] = ()
    seed: int = 0
    concurrency: int = 32
    timeout: float = 35.0


def api_key(state_dir: Path) -> str:
    """Return the key: `TIDEGATE_API_KEY`, or the one `make up` keeps in the state directory.

    Raises:
        StackUnreachable: when there is neither.
    """
    if key := os.environ.get("TIDEGATE_API_KEY"):
        return key
    file = state_dir / "api-key"
    try:
        key = file.read_text().strip()
    except OSError:
        key = ""
    if key:
        return key
    raise StackUnreachable(
        f"There is no API key in {file}. Start the stack with `make up`, or set TIDEGATE_API_KEY."
    )

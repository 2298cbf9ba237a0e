"""A steady stream of `digits` inferences through a stack's gateway, bounded in count."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import time
from dataclasses import dataclass

import httpx

from samples.digits.data import load as load_digits
from tests.support.stack import RunningStack

WORKERS = 16


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Attributes:
        sent: when, on the monotonic clock, seconds.
        answered: when its answer was complete.
        status: HTTP status; 0 for no HTTP answer.
        version: the model version that answered, "" for none.
    """

    sent: float
    answered: float
    status: int
    version: str


class Traffic:
    """A steady stream of inferences, bounded in count."""

    def __init__(self, stack: RunningStack, rate: float, seconds: float) -> None:
        self._headers = stack.authorization | {"Content-Type": "application/json"}
        self._url = f"{stack.gateway_url}/v2/models/digits/infer"
        self._rate = rate
        self._count = int(rate * seconds)
        image = load_digits().held_out_images[:1]
        self._body = json.dumps(
            {
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "FP32",
                        "shape": list(image.shape),
                        "data": image.ravel().tolist(),
                    }
                ]
            }
        ).encode()
        self._local = threading.local()

    def run(self) -> list[Answer]:
        """Send every request at its own time, whatever became of the ones before."""
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(
                pool.map(lambda number: self._send(number, start + number / self._rate), range(self._count))
            )

    def _send(self, number: int, at: float) -> Answer:
        time.sleep(max(0.0, at - time.monotonic()))
        if not hasattr(self._local, "client"):
            self._local.client = httpx.Client(headers=self._headers, timeout=15)
        sent, version = time.monotonic(), ""
        # Every request is another user's, so that a canary's share is that of the requests.
        user = {"X-Tidegate-Sticky": f"user-{number}"}
        try:
            answer = self._local.client.post(self._url, content=self._body, headers=user)
            status, version = answer.status_code, answer.headers.get("x-model-version", "")
        except httpx.HTTPError:
            status = 0
        return Answer(sent, time.monotonic(), status, version)

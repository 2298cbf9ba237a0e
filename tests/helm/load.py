"""Clients behind a Service: they keep a connection until the server ends it, then are sent to another pod."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import httpx

from tests.helm.pods import RunningPod

PAUSE_SECONDS = 0.02
MODEL = "two_by_two"
BODY = {
    "inputs": [
        {"name": name, "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, value]}
        for name, value in (("a", 4), ("b", 5))
    ]
}
OUTPUTS = {"sum": [2, 4, 6, 9], "difference": [0, 0, 0, -1]}


class Endpoints:
    """The pods behind a Service."""

    def __init__(self, *pods: RunningPod) -> None:
        self._urls = [_url(pod) for pod in pods]
        self._turn = itertools.count()

    def add(self, pod: RunningPod) -> None:
        """Send new connections to a pod too."""
        self._urls = [*self._urls, _url(pod)]

    def remove(self, pod: RunningPod) -> None:
        """Send no new connection to a pod; the ones it has stay."""
        self._urls = [url for url in self._urls if url != _url(pod)]

    def choose(self) -> str | None:
        """Return where a new connection goes."""
        # In turn, so that every pod gets its share even of few clients.
        urls = self._urls
        return urls[next(self._turn) % len(urls)] if urls else None


class Load:
    """Clients that infer, each at most 50 times a second, from `with` to the end of its block.

    Attributes:
        answers: number of answers by status.
        failures: what was not an answer, or a wrong one.
        served: number of answers by the pod's URL.
    """

    def __init__(self, endpoints: Endpoints, key: str, clients: int = 4) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.served: Counter[str] = Counter()
        self._endpoints = endpoints
        self._headers = {"X-API-Key": key}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self) -> None:
        while not self._stop.is_set():
            url = self._endpoints.choose()
            if url is None:
                time.sleep(0.02)
                continue
            # Without certificates, whose loading would take longer than a request.
            with httpx.Client(
                base_url=url, headers=self._headers, timeout=30, trust_env=False, verify=False
            ) as client:
                while not self._stop.is_set() and self._infer(client, url):
                    time.sleep(PAUSE_SECONDS)

    def _infer(self, client: httpx.Client, url: str) -> bool:
        """Infer once; return whether the connection may be used again."""
        try:
            answer = client.post(f"/v2/models/{MODEL}/infer", json=BODY)
        except httpx.HTTPError as error:
            with self._lock:
                self.failures.append(repr(error))
            return False
        with self._lock:
            self.answers[answer.status_code] += 1
            self.served[url] += 1
            if answer.status_code != 200 or _outputs(answer) != OUTPUTS:
                self.failures.append(f"{time.time():.3f} {url}: {answer.status_code} {answer.text}")
        return bool(answer.headers.get("connection") != "close")


def create_key(gateway: RunningPod, **fields: object) -> str:
    """Create an API key through a gateway and return it whole."""
    created = httpx.post(
        f"{_url(gateway)}/admin/v1/keys", json={"project": "load", **fields}, headers=admin_headers(gateway)
    )
    assert created.status_code == 201, created.text
    return str(created.json()["key"])


def admin_headers(gateway: RunningPod) -> dict[str, str]:
    """Return the headers of the administrator."""
    return {"X-API-Key": gateway.pod.environment["TIDEGATE_ADMIN_KEY"]}


def _url(pod: RunningPod) -> str:
    return pod.pod.url(8080)


def _outputs(answer: httpx.Response) -> dict[str, list[float]]:
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}

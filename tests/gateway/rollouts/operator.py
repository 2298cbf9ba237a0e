"""An operator's and a caller's hands on a real gateway in front of a real Triton."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from tests.support.gateway import RunningGateway, headers
from tests.support.versioned_models import NAME, request


@dataclass(frozen=True)
class Operator:
    """Calls one gateway.

    Attributes:
        gateway: which.
        key: an API key of a caller.
        model: the model.
        client: keeps its connections open; a new one for each call would take most of a test's time.
    """

    gateway: RunningGateway
    key: str
    model: str = NAME
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60))

    def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call `/admin/v1{path}`."""
        url = f"{self.gateway.base_url}/admin/v1{path}"
        sent = self.gateway.admin_headers
        return self.client.request(method, url, json=body, headers=sent)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/admin/v1/models/{model}{path}` and return the answer, which must be a success."""
        answer = self.admin(method, f"/models/{self.model}{path}", body)
        assert answer.is_success, answer.text
        return answer.json()

    def refused(self, method: str, path: str, status: int, body: Any = None) -> str:
        """Call it and return the sentence of the error, which must have this status."""
        answer = self.admin(method, f"/models/{self.model}{path}", body)
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"])

    def deploy(self, version: int, alias: str = "stable") -> Any:
        """Deploy a version."""
        return self.done("POST", "/deploy", {"version": version, "alias": alias})

    def infer(self, version: str = "", sticky: str = "") -> httpx.Response:
        """Infer with V2; `x` is 1."""
        at = f"/versions/{version}" if version else ""
        sent = headers(self.key) | ({"x-tidegate-sticky": sticky} if sticky else {})
        url = f"{self.gateway.base_url}/v2/models/{self.model}{at}/infer"
        return self.client.post(url, json=request(), headers=sent)

    def answered_by(self, version: str = "", sticky: str = "") -> str:
        """Infer and return the version that answered, as header, body and result agree on it."""
        answer = self.infer(version, sticky)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        told = answer.headers["x-model-version"]
        assert body["model_version"] == told
        assert body["outputs"][0]["data"] == [float(told)] * 2
        return told

    def loaded(self) -> set[str]:
        """Return the versions the gateway sees in Triton."""
        return {row["version"] for row in self.done("GET", "")["versions"] if row["loaded"]}

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a sample of the gateway's metrics, None when there is none."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.client.get(f"{self.gateway.ops_url}/metrics").text.splitlines():
            if line.startswith(f"{name}{{"):
                found, _, value = line.removeprefix(f"{name}{{").rpartition("} ")
                if wanted <= set(found.split(",")):
                    return float(value)
        return None

    def other(self, *, key: str | None = None, model: str | None = None) -> Operator:
        """Return hands on the same gateway with another key or model."""
        return replace(self, key=key or self.key, model=model or self.model)


def operator(gateway: RunningGateway) -> Operator:
    """Return hands on a gateway, with a new key that may infer and read."""
    return Operator(gateway, gateway.create_key())


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def log_of(gateway: RunningGateway, event: str) -> list[dict[str, Any]]:
    """Return the log lines of one event."""
    return [line for line in gateway.log_lines() if line["event"] == event]


def write_nothing(folder: Path) -> Path:
    """Return a new, empty model repository in `folder`."""
    repository = folder / "models"
    repository.mkdir()
    return repository

"""The few calls of Triton's REST API the supervisor makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from embedded.admin_secret import ADMIN_HEADER
from embedded.errors import TritonApiError, TritonUnreachableError

_PROBE_SECONDS = 1.5
_LOAD_SECONDS = 600.0


@dataclass(frozen=True)
class IndexEntry:
    """A version in the repository index.

    Attributes:
        model: name of the model.
        version: empty when Triton could not even read the model.
        state: `READY`, `LOADING`, `UNLOADING`, `UNAVAILABLE`, or empty when it was never loaded.
        reason: why it is unavailable, e.g. `unloaded`.
    """

    model: str
    version: str
    state: str
    reason: str


class TritonApi:
    """Calls a Triton, the restricted APIs included. Every call opens its own connection.

    Triton pins a connection to one of its HTTP threads, and a thread that loads a model answers nothing
    else meanwhile: a kept connection could wait behind that load.

    Args:
        http_url: base URL of the REST API.
        metrics_url: URL of Triton's own metrics, which other threads serve.
        secret: value of the admin header.
    """

    def __init__(self, http_url: str, metrics_url: str, secret: str) -> None:
        self._metrics_url = metrics_url
        self._client = httpx.Client(
            base_url=http_url,
            headers={ADMIN_HEADER: secret},
            timeout=_PROBE_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,  # a proxy has no business between a supervisor and its server
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def is_live(self) -> bool:
        """Whether the server answers at all.

        All HTTP threads can be busy loading models, so the metrics port is asked too before the server
        counts as silent.
        """
        for url in ("/v2/health/live", self._metrics_url):
            try:
                if self._client.get(url).status_code == httpx.codes.OK:
                    return True
            except httpx.HTTPError:
                continue
        return False

    def index(self) -> list[IndexEntry]:
        """The repository index.

        Raises:
            TritonApiError: the server did not answer, or refused.
        """
        answer = self._call("POST", "/v2/repository/index")
        return [
            IndexEntry(
                entry["name"], entry.get("version", ""), entry.get("state", ""), entry.get("reason", "")
            )
            for entry in answer.json()
        ]

    def config(self, model: str) -> dict[str, Any]:
        """The effective configuration of a loaded model.

        Raises:
            TritonApiError: the model is not loaded, or the server did not answer.
        """
        config: dict[str, Any] = self._call("GET", f"/v2/models/{quote(model, safe='')}/config").json()
        return config

    def load(self, model: str, config: Mapping[str, Any] | None = None) -> None:
        """Load a model, or bring a loaded one up to date; returns when its versions are ready.

        Args:
            model: name of the model.
            config: used instead of its `config.pbtxt` until the next load.

        Raises:
            TritonApiError: it could not be loaded; what was loaded before still serves.
        """
        body = {} if config is None else {"parameters": {"config": json.dumps(config)}}
        path = f"/v2/repository/models/{quote(model, safe='')}/load"
        self._call("POST", path, json_body=body, timeout=_LOAD_SECONDS)

    def unload(self, model: str) -> None:
        """Unload a model; Triton goes on with it in the background.

        Raises:
            TritonApiError: the server did not answer, or refused.
        """
        self._call("POST", f"/v2/repository/models/{quote(model, safe='')}/unload", json_body={})

    def _call(
        self, method: str, path: str, json_body: Any = None, timeout: float = _PROBE_SECONDS
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=json_body, timeout=timeout)
        except httpx.HTTPError as error:
            raise TritonUnreachableError(
                f"Triton did not answer {method} {path} ({type(error).__name__}); look at its "
                "log for the reason."
            ) from None
        if answer.status_code != httpx.codes.OK:
            raise TritonApiError(_message(answer), answer.status_code)
        return answer


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"Triton answered HTTP {answer.status_code}; look at its log for the reason."

"""HTTP client of a running gateway: `/admin/v1` and the few calls `tidegate up` makes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tidegate.errors import GatewayRefused, GatewayUnreachable
from tidegate.state import StateDirectory

CALL_SECONDS = 30.0


class GatewayClient:
    """Calls one gateway with one key; every failure is a `CommandError` with a sentence."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        # trust_env off: a proxy variable of the user's shell must not see the key.
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """Return the JSON answer to GET `path` with the given query parameters."""
        return self._call("GET", f"{path}?{httpx.QueryParams(query)}" if query else path)

    def post(
        self, path: str, body: dict[str, Any] | None = None, *, timeout: float | None = CALL_SECONDS
    ) -> Any:
        """Return the JSON answer to POST `path` with `body`, awaited for `timeout` seconds or for ever."""
        return self._call("POST", path, body, timeout)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON answer to PATCH `path` with `body`."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Return the JSON answer to DELETE `path`."""
        return self._call("DELETE", path)

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        timeout: float | None = CALL_SECONDS,
    ) -> Any:
        try:
            response = self._client.request(method, path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            raise GatewayUnreachable(
                f"No gateway answers at {self._url} ({error}). Start one with `make up`, or name its "
                "address with --url or TIDEGATE_URL."
            ) from None
        if response.is_error:
            raise GatewayRefused(_sentence(response), response.status_code)
        return response.json() if response.content else None


def admin_client(url: str, state_dir: Path) -> GatewayClient:
    """Return a client of the gateway at `url` that presents the admin key kept in `state_dir`.

    Raises:
        CommandError: there is no admin key.
    """
    return GatewayClient(url, StateDirectory(state_dir).admin_key())


def _sentence(response: httpx.Response) -> str:
    try:
        message = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"The gateway answered {response.status_code} without saying why; look into its log."
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return f"{message} The command line uses TIDEGATE_ADMIN_KEY, else .tidegate/admin-key."
    if response.status_code == httpx.codes.NOT_FOUND and "/admin/v1/models" in str(message):
        return f"{message} `tidegate models serving` shows the same list."
    return str(message)

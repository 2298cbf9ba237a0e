"""The ops port of a running gateway, in front of no Triton."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.gateway import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(None, tmp_path_factory.mktemp("ops")) as running:
        yield running


def test_live_but_not_ready_without_triton(gateway: RunningGateway) -> None:
    live = httpx.get(f"{gateway.ops_url}/livez")
    assert (live.status_code, live.json()) == (200, {"live": True})
    ready = httpx.get(f"{gateway.ops_url}/readyz")
    assert ready.status_code == 503
    assert ready.json()["ready"] is False
    assert any("Triton" in reason for reason in ready.json()["reasons"])
    assert gateway.process.poll() is None


def test_metrics_tell_that_triton_is_away_and_the_database_is_not(gateway: RunningGateway) -> None:
    text = httpx.get(f"{gateway.ops_url}/metrics").text
    assert "\ntidegate_triton_up 0.0\n" in text
    assert "\ntidegate_control_plane_up 1.0\n" in text
    assert re.search(r'\ntidegate_build_info{version="[^"]+"} 1\.0\n', text)
    assert re.search(r"\nprocess_resident_memory_bytes \d", text)


def test_refused_keys_are_counted_by_code(gateway: RunningGateway) -> None:
    def count() -> float:
        text = httpx.get(f"{gateway.ops_url}/metrics").text
        found = re.search(r'\ntidegate_auth_failures_total{code="unauthenticated"} (\S+)', text)
        return float(found.group(1)) if found else 0.0

    before = count()
    httpx.get(f"{gateway.base_url}/admin/v1/keys")
    httpx.get(f"{gateway.base_url}/v2")
    assert count() == before + 2


def test_only_three_paths_exist(gateway: RunningGateway) -> None:
    for path in ("/", "/admin/v1/keys", "/openapi.json", "/v2", "/metrics/"):
        answer = httpx.get(gateway.ops_url + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    posted = httpx.post(f"{gateway.ops_url}/livez")
    assert (posted.status_code, posted.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in posted.headers["allow"]

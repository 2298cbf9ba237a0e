"""`/admin/v1` on a running gateway."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.controlplane import keys
from tests.support.gateway import RunningGateway, headers, running_gateway

PROJECTS = "/admin/v1/projects"
KEYS = "/admin/v1/keys"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(None, tmp_path_factory.mktemp("admin")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.base_url, headers=gateway.admin_headers, timeout=10) as client:
        yield client


def assert_error(answer: httpx.Response, status: int, code: str) -> str:
    """Assert the one error shape and return the sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"error", "code", "request_id"}
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["error"].endswith(".")
    return str(body["error"])


def test_project_is_created_once_and_listed(admin: httpx.Client) -> None:
    created = admin.post(PROJECTS, json={"name": "created-once"})
    assert created.status_code == 201
    assert created.json() in admin.get(PROJECTS).json()["projects"]
    assert "already exists" in assert_error(
        admin.post(PROJECTS, json={"name": "created-once"}), 409, "conflict"
    )


def test_key_is_shown_once_and_works_at_once(admin: httpx.Client, gateway: RunningGateway) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=1)
    body = {
        "project": "shop",
        "name": "till 7",
        "scopes": ["read"],
        "models": ["digits*"],
        "expires_at": expires_at.isoformat(),
    }
    created = admin.post(KEYS, json=body)
    assert created.status_code == 201
    shown = created.json()
    key = shown.pop("key")
    assert keys.parse(key.encode()) is not None
    assert key.split("_")[1] == shown["key_id"]
    assert {name: shown[name] for name in ("project", "name", "scopes", "models")} == {
        name: body[name] for name in ("project", "name", "scopes", "models")
    }
    listed = admin.get(KEYS, params={"project": "shop"})
    assert listed.json()["keys"] == [shown]
    assert key.split("_")[2] not in listed.text
    assert httpx.get(f"{gateway.base_url}/v2", headers=headers(key)).status_code == 200


def test_key_has_useful_defaults(admin: httpx.Client) -> None:
    created = admin.post(KEYS, json={}).json()
    assert (created["project"], created["scopes"], created["models"]) == ("default", ["infer", "read"], ["*"])
    assert created["expires_at"] is None


def test_revoked_key_is_dead_when_the_answer_arrives(admin: httpx.Client, gateway: RunningGateway) -> None:
    key = gateway.create_key(["read"])
    key_id = key.split("_")[1]
    revoked = admin.delete(f"{KEYS}/{key_id}")
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] is not None
    assert_error(httpx.get(f"{gateway.base_url}/v2", headers=headers(key)), 401, "unauthenticated")
    assert admin.delete(f"{KEYS}/{key_id}").json() == revoked.json()


def test_revoking_an_unknown_key_is_404(admin: httpx.Client) -> None:
    assert "There is no key `nobody`" in assert_error(admin.delete(f"{KEYS}/nobody"), 404, "not_found")


def test_every_wrong_key_gets_the_same_401(gateway: RunningGateway) -> None:
    presented: list[dict[str, str]] = [
        {},
        headers("nonsense"),
        headers(keys.generate().text.decode()),
        headers(gateway.admin_key[:-1] + "!"),
        {**gateway.admin_headers, "X-API-Key": gateway.admin_key},
        {"Authorization": f"Basic {gateway.admin_key}"},
    ]
    sentences = set()
    for attempt in presented:
        answer = httpx.get(gateway.base_url + KEYS, headers=attempt)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        sentences.add(assert_error(answer, 401, "unauthenticated"))
    assert len(sentences) == 1


def test_other_scopes_do_not_open_the_admin_api(gateway: RunningGateway) -> None:
    key = gateway.create_key(["infer", "read", "deploy"])
    answer = httpx.post(gateway.base_url + KEYS, json={"scopes": ["admin"]}, headers=headers(key))
    assert "`admin`" in assert_error(answer, 403, "forbidden")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (PROJECTS, {}, "name"),
        (PROJECTS, {"name": 7}, "name"),
        (PROJECTS, {"name": "Shop"}, "name"),
        (PROJECTS, {"name": "a\n"}, "name"),
        (PROJECTS, {"name": "x" * 64}, "name"),
        (PROJECTS, {"name": "shop", "owner": "me"}, "owner"),
        (KEYS, {"project": ""}, "project"),
        (KEYS, {"scopes": []}, "scopes"),
        (KEYS, {"scopes": ["root"]}, "scopes.0"),
        (KEYS, {"models": []}, "models"),
        (KEYS, {"models": ["[a"]}, "models.0"),
        (KEYS, {"models": ["a" * 200]}, "models.0"),
        (KEYS, {"name": "two\nlines"}, "name"),
        (KEYS, {"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        (KEYS, {"expires_at": "2101-01-01T00:00:00"}, "expires_at"),
        (KEYS, {"key_id": "mine"}, "key_id"),
        (KEYS, {"hash": "00"}, "hash"),
    ],
)
def test_an_invalid_field_is_named(admin: httpx.Client, path: str, body: dict[str, Any], field: str) -> None:
    assert f"`{field}`" in assert_error(admin.post(path, json=body), 400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 5000, b'{"name": NaN}'])
def test_a_body_that_is_no_json_object_is_400(admin: httpx.Client, body: bytes) -> None:
    answer = admin.post(PROJECTS, content=body, headers={"content-type": "application/json"})
    assert_error(answer, 400, "bad_request")


def test_a_form_is_refused(admin: httpx.Client) -> None:
    assert_error(admin.post(PROJECTS, data={"name": "shop"}), 400, "bad_request")


def test_an_invalid_query_parameter_is_named(admin: httpx.Client) -> None:
    assert "`project`" in assert_error(admin.get(KEYS, params={"project": "A B"}), 400, "bad_request")


def test_a_large_body_is_refused(admin: httpx.Client) -> None:
    answer = admin.post(PROJECTS, content=b"x" * 70_000, headers={"content-type": "application/json"})
    assert_error(answer, 413, "too_large")


def test_a_stranger_is_refused_before_the_body_is_read(gateway: RunningGateway) -> None:
    url = urlsplit(gateway.base_url)
    with socket.create_connection((str(url.hostname), url.port or 0), timeout=10) as client:
        client.sendall(f"POST {KEYS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_wrong_methods_and_paths_have_the_same_shape(admin: httpx.Client) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = admin.request(method, KEYS)
        if method == "BREW":  # the parser knows only registered methods
            assert answer.status_code in (400, 405)
            continue
        assert_error(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, POST"
    head = admin.head(KEYS)
    assert (head.status_code, head.headers["allow"]) == (405, "GET, POST")
    for path in ("/", "/admin", "/admin/v1", "/docs", "/redoc", "/nothing", "/metrics", "/livez"):
        assert_error(admin.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "//admin/v1/keys",
        "/admin/v1/keys/",
        "/admin/v1/./keys",
        "/admin/v1/x/../keys",
        "/admin/v1/x/%2e%2e/keys",
        "/admin/v1/%6beys",
        "/admin/v1/%256beys",
        "/admin/v1/keys;a=b",
        "/admin/v1/keys%00",
        "/admin\\v1\\keys",
        "/Admin/V1/Keys",
        "/admin/v1/%c0%ae/keys",
    ],
)
def test_no_spelling_of_a_path_goes_around_authentication(gateway: RunningGateway, path: str) -> None:
    url = urlsplit(gateway.base_url)
    with socket.create_connection((str(url.hostname), url.port or 0), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = int(client.recv(4096).split()[1])
    assert status in (400, 401, 404)


def test_request_id_is_kept_or_replaced(admin: httpx.Client) -> None:
    assert admin.get(KEYS, headers={"X-Request-Id": "a.B-1_"}).headers["x-request-id"] == "a.B-1_"
    for harmful in ("", "a b", "é".encode().decode("latin-1"), "x" * 129, "<script>"):
        given = admin.get(KEYS, headers={b"X-Request-Id": harmful.encode("latin-1")})
        assert re.fullmatch("[0-9a-f]{32}", given.headers["x-request-id"])


def test_openapi_is_open_and_describes_the_admin_api(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.base_url}/openapi.json")
    assert answer.status_code == 200
    assert {KEYS, PROJECTS, f"{KEYS}/{{key_id}}"} <= answer.json()["paths"].keys()


def test_a_canary_key_is_in_no_file_log_or_metric(gateway: RunningGateway) -> None:
    """AUTH-1: neither the whole key nor its secret is left anywhere."""
    key = gateway.create_key(["infer"], project="canary")
    for path, attempt in ((KEYS, key), ("/v2", key), (f"{KEYS}/{key}", gateway.admin_key), (KEYS, key + "x")):
        httpx.get(gateway.base_url + path, headers=headers(attempt))
    httpx.delete(f"{gateway.base_url}{KEYS}/{key.split('_')[1]}", headers=gateway.admin_headers)
    secret = key.split("_")[2].encode()
    metrics = httpx.get(f"{gateway.ops_url}/metrics").content
    files = [file for file in gateway.state_dir.iterdir() if file.is_file()]
    assert {"gateway.db", "gateway.db-wal"} <= {file.name for file in files}
    places = {"metrics": metrics, "log": gateway.log.read_bytes()}
    places |= {file.name: file.read_bytes() for file in files}
    for place, content in places.items():
        assert secret not in content, place
    assert key.split("_")[1].encode() in places["gateway.db"] + places["gateway.db-wal"]
    admin_secret = gateway.admin_key.split("_")[2].encode()
    assert [place for place, content in places.items() if admin_secret in content] == ["admin-key"]


def test_admin_requests_are_logged_with_who_and_what(gateway: RunningGateway) -> None:
    httpx.get(gateway.base_url + KEYS, headers={**gateway.admin_headers, "X-Request-Id": "who-and-what"})
    [line] = [line for line in gateway.log_lines() if line.get("request_id") == "who-and-what"]
    assert (line["method"], line["route"], line["status"]) == ("GET", KEYS, 200)
    assert line["project"] == "admin"
    assert line["key_id"] == gateway.admin_key.split("_")[1]
    assert json.dumps(line)

"""Who is calling: every form of presenting a key, and every way to be refused."""

from __future__ import annotations

import contextlib
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, Gauge

from gateway.controlplane import keys
from gateway.controlplane.authenticator import MESSAGE, Authenticator
from gateway.controlplane.database import Database
from gateway.controlplane.keys import ApiKey
from gateway.controlplane.principals import Principals
from gateway.controlplane.store import Store
from gateway.errors import Unauthenticated, Unavailable
from tests.gateway.controlplane.support import PEPPER, add_key


@pytest.fixture
def principals(store: Store) -> Principals:
    return Principals(store, 0.1, Gauge("up", "up", registry=CollectorRegistry()))


@pytest.fixture
def authenticator(principals: Principals) -> Authenticator:
    return Authenticator(principals, PEPPER)


@pytest.fixture
async def key(store: Store, principals: Principals) -> ApiKey:
    made = await add_key(store, project="shop", scopes=("infer", "read"), models=("digits",))
    await principals.refresh()
    return made


def bearer(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Bearer " + text)]


def test_both_headers_name_the_same_caller(authenticator: Authenticator, key: ApiKey) -> None:
    principal = authenticator.authenticate(bearer(key.text))
    assert (principal.key_id, principal.project) == (key.key_id, "shop")
    assert principal.scopes == {"infer", "read"}
    assert principal.models == ("digits",)
    others = [(b"host", b"x"), (b"x-api-key", key.text), (b"accept", b"*/*")]
    assert authenticator.authenticate(others) == principal


def test_scheme_is_case_insensitive(authenticator: Authenticator, key: ApiKey) -> None:
    assert authenticator.authenticate([(b"authorization", b"bEARER " + key.text)])


def test_everything_else_gets_the_same_refusal(authenticator: Authenticator, key: ApiKey) -> None:
    good = key.text
    wrong_secret = good[:-1] + (b"A" if good[-1:] != b"A" else b"B")
    attempts: list[list[tuple[bytes, bytes]]] = [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Basic " + good)],
        [(b"authorization", good)],
        [(b"x-api-key", b"Bearer " + good)],
        [(b"x-api-key", b"")],
        bearer(good) + bearer(good),
        [*bearer(good), (b"x-api-key", good)],
        [(b"x-api-key", good), (b"x-api-key", good)],
        bearer(b" " + good),
        bearer(good + b" "),
        bearer(b"'; DROP TABLE api_keys; --"),
        bearer(good + b"\0"),
        bearer(b"x" * 1_000_000),
        bearer("tg_ключ".encode()),
        bearer(keys.generate().text),
        bearer(wrong_secret),
    ]
    for headers in attempts:
        with pytest.raises(Unauthenticated) as caught:
            authenticator.authenticate(headers)
        assert caught.value.message == MESSAGE
        assert (caught.value.status, caught.value.code) == (401, "unauthenticated")


async def test_another_pepper_opens_nothing(principals: Principals, key: ApiKey) -> None:
    with pytest.raises(Unauthenticated):
        Authenticator(principals, b"q" * 32).authenticate(bearer(key.text))


async def test_key_expires_at_its_instant(store: Store, principals: Principals) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    key = await add_key(store, expires_at=expires_at)
    await principals.refresh()
    now = expires_at.timestamp() - 0.001
    authenticator = Authenticator(principals, PEPPER, now=lambda: now)
    assert authenticator.authenticate(bearer(key.text)).key_id == key.key_id
    now = expires_at.timestamp()
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(bearer(key.text))


async def test_revoked_key_is_refused_after_the_next_look(
    store: Store, principals: Principals, authenticator: Authenticator, key: ApiKey
) -> None:
    await store.revoke_key(key.key_id, "tester")
    assert authenticator.authenticate(bearer(key.text))
    await principals.refresh()
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(bearer(key.text))


async def test_nobody_is_called_unknown_before_the_keys_were_read(
    authenticator: Authenticator, principals: Principals
) -> None:
    with pytest.raises(Unavailable):
        authenticator.authenticate(bearer(keys.generate().text))
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(bearer(b"malformed"))
    await principals.refresh()
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(bearer(keys.generate().text))


async def test_refusing_touches_no_database(
    authenticator: Authenticator, key: ApiKey, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "engine", None)
    assert authenticator.authenticate(bearer(key.text)).key_id == key.key_id
    for text in (keys.generate().text, b"malformed"):
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(bearer(text))


async def test_time_does_not_tell_which_ids_exist(authenticator: Authenticator, key: ApiKey) -> None:
    """AUTH-3: 10 000 interleaved attempts, medians within 50 µs."""
    existing = bearer(key.text[:-1] + (b"A" if key.text[-1:] != b"A" else b"B"))
    unknown = bearer(b"tg_" + key.key_id[::-1].encode() + key.text[key.text.rindex(b"_") :])
    taken: dict[str, list[int]] = {"existing": [], "unknown": []}
    for _ in range(5000):
        for name, headers in (("existing", existing), ("unknown", unknown)):
            begin = time.perf_counter_ns()
            with contextlib.suppress(Unauthenticated):
                authenticator.authenticate(headers)
            taken[name].append(time.perf_counter_ns() - begin)
    difference = statistics.median(taken["existing"]) - statistics.median(taken["unknown"])
    assert abs(difference) < 50_000

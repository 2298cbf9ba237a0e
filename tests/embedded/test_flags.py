"""Command lines for servers that know more, and fewer, flags."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from embedded.config import TritonConfig
from embedded.errors import UnsupportedServerError, WheelNotFoundError
from embedded.flags import Flag, known_flags, select
from embedded.launcher import Installation
from embedded.shared_memory import this_process
from embedded.wheel import find_wheel


@pytest.fixture(scope="module")
def known() -> frozenset[str]:
    return known_flags(find_wheel().server)


def installation(tmp_path: Path, flags: frozenset[str], **settings: object) -> Installation:
    config = TritonConfig(tmp_path, tmp_path / "state", **settings)  # type: ignore[arg-type]
    return Installation(config, find_wheel(), tmp_path / "backends", "s" * 20, flags)


def test_the_wheels_server_says_what_it_knows(known: frozenset[str]) -> None:
    assert {"model-repository", "http-restricted-api", "strict-readiness"} <= known
    assert "allow-client-shm" not in known  # came with a later server


def test_unknown_flags_are_left_out() -> None:
    flags = [Flag("old", "1"), Flag("newer", "2"), Flag("bare")]
    assert select(flags, frozenset({"old", "bare"})) == ["--old=1", "--bare"]


def test_a_newer_server_gets_its_flags(tmp_path: Path, known: frozenset[str]) -> None:
    newer = installation(tmp_path, known | {"allow-client-shm"})
    assert "--allow-client-shm=false" in newer.arguments(this_process(0), ())


@pytest.mark.parametrize("flag", ["http-restricted-api", "grpc-restricted-protocol", "model-control-mode"])
def test_a_server_without_a_security_flag_is_not_started(
    tmp_path: Path, known: frozenset[str], flag: str
) -> None:
    with pytest.raises(UnsupportedServerError, match=f"--{flag}"):
        installation(tmp_path, known - {flag}).arguments(this_process(0), ())


def test_the_command_line_is_the_guarded_one(tmp_path: Path, known: frozenset[str]) -> None:
    arguments = installation(tmp_path, known, host="127.0.0.1").arguments(this_process(0), ("a", "b"))
    for expected in (
        "--model-control-mode=explicit", "--strict-readiness=false", "--exit-on-error=false",
        "--disable-auto-complete-config", "--http-address=127.0.0.1", "--grpc-address=127.0.0.1",
        "--metrics-address=127.0.0.1", "--load-model=a", "--load-model=b",
    ):  # fmt: skip
        assert expected in arguments


def test_the_environment_leads_to_this_interpreter_and_hides_our_secrets(
    tmp_path: Path, known: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_ADMIN_KEY", "tg_x_y")
    environment = installation(tmp_path, known).environment()
    assert environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    assert environment["LD_LIBRARY_PATH"].split(":")[0] == str(tmp_path / "backends" / "lib")
    assert not [name for name in environment if name.startswith("TIDEGATE_")]


def test_something_that_is_no_server_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "tritonserver"
    broken.write_text("#!/bin/sh\necho 'libcurl.so: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(WheelNotFoundError, match="libcurl"):
        known_flags(broken)
    with pytest.raises(WheelNotFoundError, match="does not run on this machine"):
        known_flags(tmp_path / "missing")

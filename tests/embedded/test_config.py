"""Settings that make no sense are refused when they are made, not when the server starts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from embedded.admin_secret import SECRET_FILE, admin_secret
from embedded.config import TritonConfig
from embedded.errors import ConfigurationError, PortInUseError
from embedded.ports import require_free


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"http_port": 0}, "Port 0 \\(--http-port\\) does not exist"),
        ({"grpc_port": 8000}, "Two of Triton's ports are the same"),
        ({"load_models": ("*", "digits")}, "already loads every model"),
        ({"shm_bytes": 1000}, "needs at least 1048576"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TritonConfig(tmp_path, tmp_path / "state", **settings)


def test_a_missing_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a directory; create it"):
        TritonConfig(tmp_path / "nowhere", tmp_path)


def test_a_port_in_use_is_named_with_its_owner_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"Port {port} \(--grpc-port\).*another with --grpc-port"):
            require_free("127.0.0.1", {"--grpc-port": port})
    require_free("127.0.0.1", {"--grpc-port": port})


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{port} is no port.*--http-port"):
        require_free("127.0.0.1", {"--http-port": port})


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="choose an address of this machine"):
        require_free("192.0.2.1", {"--http-port": 8000})


def test_the_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    secret = admin_secret(tmp_path)
    assert len(secret) >= 32
    assert admin_secret(tmp_path) == secret
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [SECRET_FILE]


def test_a_configured_secret_wins_and_is_not_written(tmp_path: Path) -> None:
    assert admin_secret(tmp_path, "from-the-environment") == "from-the-environment"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "secret", ["short", "with,comma-0123456789", "with space 0123456789", "a=b:0123456789abc"]
)
def test_a_secret_that_would_not_survive_the_command_line_is_refused(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="must be 16 to 256"):
        admin_secret(tmp_path, secret)

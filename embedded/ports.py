"""Checks that a port is free before something is started on it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

import psutil

from embedded.errors import ConfigurationError, PortInUseError

MAX_PORT = 65535


def require_free(host: str, ports: Mapping[str, int]) -> None:
    """Refuse to go on while something listens on one of the ports.

    Args:
        host: address the ports will listen on.
        ports: the option that sets a port, e.g. `--http-port`, → port.

    Raises:
        PortInUseError: a port is taken; the message names it, its owner if visible, and what to do.
        ConfigurationError: a number is no port, or the address is not one of this machine.
    """
    for option, port in ports.items():
        if not 0 < port <= MAX_PORT:
            raise ConfigurationError(f"{port} is no port; choose one from 1 to {MAX_PORT} with {option}.")
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # As the servers do: connections of a dead server in TIME_WAIT are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"Cannot listen on {host}:{port} ({error.strerror}); choose an address of this machine "
                    "and a port from 1024 on."
                ) from None
            raise PortInUseError(
                f"Port {port} ({option}) is already in use{_owner(port)}; stop what uses it, or choose "
                f"another with {option}."
            ) from None


def _owner(port: int) -> str:
    """Who listens there, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""

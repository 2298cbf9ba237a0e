"""Runs the gateway: two HTTP servers in one event loop, and the order in which they stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from gateway.app import Gateway, create_app
from gateway.errors import CannotStart
from gateway.http_protocol import Connections, HttpProtocol
from gateway.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 2048
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to `run` and speaks `HttpProtocol`."""

    def __init__(self, app: Callable[..., Any], settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_timeout,
                timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
            )
        )
        self.shared = Connections()
        self.server_state = self.shared

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: two servers share this process, and the order of stopping matters."""
        yield


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, drain, and return.

    Raises:
        CannotStart: when a port is taken or the gateway cannot work as it is set up.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = _stop_event()
    gateway = create_app(settings)
    with (
        _listener(settings.ops_host, settings.ops_port, "TIDEGATE_OPS_PORT") as ops_socket,
        _listener(settings.http_host, settings.http_port, "TIDEGATE_HTTP_PORT") as api_socket,
    ):
        ops = Server(gateway.ops, settings)
        ops_task = asyncio.create_task(ops.serve([ops_socket]), name="ops")
        try:
            await gateway.start()
            api = Server(gateway.api, settings)
            api_task = asyncio.create_task(api.serve([api_socket]), name="api")
            _calm_collector()
            _log_listening(api_socket, ops_socket)
            await _until(stop, api_task, ops_task)
            await _drain(gateway, api, api_task, settings)
        finally:
            ops.should_exit = True
            await ops_task
            await gateway.stop()
    log.info("stopped")


def _calm_collector() -> None:
    """Let the cycle collector pass over what lives as long as the process.

    With Python's defaults it walked every module and route once per 700 allocations, a quarter of the CPU
    of small inferences.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _until(stop: asyncio.Event, *servers: asyncio.Task[None]) -> None:
    """Return at the signal; a server that ended before it ended by a defect, which is raised."""
    signalled = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait((signalled, *servers), return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    for task in done - {signalled}:
        task.result()


async def _drain(gateway: Gateway, api: Server, api_task: asyncio.Task[None], settings: Settings) -> None:
    gateway.drain.begin()
    api.shared.draining = True
    log.info("draining", extra={"delay": settings.drain_delay, "timeout": settings.drain_timeout})
    # Load balancers need this long to see /readyz and send new work elsewhere.
    await asyncio.sleep(settings.drain_delay)
    api.should_exit = True
    await api_task


def _stop_event() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second signal ends the process at once."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        event.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, first)
    return event


@contextlib.contextmanager
def _listener(host: str, port: int, setting: str) -> Iterator[socket.socket]:
    """Bind, here and not in uvicorn, so that a port in use is reported in a sentence."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotStart(
            f"The address {host!r} of {setting} is unknown ({error.strerror}); set {_host_of(setting)}."
        ) from error
    with socket.socket(family, kind, proto) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} cannot be listened to ({error.strerror}); stop what uses it, "
                f"or set {setting} to another port."
            ) from error
        yield listener


def _host_of(setting: str) -> str:
    return setting.replace("_PORT", "_HOST")


def _log_listening(api: socket.socket, ops: socket.socket) -> None:
    log.info(
        "listening",
        extra={
            "http_host": api.getsockname()[0],
            "http_port": api.getsockname()[1],
            "ops_host": ops.getsockname()[0],
            "ops_port": ops.getsockname()[1],
        },
    )

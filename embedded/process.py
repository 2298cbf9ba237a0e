"""One run of a tritonserver: a process group of the server and its model processes."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO

import psutil

from embedded.launcher import Installation
from embedded.logs import log_triton_line
from embedded.shared_memory import RegionOwner, remove_regions

_LOGGER = logging.getLogger("embedded.process")
_PR_SET_PDEATHSIG = 1
_EMPTY_SECONDS = 2.0


class TritonProcess:
    """A started server.

    It must be started by a thread that lives as long as the server should: the kernel ends the server
    when that thread ends, so that it cannot outlive a killed supervisor.

    Args:
        installation: the prepared server.
        owner: whom its shared memory is named after.
        load_models: models to load while starting.
    """

    def __init__(self, installation: Installation, owner: RegionOwner, load_models: tuple[str, ...]) -> None:
        self._owner = owner
        self._exit_timeout = installation.config.exit_timeout_seconds
        self._popen = subprocess.Popen(
            installation.arguments(owner, load_models),
            env=installation.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: a Ctrl-C in the terminal reaches the supervisor, which stops the server
            # gracefully, and not the model processes, which would die under it.
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()),
        )
        self.pid = self._popen.pid
        self.started_at = time.monotonic()
        assert self._popen.stdout is not None  # noqa: S101 - stdout is a pipe
        self._pump = threading.Thread(
            target=_pump, args=(self._popen.stdout, installation.secret), name="triton-output", daemon=True
        )
        self._pump.start()

    def exit_code(self) -> int | None:
        """The exit code once the server is gone (negative: killed by that signal), else None."""
        return self._popen.poll()

    def stop(self) -> bool:
        """Stop gracefully: SIGTERM, the exit timeout, then SIGKILL for whatever is left.

        Returns:
            Whether the server ended without cutting off a request.
        """
        with contextlib.suppress(ProcessLookupError):
            # To the server alone: it ends its model processes once their requests are done.
            self._popen.send_signal(signal.SIGTERM)
            # A stopped process does not see the signal until it is continued.
            self._popen.send_signal(signal.SIGCONT)
        # Triton bounds the requests in flight by its own timeout; unloading comes on top.
        deadline = time.monotonic() + self._exit_timeout + 5
        idle_since: float | None = None
        while self._popen.poll() is None and time.monotonic() < deadline:
            if self._has_live_models():
                idle_since = None
            elif idle_since is None:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > _EMPTY_SECONDS:
                # Triton can wait for ever for a model process that was killed; nothing runs any more.
                self.kill()
                return True
            time.sleep(0.05)
        graceful = self._popen.poll() == 0
        if not graceful:
            _LOGGER.warning("server did not stop in time and is killed", extra={"pid": self.pid})
        self.kill()
        return graceful

    def _has_live_models(self) -> bool:
        try:
            children = psutil.Process(self.pid).children()
            return any(child.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) for child in children)
        except psutil.Error:
            return True

    def kill(self) -> int:
        """End the server and its model processes at once, and remove their shared memory.

        Returns:
            The exit code of the server.
        """
        # The group outlives its leader, whose pid is not reused while a member is alive.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._popen.wait()
        self._pump.join(timeout=5)
        removed = remove_regions(self._owner)
        if removed:
            _LOGGER.info("removed shared memory of the dead server", extra={"regions": len(removed)})
        return code


def _pump(output: IO[bytes], secret: str) -> None:
    logger = logging.getLogger("triton")
    with output:
        for raw in output:
            log_triton_line(logger, raw.decode(errors="replace").replace(secret, "***"))


def _die_with_parent(parent: int) -> Callable[[], None]:
    # Resolved before the fork: between fork and exec nothing may be imported or locked.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def run() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return run

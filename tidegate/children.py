"""Child processes of `tidegate up`: started in a process group of their own, never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.errors import ChildDied

PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 15


class Child:
    """One child process whose output goes to a log file.

    It leads a process group of its own, so that Ctrl-C in the terminal reaches only `tidegate up`, which
    then stops the children in order; should `tidegate up` be killed, the kernel sends them SIGTERM.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def exit_code(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise `ChildDied`, with the end of the log, if the process has ended."""
        if (code := self.exit_code) is not None:
            raise ChildDied(
                f"{self.name} ended with exit status {code}.\n{self.tail()}\nIts whole log: {self.log}"
            )

    def tail(self) -> str:
        """Return the last lines of what this process logged since its start."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])

    def stop(self, deadline: float) -> None:
        """Send SIGTERM and wait; after `deadline` seconds kill the whole process group."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

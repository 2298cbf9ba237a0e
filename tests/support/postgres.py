"""A real PostgreSQL for tests: a server of this machine's own installation on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.triton import free_ports

START_SECONDS = 60.0
STOP_SECONDS = 30.0
USER = "tidegate"
# Where Debian puts the servers it does not put on the PATH.
DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """Return the directory with `initdb` and `postgres`, the newest if there are several, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


@contextmanager
def running_postgres(bin_dir: Path, folder: Path) -> Iterator[str]:
    """Run a PostgreSQL until the block ends; yields the URL of an empty database.

    Args:
        bin_dir: from `programs`.
        folder: a new directory whose parents anybody may enter; root cannot run PostgreSQL, so it becomes
            `nobody`'s then.
    """
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    if as_nobody:
        os.chown(folder, 65534, 65534)
    data, log = folder / "data", folder / "postgres.log"
    subprocess.run(
        [*as_nobody, bin_dir / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        timeout=START_SECONDS,
    )
    [port] = free_ports(1)
    options = [
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={folder}",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*as_nobody, bin_dir / "postgres", "-D", data, "-p", str(port), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
    try:
        _wait_ready(bin_dir, port, process, log)
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # "fast": does not wait for connections somebody forgot
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_ready(bin_dir: Path, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    command = [str(bin_dir / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    while subprocess.run(command, check=False).returncode != 0:
        assert process.poll() is None, f"PostgreSQL ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"PostgreSQL was not ready in time:\n{log.read_text()}"
        time.sleep(0.05)

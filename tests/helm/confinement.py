"""A process with a container's rights: read-only root file system, no capabilities, volumes of others.

It takes root and Linux namespaces, which not every machine grants; there the processes run unconfined, and
the test of the confinement itself says so.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.helm.rendering import ROOT

# Each volume becomes a mount of its own, so that it stays writable when the root is not.
_SCRIPT = """
while [ "$1" != -- ]; do mount --bind "$1" "$1" || exit 125; shift; done
shift
[ -z "$1" ] || mount --bind "$1" /tmp || exit 125
shift
mount -o remount,bind,ro / || exit 125
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""
# Kubernetes makes a volume root's, of the pod's group; here the pod is root without capabilities, so it is
# nobody's.
_OWNER = 65534
_TMP = Path("/tmp")


def confined(command: list[str], volumes: Iterable[Path], tmp: Path | None = None) -> list[str]:
    """Return the command that runs `command` confined; itself where that cannot be.

    Args:
        command: what to run.
        volumes: directories it may write into.
        tmp: the directory it sees as `/tmp`, which would be read-only otherwise.
    """
    if not available():
        return command
    return [
        "unshare",
        "--mount",
        "sh",
        "-c",
        _SCRIPT,
        "sh",
        *map(str, volumes),
        "--",
        str(tmp or ""),
        *command,
    ]


def give_away(volume: Path) -> None:
    """Make a volume as `fsGroup` does: writable by the pod's group, owned by somebody else."""
    if available():
        os.chown(volume, _OWNER, os.getgid())
        volume.chmod(0o2775)


@functools.cache
def available() -> bool:
    """Tell whether this machine lets a test confine a process."""
    hidden = any(_TMP in path.resolve().parents for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix)))
    if os.getuid() != 0 or hidden:
        return False
    command = ["unshare", "--mount", "sh", "-c", _SCRIPT, "sh", "--", "", "true"]
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False

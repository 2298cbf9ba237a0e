"""The samples' checkpoints, trained once for a whole test run."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import samples


@functools.cache
def trained_samples() -> Path:
    """Folder of the checkpoints, named `checkpoints`; its parent serves as a state directory."""
    state = Path(tempfile.mkdtemp(prefix="tidegate-samples-"))
    atexit.register(shutil.rmtree, state, ignore_errors=True)
    for name in samples.SAMPLES:
        samples.train(name, state / "checkpoints")
    return state / "checkpoints"

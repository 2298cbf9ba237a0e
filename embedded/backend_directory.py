"""The directory Triton takes its backends from, put together from the wheel and from this package.

```
<state_dir>/triton/backends-<fingerprint>/
├── lib/libpython3.x.so.1.0                 the one library the stub needs besides the wheel's own
├── python/                                 the wheel's Python backend with this interpreter's stub
└── onnxruntime/
    ├── model.py                            where Triton looks for a Python-based backend
    └── tidegate_onnxruntime/               our backend, a copy of `embedded/backends/onnxruntime`
```
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from embedded.wheel import TritonWheel

_SOURCES = Path(__file__).parent / "backends" / "onnxruntime"
_ENTRY = "entry.py"


def assemble(state_dir: Path, wheel: TritonWheel, libpython: Path) -> Path:
    """Build the backend directory unless it is there already, and return it.

    The name carries a fingerprint of everything inside, and the finished directory is renamed into
    place: a server that runs from an older one keeps it, and two starts at once cannot meet half of it.

    Args:
        state_dir: where Tidegate keeps its state; created if missing.
        wheel: the installed Triton.
        libpython: the shared library for the stub.
    """
    parent = state_dir / "triton"
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / f"backends-{_fingerprint(wheel, libpython)}"
    if target.is_dir():
        return target
    staging = Path(tempfile.mkdtemp(prefix="backends-staging-", dir=parent))
    try:
        _fill(staging, wheel, libpython)
        staging.chmod(0o755)
        try:
            staging.rename(target)
        except OSError:
            # Another start finished first; its directory has the same contents.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _fill(directory: Path, wheel: TritonWheel, libpython: Path) -> None:
    python = directory / "python"
    python.mkdir()
    # Copies, because Triton refuses a backend library whose real path lies outside its directory.
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copyfile(wheel.python_backend / name, python / name)
    shutil.copy(wheel.stub, python / wheel.stub.name)

    # A link of its own instead of libpython's directory: that one may hold libraries (conda's libssl,
    # libstdc++) that must not replace the ones the server was built with.
    (directory / "lib").mkdir()
    (directory / "lib" / libpython.name).symlink_to(libpython.resolve())

    ours = directory / "onnxruntime"
    package = ours / "tidegate_onnxruntime"
    package.mkdir(parents=True)
    for source in _backend_sources():
        shutil.copyfile(source, ours / "model.py" if source.name == _ENTRY else package / source.name)


def _backend_sources() -> list[Path]:
    return sorted(_SOURCES.glob("*.py"))


def _fingerprint(wheel: TritonWheel, libpython: Path) -> str:
    digest = hashlib.sha256()
    for part in (wheel.version, wheel.stub, wheel.python_backend, libpython.resolve()):
        digest.update(os.fsencode(str(part)) + b"\0")
    for source in _backend_sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]

"""The real Triton inside the `nvidia-pytriton` wheel: where its parts are."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import UnsupportedNumpyError, UnsupportedPythonError, WheelNotFoundError

# Newer Pythons have a stub in the wheel but no numpy below 2, which the stub needs.
NEWEST_PYTHON = (3, 12)


@dataclass(frozen=True)
class TritonWheel:
    """The parts of an installed `nvidia-pytriton` wheel.

    Attributes:
        server: the `tritonserver` executable.
        libraries: directory of the shared libraries the wheel brings.
        python_backend: directory with `libtriton_python.so` and its Python helpers.
        stub: the model process executable for this interpreter.
        caches: directory for `--cache-directory`.
        version: version of the wheel.
    """

    server: Path
    libraries: Path
    python_backend: Path
    stub: Path
    caches: Path
    version: str


def find_wheel(python: tuple[int, int] | None = None) -> TritonWheel:
    """Find Triton inside the installed `nvidia-pytriton`.

    Args:
        python: major and minor version of the interpreter that runs the models; this one's by default.

    Raises:
        WheelNotFoundError: the wheel is not installed, or a file of it is missing.
        UnsupportedPythonError: it has no stub for this Python, or none that works.
    """
    python = python or (sys.version_info.major, sys.version_info.minor)
    # Found without importing it: the import would pull in a web framework and start threads.
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise WheelNotFoundError(
            "The embedded Triton needs the nvidia-pytriton wheel, which is not installed in this "
            'environment; install it with `pip install "tidegate[embedded]"`.'
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    root = package / "tritonserver"
    wheel = TritonWheel(
        server=root / "bin" / "tritonserver",
        libraries=package.parent / "nvidia_pytriton.libs",
        python_backend=root / "backends" / "python",
        stub=_find_stub(root / "python_backend_stubs", python),
        caches=root / "caches",
        version=importlib.metadata.version("nvidia-pytriton"),
    )
    for part in (wheel.server, wheel.libraries, wheel.python_backend / "libtriton_python.so"):
        if not part.exists():
            raise WheelNotFoundError(
                f"The installed nvidia-pytriton {wheel.version} has no {part.name}: the installation is "
                "incomplete; repair it with `pip install --force-reinstall nvidia-pytriton`."
            )
    return wheel


def _find_stub(stubs: Path, python: tuple[int, int]) -> Path:
    name = f"{python[0]}.{python[1]}"
    stub = stubs / name / "triton_python_backend_stub"
    if python > NEWEST_PYTHON or not stub.exists():
        raise UnsupportedPythonError(
            f"The embedded Triton cannot run models on Python {name}; use a virtual environment with "
            "Python 3.11 or 3.12."
        )
    return stub


def check_numpy(version: str | None = None) -> None:
    """Refuse a numpy with which the wheel's stubs read and write wrong numbers.

    They were built against numpy 1: with numpy 2, tensors arrive corrupted without any error.

    Args:
        version: version to judge; the installed one by default.

    Raises:
        UnsupportedNumpyError: it is 2 or newer, or numpy is missing.
    """
    if version is None:
        try:
            version = importlib.metadata.version("numpy")
        except importlib.metadata.PackageNotFoundError:
            raise UnsupportedNumpyError(
                'The embedded Triton needs numpy below 2; install it with `pip install "numpy<2"`.'
            ) from None
    if int(version.split(".", 1)[0]) >= 2:
        raise UnsupportedNumpyError(
            f"numpy {version} is installed, and the embedded Triton's model processes corrupt tensors with "
            'numpy 2 or newer; install an older one with `pip install "numpy<2"`.'
        )

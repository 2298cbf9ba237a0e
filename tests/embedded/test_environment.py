"""An environment that cannot run Triton is refused in a sentence that says what to install."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from embedded.errors import (
    LibpythonNotFoundError,
    UnsupportedNumpyError,
    UnsupportedPythonError,
    WheelNotFoundError,
)
from embedded.libpython import find_libpython, libpython_name
from embedded.wheel import check_numpy, find_wheel
from tests.support.triton import ROOT


def test_the_installed_wheel_is_complete() -> None:
    wheel = find_wheel()
    assert wheel.server.is_file()
    assert wheel.stub.is_file()
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in str(wheel.stub)


@pytest.mark.parametrize("python", [(3, 13), (3, 14), (3, 7)])
def test_a_python_without_a_working_stub_is_refused(python: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedPythonError, match=r"use a virtual environment with Python 3\.11 or 3\.12"):
        find_wheel(python)


def test_a_missing_wheel_is_named(tmp_path: Path) -> None:
    # A real environment without the wheel, not a patched import system.
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    script = "from embedded.wheel import find_wheel; find_wheel()"
    answer = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-c", _without_package_init(script)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert WheelNotFoundError.__name__ in answer.stderr
    assert 'pip install "tidegate[embedded]"' in answer.stderr


def _without_package_init(script: str) -> str:
    # `embedded/__init__.py` imports what this bare environment lacks; the module under test does not.
    return (
        "import sys, types; package = types.ModuleType('embedded'); package.__path__ = ['embedded']; "
        f"sys.modules['embedded'] = package; {script}"
    )


@pytest.mark.parametrize("version", ["2.0.0", "2.4.6", "3.1"])
def test_numpy_2_is_refused(version: str) -> None:
    with pytest.raises(UnsupportedNumpyError, match=r'pip install "numpy<2"'):
        check_numpy(version)


def test_numpy_1_is_accepted() -> None:
    check_numpy("1.26.4")
    check_numpy()


def test_the_own_libpython_is_found() -> None:
    found = find_libpython()
    assert found.name == libpython_name()
    assert found.is_file()


def test_directories_are_searched_in_order(tmp_path: Path) -> None:
    name = libpython_name()
    for directory in ("second", "third"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / name).write_bytes(b"")
    directories = [tmp_path / "first", tmp_path / "second", tmp_path / "third"]
    assert find_libpython(directories=directories) == tmp_path / "second" / name


def test_a_missing_libpython_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(LibpythonNotFoundError, match=r"apt-get install libpython3\.12"):
        find_libpython((3, 12), directories=[tmp_path])

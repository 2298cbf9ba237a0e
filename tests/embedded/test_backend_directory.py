"""The assembled backend directory: complete, reused, and never seen half-made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from embedded.backend_directory import assemble
from embedded.libpython import find_libpython
from embedded.wheel import find_wheel


def test_it_holds_what_triton_looks_for(tmp_path: Path) -> None:
    directory = assemble(tmp_path, find_wheel(), find_libpython())
    assert (directory / "python" / "libtriton_python.so").is_file()
    assert (directory / "python" / "triton_python_backend_utils.py").is_file()
    assert (directory / "python" / "triton_python_backend_stub").stat().st_mode & 0o111
    assert (directory / "onnxruntime" / "model.py").is_file()
    assert (directory / "onnxruntime" / "tidegate_onnxruntime" / "model.py").is_file()
    assert (directory / "lib" / find_libpython().name).resolve().is_file()


def test_a_second_start_reuses_it(tmp_path: Path) -> None:
    first = assemble(tmp_path, find_wheel(), find_libpython())
    made = (first / "onnxruntime" / "model.py").stat().st_mtime_ns
    assert assemble(tmp_path, find_wheel(), find_libpython()) == first
    assert (first / "onnxruntime" / "model.py").stat().st_mtime_ns == made


def test_starts_at_the_same_time_agree_and_leave_no_staging_directory(tmp_path: Path) -> None:
    wheel, libpython = find_wheel(), find_libpython()
    with ThreadPoolExecutor(8) as pool:
        directories = set(pool.map(lambda _: assemble(tmp_path, wheel, libpython), range(8)))
    assert len(directories) == 1
    assert [path.name for path in (tmp_path / "triton").iterdir()] == [next(iter(directories)).name]


def test_another_libpython_gets_another_directory(tmp_path: Path) -> None:
    other = tmp_path / "libpython3.11.so.1.0"
    other.write_bytes(b"")
    wheel = find_wheel()
    assert assemble(tmp_path, wheel, other) != assemble(tmp_path, wheel, find_libpython())

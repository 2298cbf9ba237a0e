"""The whole export, with its conversion in a process of its own."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import export
from export.errors import ChildCrashError, GateError, SpecError
from tests.export.workshop import AFFINE, Workshop


def test_an_export_publishes_a_version_with_its_evidence(workshop: Workshop) -> None:
    checkpoint = workshop.checkpoint()
    checkpoint.with_suffix(".training.json").write_text('{"epochs": 3}')
    (workshop.folder / "classes.txt").write_text("no\nyes\n")
    spec = workshop.spec(outputs=[{**AFFINE["outputs"][0], "labels": "classes.txt"}])
    seen: list[tuple[str, int, int]] = []
    result = export.export_model(spec, workshop.folder / "models", progress=lambda *call: seen.append(call))
    assert (result.model, result.version) == ("affine", 1)
    assert list(result.seconds) == list(export.STEPS)
    assert seen == [(step, i + end, 6) for i, step in enumerate(export.STEPS) for end in (0, 1)]
    assert result.sizes["model.onnx"] == (result.path / "model.onnx").stat().st_size
    repository = export.ModelRepository(workshop.folder / "models")
    assert repository.verify("affine", 1) == ()
    manifest = repository.manifest("affine", 1)
    assert manifest["training"] == {"epochs": 3}
    assert manifest["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert manifest["spec"]["text"] == spec.read_text()
    assert len(manifest["parity"]) == len(result.parity) == 4
    assert {"torch", "onnx", "onnxruntime", "tidegate", "python"} <= set(manifest["tools"])
    # A manifest travels: it tells nothing about the machine's folders.
    assert str(workshop.folder) not in json.dumps(manifest)
    labels = [path.read_text() for path in (workshop.folder / "models" / "affine").glob("*.labels.txt")]
    assert labels == ["no\nyes\n"]


def test_nothing_is_published_when_a_gate_refuses(workshop: Workshop) -> None:
    workshop.checkpoint()
    repository = workshop.folder / "models"
    spec = workshop.spec(architecture="tests.export.tiny_models:Dropping")
    with pytest.raises(GateError, match="the parity gate refused"):
        export.export_model(spec, repository)
    assert [path.name for path in repository.iterdir()] == [".lock"]


def test_a_death_of_the_conversion_is_a_sentence(workshop: Workshop) -> None:
    workshop.checkpoint()
    spec = workshop.spec(architecture="tests.export.tiny_models:Dying")
    with pytest.raises(ChildCrashError, match=r"died in step 'load' \(killed, .* nothing was published"):
        export.export_model(spec, workshop.folder / "models")
    assert [path.name for path in (workshop.folder / "models").iterdir()] == [".lock"]


def test_an_architecture_beside_the_spec_that_prints_like_an_answer(workshop: Workshop) -> None:
    workshop.checkpoint()
    (workshop.folder / "my_net.py").write_text("from tests.export.tiny_models import Chatty as Net\n")
    spec = workshop.spec(architecture="my_net:Net")
    assert export.export_model(spec, workshop.folder / "models", version=5).version == 5


def test_labels_that_do_not_fit_are_refused_before_anything_runs(workshop: Workshop) -> None:
    (workshop.folder / "classes.txt").write_text("one\ntwo\nthree\n")
    spec = workshop.spec(outputs=[{**AFFINE["outputs"][0], "labels": "classes.txt"}])
    with pytest.raises(SpecError, match="3 labels for output y, which has 2 elements"):
        export.export_model(spec, workshop.folder / "models")
    assert not (workshop.folder / "models").exists()


def test_the_conversion_ends_with_the_export_that_started_it(workshop: Workshop) -> None:
    workshop.checkpoint()
    pid_file = workshop.folder / "pid"
    spec = workshop.spec(
        architecture="tests.export.tiny_models:Waiting", arguments={"pid_file": str(pid_file)}
    )
    code = "import sys, pathlib, export; export.export_model(*map(pathlib.Path, sys.argv[1:]))"
    parent = subprocess.Popen([sys.executable, "-c", code, spec, workshop.folder / "models"])
    try:
        _wait_until(pid_file.exists, 60)
        _wait_until(lambda: pid_file.read_text() != "", 10)
        child = int(pid_file.read_text())
        assert _is_running(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _wait_until(lambda: not _is_running(child), 20)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, export; "
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'numpy', 'pydantic', 'yaml', 'google', 'grpc'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

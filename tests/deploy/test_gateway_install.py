"""The gateway image's install command in a clean virtual environment gives a gateway that serves."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.controlplane.database import DRIVERS
from tests.deploy.dockerfile import DEPLOY, ROOT, copied, instructions

DOCKERFILE = DEPLOY / "gateway.Dockerfile"
UNWANTED = (
    "torch",
    "onnx",
    "onnxruntime",
    "pytriton",
    "export",
    "embedded",
    "samples",
)
START_SECONDS = 30


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment that ran the Dockerfile's install command."""
    context = tmp_path_factory.mktemp("context")
    for source in copied(DOCKERFILE):
        if source.is_dir():
            shutil.copytree(source, context / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context)
    venv = tmp_path_factory.mktemp("venv")
    # Without pip, which takes seconds to install; the one that runs the tests does the work.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (install,) = (i.text for i in instructions(DOCKERFILE) if i.text.startswith("pip install"))
    words = shlex.split(install)
    # A cache is what makes a second run quick; the image has no use for one.
    words.remove("--no-cache-dir")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(venv / "bin" / "python"),
        *words[1:],
        "--no-compile",
    ]
    answer = subprocess.run(command, cwd=context, capture_output=True, text=True, check=False, timeout=170)
    assert answer.returncode == 0, answer.stderr
    return venv / "bin" / "python"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the image, on loopback and free ports."""
    (text,) = (i.text for i in instructions(DOCKERFILE) if i.name == "ENV" and "TIDEGATE" in i.text)
    found = dict(pair.partition("=")[::2] for pair in shlex.split(text))
    assert found["TIDEGATE_STATE_DIR"] == "/var/lib/tidegate/state"
    assert found["TIDEGATE_HTTP_HOST"] == found["TIDEGATE_OPS_HOST"] == "0.0.0.0"
    return {
        "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1",
        "TIDEGATE_STATE_DIR": str(tmp_path / "state"), "TIDEGATE_HTTP_PORT": "0", "TIDEGATE_OPS_PORT": "0",
    }  # fmt: skip


def test_nothing_of_the_other_parts_is_installed(python: Path) -> None:
    program = f"import importlib.util as u; print([n for n in {UNWANTED!r} if u.find_spec(n)])"
    answer = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_every_database_can_be_spoken_to(python: Path) -> None:
    """A driver that is missing shows only where somebody sets TIDEGATE_DATABASE_URL."""
    modules = [driver.partition("+")[2] for driver in DRIVERS.values()]
    program = f"import importlib; [importlib.import_module(name) for name in {modules!r}]"
    answer = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_the_check_passes_and_fails(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    command = [str(python), *_command()[1:], "--check"]
    assert subprocess.run(command, env=environment, cwd=tmp_path, check=False).returncode == 0
    wrong = {**environment, "TIDEGATE_HTTP_PORT": "many"}
    answer = subprocess.run(command, env=wrong, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "TIDEGATE_HTTP_PORT" in answer.stderr


def test_the_images_command_serves(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Database migrations and all: what is missing from the installed package shows only at the start."""
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), *_command()[1:]], env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        listening = next(_listening(process, log))
        ops = f"http://127.0.0.1:{listening['ops_port']}"
        assert httpx.get(f"{ops}/livez").status_code == 200
        assert httpx.get(f"{ops}/readyz").status_code == 503  # there is no Triton
        admin_key = (tmp_path / "state" / "admin-key").read_text().strip()
        answer = httpx.get(
            f"http://127.0.0.1:{listening['http_port']}/admin/v1/keys", headers={"X-API-Key": admin_key}
        )
        assert answer.status_code == 200
    finally:
        process.terminate()
        assert process.wait(40) == 0


def test_the_image_is_about_the_version_of_the_chart() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    chart = (ROOT / "helm" / "tidegate" / "Chart.yaml").read_text()
    assert version is not None
    assert f"appVersion: {version[1]}" in chart
    assert f"tidegate-gateway:{version[1]}" in DOCKERFILE.read_text()


def _command() -> list[str]:
    (command,) = (i.words for i in instructions(DOCKERFILE) if i.name == "CMD")
    assert command[0] == "python"
    return command


def _listening(process: subprocess.Popen[bytes], log: Path) -> Iterator[dict[str, int]]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        for line in log.read_text().splitlines():
            if '"listening"' in line:
                yield json.loads(line)
        time.sleep(0.05)
    raise AssertionError(f"it did not listen within {START_SECONDS} s:\n{log.read_text()}")

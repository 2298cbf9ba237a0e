"""Every path, command and version in the Dockerfiles is true."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from embedded.wheel import find_wheel
from tests.deploy.dockerfile import DEPLOY, DOCKERFILES, ROOT, arguments, copied, ignored, instructions
from tests.helm.rendering import container_of, environment, manifests, pod_spec, render

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Shared libraries that every Debian has, from libc6, libgcc-s1, libstdc++6 and zlib1g (apt and dpkg need
# them), and the interpreter's own.
BASE_LIBRARIES = re.compile(
    r"(ld-linux-x86-64|lib(c|dl|m|pthread|resolv|rt|gcc_s|stdc\+\+|z|python3\.\d+))\.so(\.\d+)*"
)

every_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)


def test_the_images_are_these() -> None:
    assert [path.stem for path in DOCKERFILES] == ["embedded", "export", "gateway", "triton"]


@every_dockerfile
def test_everything_copied_is_in_the_build_context(dockerfile: Path) -> None:
    assert copied(dockerfile)
    for source in copied(dockerfile):
        assert source.exists(), source
        assert not ignored(source), source


def test_the_build_context_holds_no_state_and_no_secret() -> None:
    for name in (
        ".git",
        ".venv",
        ".tidegate/admin-key",
        "model_repository/digits",
        "deploy/.env",
        "tests/helm",
    ):
        assert ignored(ROOT / name), name


@every_dockerfile
def test_bases_are_pinned(dockerfile: Path) -> None:
    defaults = arguments(dockerfile)
    for instruction in instructions(dockerfile):
        if instruction.name == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], instruction.words[0])
            assert re.search(r":\d+\.\d+(\.\d+)?-[\w-]+$", image), image


@every_dockerfile
def test_nothing_runs_as_root(dockerfile: Path) -> None:
    users = [i.text for i in instructions(dockerfile) if i.name == "USER"]
    assert users == ["1000:1000"]


@every_dockerfile
def test_what_starts_exists(dockerfile: Path) -> None:
    """A module of a package that was copied, or a script of the project."""
    starts = [i.words for i in instructions(dockerfile) if i.name in ("CMD", "ENTRYPOINT")]
    if dockerfile.stem == "triton":
        assert starts == []  # NVIDIA's own entry point stays
        return
    packages = {source.name for source in copied(dockerfile) if source.is_dir()}
    command = starts[0]
    if command[0] == "python":
        assert command[1] == "-m"
        assert command[2] in packages
        assert importlib.util.find_spec(f"{command[2]}.__main__") is not None
    else:
        module, _, function = PROJECT["scripts"][command[0]].partition(":")
        assert module.split(".")[0] in packages
        assert function


@every_dockerfile
def test_installs_ask_for_what_the_project_offers(dockerfile: Path) -> None:
    runs = " && ".join(i.text for i in instructions(dockerfile) if i.name == "RUN")
    extras = re.findall(r"'\.\[(\w+)\]'", runs)
    assert extras == ([] if dockerfile.stem == "triton" else [dockerfile.stem])
    assert set(extras) <= PROJECT["optional-dependencies"].keys()
    if extras:
        # Versions are those the tests ran with.
        assert "-c constraints.txt" in runs


def test_every_interpreter_is_the_same_and_fits_the_project() -> None:
    images = {arguments(path)["PYTHON_IMAGE"] for path in DOCKERFILES if path.stem != "triton"}
    (image,) = images
    assert image.startswith("python:3.11.")
    assert PROJECT["requires-python"] == ">=3.11,<3.13"


def test_the_embedded_triton_needs_no_library_that_its_base_lacks() -> None:
    wheel = find_wheel()
    needed = set()
    libraries = [
        wheel.server,
        *wheel.server.parents[1].glob("backends/python/*.so"),
        *wheel.libraries.glob("*.so*"),
    ]
    for library in libraries:
        env = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(wheel.libraries)}
        answer = subprocess.run(["ldd", library], capture_output=True, text=True, check=True, env=env)
        assert "not found" not in answer.stdout
        needed |= set(re.findall(r"^\s*(?:\S*/)?(\S+\.so\S*)", answer.stdout, re.MULTILINE))
    outside = {name for name in needed if not list(wheel.libraries.glob(name))}
    assert "libc.so.6" in outside
    assert {name for name in outside if not BASE_LIBRARIES.fullmatch(name)} == {"linux-vdso.so.1"}


def test_the_embedded_images_command_is_one_the_supervisor_knows() -> None:
    (command,) = (i.words for i in instructions(DEPLOY / "embedded.Dockerfile") if i.name == "CMD")
    answer = subprocess.run(
        [sys.executable, "-m", "embedded", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    options = set(re.findall(r"--[a-z-]+", answer.stdout))
    assert {word.partition("=")[0] for word in command[3:]} <= options
    objects = manifests({"profile": "cpu"})
    container = container_of(pod_spec(objects, "-triton"))
    assert container["command"][:3] == command[:3]
    assert {word.partition("=")[0] for word in container["command"][3:]} <= options


def test_the_export_job_runs_with_nothing_but_what_is_copied(tmp_path: Path) -> None:
    dockerfile = DEPLOY / "export.Dockerfile"
    for source in copied(dockerfile):
        if source.is_dir():
            shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    entry, command = (
        next(i.words for i in instructions(dockerfile) if i.name == n) for n in ("ENTRYPOINT", "CMD")
    )
    # An editable install would make the other packages importable too: they must not be touched.
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from tidegate.cli import main; "
        "sys.argv[0] = 'tidegate'\n"
        "try: main()\n"
        "finally:\n"
        "    for name in ('gateway', 'embedded', 'monitoring', 'fastapi', 'pytriton'):\n"
        "        assert name not in sys.modules, name\n"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path), *entry[1:], *command],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    for option in (word for word in entry if word.startswith("--")):
        assert option in answer.stdout


@pytest.mark.parametrize(
    ("release", "passes"), [("26.09", True), ("27.01", True), ("26.08", False), ("", False)]
)
def test_the_triton_image_refuses_an_old_base(release: str, passes: bool) -> None:
    check = next(i.text for i in instructions(DEPLOY / "triton.Dockerfile") if i.text.startswith("printf"))
    env = {"PATH": os.environ["PATH"], "NVIDIA_TRITON_SERVER_VERSION": release}
    answer = subprocess.run(["sh", "-c", check], env=env, capture_output=True, text=True, check=False)
    assert (answer.returncode == 0) is passes
    assert passes or "use 26.09 or newer" in answer.stderr


def test_the_floor_is_the_same_everywhere() -> None:
    assert arguments(DEPLOY / "triton.Dockerfile")["TRITON_IMAGE"] == "nvcr.io/nvidia/tritonserver:26.09-py3"
    assert "nvcr.io/nvidia/tritonserver:26.09-py3" in str(render())
    objects = manifests()
    container = container_of(pod_spec(objects, "-triton"))
    assert environment(container, objects)["TIDEGATE_TRITON_FLOOR"] == "26.09"


def test_python_models_wheels_are_pinned() -> None:
    lines = (DEPLOY / "triton-requirements.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", requirement) for requirement in requirements)

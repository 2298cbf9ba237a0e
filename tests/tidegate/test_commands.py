"""What the commands say when they are called wrongly, and how they print data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.commands import GROUPS
from tidegate.state import StateDirectory


def tidegate(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "tidegate", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("export", "nowhere.yaml"), "give the path of a YAML file"),
        (("samples", "build"), "tidegate samples list"),
        (("samples", "build", "no-such-sample"), "no-such-sample"),
        (("models", "show", "nothing"), "nothing"),
        (("models", "show", "digits@x"), "digits@1"),
        (("keys", "list", "--state-dir", "nowhere"), "make up"),
        (("keys", "list", "--url", "http://127.0.0.1:9"), "make up"),
    ],
)
def test_a_wrong_call_ends_in_what_to_do(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / ".tidegate").mkdir()
    (tmp_path / ".tidegate" / "admin-key").write_text("tg_abc_def\n")
    done = tidegate(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--state-dir", "file"), "with --state-dir"),
        (("--state-dir", "file/below"), "with --state-dir"),
        (("--state-dir", "logs-are-a-file"), "with --state-dir"),
        (("--repository", "file"), "with --repository"),
        (("--http-port", "99999"), "from 1 to 65535"),
    ],
)
def test_up_refuses_places_it_cannot_use(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "logs-are-a-file").mkdir()
    (tmp_path / "logs-are-a-file" / "logs").touch()
    done = tidegate("up", "--no-samples", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"tg_a\nb_c\n", b"\x00\x01", b"\n", b""])
def test_a_damaged_api_key_file_counts_as_none(content: bytes, tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    state.api_key_file.write_bytes(content)
    assert state.read_api_key() is None
    state.write_api_key("tg_abc_def")
    assert state.read_api_key() == "tg_abc_def"


def test_version_knows_its_components() -> None:
    versions = json.loads(tidegate("version", "--json").stdout)
    assert versions["torch"].startswith("2.13.0")
    assert versions["nvidia-pytriton"] == "0.7.0"


def test_an_empty_repository_is_no_error(tmp_path: Path) -> None:
    done = tidegate("models", "list", cwd=tmp_path)
    assert done.returncode == 0
    assert "tidegate samples build" in done.stderr
    assert tidegate("models", "list", "--json", cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize("words", [("up",), ("export",), ("version",), *((group,) for group in GROUPS)])
def test_every_command_helps_with_examples(words: tuple[str, ...]) -> None:
    done = tidegate(*words, "--help")
    assert done.returncode == 0
    if words[0] in GROUPS:
        for command in GROUPS[words[0]][0].registered_commands:
            assert command.callback is not None
            assert "Examples" in (command.callback.__doc__ or ""), command.callback
    else:
        assert "Examples" in done.stdout

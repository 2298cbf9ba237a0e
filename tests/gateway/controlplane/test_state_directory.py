"""Secrets in files, and who can read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from gateway.controlplane.pepper import load_pepper
from gateway.controlplane.state_directory import StateDirectory
from gateway.errors import CannotStart
from gateway.settings import Settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_directory_and_files_are_private(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    assert state.secret("pepper", lambda: "made") == ("made", True)
    assert mode(state.path) == 0o700
    assert mode(state.path / "pepper") == 0o600
    assert state.secret("pepper", lambda: "again") == ("made", False)
    assert [file.name for file in state.path.iterdir()] == ["pepper"]


def test_looser_modes_are_tightened(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.secret("pepper", lambda: "made")
    state.path.chmod(0o755)
    (state.path / "pepper").chmod(0o644)
    state.create()
    assert state.read("pepper") == "made"
    assert mode(state.path) == 0o700
    assert mode(state.path / "pepper") == 0o600


def test_gateways_that_start_together_agree(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    numbers = count()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: state.secret("pepper", lambda: str(next(numbers))), range(32)))
    assert len({secret for secret, _ in found}) == 1
    assert sum(made for _, made in found) == 1


def test_replace(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.secret("key", lambda: "old")
    state.replace("key", "new")
    assert state.read("key") == "new"
    assert mode(state.path / "key") == 0o600


def test_an_empty_file_is_refused_and_kept(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    (tmp_path / "pepper").write_text("\n")
    with pytest.raises(CannotStart, match="is empty"):
        state.secret("pepper", lambda: "made")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(CannotStart, match="TIDEGATE_STATE_DIR"):
        StateDirectory(tmp_path / "state").create()


def test_pepper_is_made_once_or_taken_from_the_settings(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    made = load_pepper(Settings(), state)
    assert len(made) >= 32
    assert load_pepper(Settings(), state) == made
    given = Settings.model_validate({"key_pepper": "x" * 32})
    assert load_pepper(given, state) == b"x" * 32
    with pytest.raises(CannotStart, match="at least 32"):
        load_pepper(Settings.model_validate({"key_pepper": "short"}), state)

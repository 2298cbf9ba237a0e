"""Publishing while the process is killed or the disk refuses, at every call it makes."""

import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from export.errors import RepositoryWriteError
from export.repository import ModelRepository
from export.staging import STAGING
from tests.export.faults import at_call, die, fail
from tests.export.kill_campaign import DELAY
from tests.export.workshop import publish_tiny

OLD, NEW = 500, DELAY


def _calls(repository: Path) -> list[str]:
    with at_call(-1, die) as made:
        publish_tiny(repository, delay=NEW)
    return made


def _check_old_or_new(path: Path, old: tuple[int, ...]) -> bool:
    """What Triton would find: whole versions and a config that belongs to one of them. True when new."""
    repository = ModelRepository(path)
    versions = repository.versions("affine")
    assert versions in (old, (*old, len(old) + 1))
    for version in versions:
        assert repository.verify("affine", version) == ()
    if versions:
        config = (path / "affine" / "config.pbtxt").read_bytes()
        assert config in {(path / "affine" / str(n) / "config.pbtxt").read_bytes() for n in versions}
        for line in config.decode().splitlines():
            if "label_filename" in line:
                assert (path / "affine" / line.split('"')[1]).read_bytes() == b"no\nyes\n"
    else:
        assert not (path / "affine").exists()
    return len(versions) > len(old)


def _check_healed(path: Path) -> None:
    """The next publication works, and nothing of the dead one is left."""
    published = publish_tiny(path, delay=NEW)
    repository = ModelRepository(path)
    assert repository.repair() == ()
    assert (path / "affine" / "config.pbtxt").read_bytes() == (published.path / "config.pbtxt").read_bytes()
    assert not (path / STAGING).exists()


@pytest.mark.parametrize("versions", [0, 1], ids=["first version", "second version"])
def test_killed_at_any_call_the_repository_is_old_or_new(tmp_path: Path, versions: int) -> None:
    template = tmp_path / "template"
    template.mkdir()
    for _ in range(versions):
        publish_tiny(template, delay=OLD)
    old = tuple(range(1, versions + 1))
    done = subprocess.run(
        [sys.executable, "-m", "tests.export.kill_campaign", template, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    campaign = json.loads(done.stdout)
    assert {"write", "fsync", "rename"} <= set(campaign["calls"])
    assert set(campaign["statuses"]) == {-signal.SIGKILL}
    outcomes = []
    for number in range(len(campaign["calls"])):
        outcomes.append(_check_old_or_new(tmp_path / str(number), old))
        _check_healed(tmp_path / str(number))
    # Once visible it stays: the outcomes are old, …, old, new, …, new.
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("versions", [0, 1], ids=["first version", "second version"])
def test_a_disk_error_at_any_call_is_a_sentence_and_changes_nothing_visible(
    tmp_path: Path, versions: int, code: int
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    for _ in range(versions):
        publish_tiny(template, delay=OLD)
    old = tuple(range(1, versions + 1))
    calls = _calls(shutil.copytree(template, tmp_path / "counted"))
    refused: list[str] = []
    for number, name in enumerate(calls):
        if name in ("unlink", "rmdir"):
            continue  # cleaning up loses nothing
        path = shutil.copytree(template, tmp_path / f"failed-{number}")
        try:
            with at_call(number, fail(code)):
                publish_tiny(path, delay=NEW)
        except RepositoryWriteError as error:
            refused.append(error.message)
        _check_old_or_new(path, old)
        _check_healed(path)
        shutil.rmtree(path)
    assert len(refused) > 10
    assert all(message.endswith("then export again") for message in refused)

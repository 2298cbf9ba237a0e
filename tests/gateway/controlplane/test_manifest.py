"""Only a version that is what its manifest says is usable."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.controlplane.manifest import VersionFiles, require_unchanged
from gateway.controlplane.routing_records import ModelState
from gateway.errors import UnusableVersion

CONTENT = {"model.onnx": b"weights", "extra/notes.txt": b"notes"}


def publish(root: Path, number: int = 1, content: dict[str, bytes] = CONTENT, **changes: Any) -> Path:
    """Write a version with a true manifest, or one changed in the given fields."""
    folder = root / "digits" / str(number)
    (folder / "extra").mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in content.items()
    }
    manifest = {"format_version": 1, "model": "digits", "version": number, "files": files, **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def files(tmp_path: Path) -> VersionFiles:
    return VersionFiles(tmp_path, require_manifest=True)


async def test_the_digest_is_that_of_the_files(files: VersionFiles, tmp_path: Path) -> None:
    folder = publish(tmp_path)
    digest = await files.verify("digits", "1")
    assert await files.verify("digits", "1") == digest
    shutil.rmtree(folder)
    publish(tmp_path, created="later")
    assert await files.verify("digits", "1") == digest
    shutil.rmtree(folder)
    publish(tmp_path, content={**CONTENT, "model.onnx": b"wEights"})
    changed = await files.verify("digits", "1")
    assert changed != digest

    deployed = ModelState("digits", {}, {"1": digest})
    require_unchanged(deployed, "1", digest)
    require_unchanged(deployed, "2", changed)
    with pytest.raises(UnusableVersion, match="not those that were deployed"):
        require_unchanged(deployed, "1", changed)


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another byte": (lambda f: (f / "model.onnx").write_bytes(b"wEights"), "another checksum"),
    "another size": (lambda f: (f / "model.onnx").write_bytes(b"weight"), "another size"),
    "a missing file": (lambda f: (f / "model.onnx").unlink(), "model.onnx is missing"),
    "a foreign file": (lambda f: (f / "model.onnx.part").write_bytes(b"half"), "not in its manifest"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "has no manifest.json"),
    "half a manifest": (lambda f: (f / "manifest.json").write_text('{"format_'), "cannot be read"),
    "a link": (lambda f: (f / "link").symlink_to("/etc/passwd"), "cannot be read"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "cannot be read"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("verified_before", [False, True])
async def test_a_broken_version_is_refused(
    files: VersionFiles, tmp_path: Path, breakage: str, verified_before: bool
) -> None:
    folder = publish(tmp_path)
    if verified_before:
        await files.verify("digits", "1")
    breaks, said = BREAKAGES[breakage]
    breaks(folder)
    with pytest.raises(UnusableVersion, match=said) as caught:
        await files.verify("digits", "1")
    assert (caught.value.status, caught.value.step) == (422, "checksum")
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "another version"),
        ({"model": "other"}, "another version"),
        ({"format_version": 2}, "does not know"),
        ({"files": {"../2/model.onnx": {"sha256": "", "bytes": 1}}}, "not in its manifest"),
        ({"files": []}, "cannot be read"),
    ],
)
async def test_a_manifest_of_something_else_is_refused(
    files: VersionFiles, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    publish(tmp_path, **changes)
    with pytest.raises(UnusableVersion, match=said):
        await files.verify("digits", "1")


async def test_an_empty_folder_and_none_at_all_are_refused(files: VersionFiles, tmp_path: Path) -> None:
    (tmp_path / "digits" / "1").mkdir(parents=True)
    with pytest.raises(UnusableVersion, match="its folder is empty"):
        await files.verify("digits", "1")
    for version in ("2", "../digits/1", "01"):
        with pytest.raises(UnusableVersion, match="There is no version"):
            await files.verify("digits", version)


async def test_without_required_manifests_files_are_enough(tmp_path: Path) -> None:
    files = VersionFiles(tmp_path, require_manifest=False)
    folder = tmp_path / "digits" / "1"
    folder.mkdir(parents=True)
    with pytest.raises(UnusableVersion, match="empty"):
        await files.verify("digits", "1")
    (folder / "model.onnx").write_bytes(b"weights")
    before = await files.verify("digits", "1")
    (folder / "model.onnx").write_bytes(b"longer weights")
    assert await files.verify("digits", "1") != before
    publish(tmp_path, 2, version=3)
    with pytest.raises(UnusableVersion, match="another version"):  # one that is there must still be true
        await files.verify("digits", "2")


def test_versions_are_numbered_folders_highest_first(files: VersionFiles, tmp_path: Path) -> None:
    for name in ("1", "10", "9", "0", "01", ".staging", "x", "12345678901"):
        (tmp_path / "digits" / name).mkdir(parents=True)
    (tmp_path / "digits" / "11").write_text("a file")
    (tmp_path / "digits" / "12").symlink_to(tmp_path)
    assert files.versions("digits") == ("10", "9", "1")
    for name in ("nothing", "..", "../digits", "", "digits/1"):
        assert files.versions(name) == ()


def test_a_missing_repository_is_a_problem_in_a_sentence(tmp_path: Path) -> None:
    assert VersionFiles(tmp_path, require_manifest=True).problems() == ()
    [problem] = VersionFiles(tmp_path / "gone", require_manifest=True).problems()
    assert "TIDEGATE_MODEL_REPOSITORY" in problem


def test_config_and_golden_must_be_plain_files(files: VersionFiles, tmp_path: Path) -> None:
    folder = publish(tmp_path)
    assert files.golden("digits", "1") is None
    (folder / "golden.json").symlink_to("/etc/passwd")
    with pytest.raises(UnusableVersion):
        files.golden("digits", "1")
    with pytest.raises(UnusableVersion, match=r"config\.pbtxt"):
        files.config("digits")
    (tmp_path / "digits" / "config.pbtxt").write_text('name: "digits"')
    assert files.config("digits") == 'name: "digits"'

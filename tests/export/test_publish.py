import hashlib
import json
import multiprocessing
from pathlib import Path

import pytest

from export.errors import (
    NotFoundError,
    RepositoryError,
    RepositoryWriteError,
    SignatureConflictError,
    VersionConflictError,
)
from export.repository import ModelRepository
from export.staging import STAGING, staging
from tests.export.workshop import publish_tiny


def _content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the repository's lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_versions_count_up_and_older_ones_stay_as_they_are(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "new" / "models")
    assert repository.models() == ()
    first = publish_tiny(repository.path, artifact=b"one")
    before = _content(first.path)
    second = publish_tiny(repository.path, artifact=b"two", delay=900)
    assert (first.version, second.version) == (1, 2)
    assert repository.models() == ("affine",)
    assert repository.versions("affine") == (1, 2)
    assert _content(first.path) == before
    assert (second.path / "model.onnx").read_bytes() == b"two"
    assert repository.manifest("affine", 2)["version"] == 2
    assert not (repository.path / STAGING).exists()


def test_the_model_directory_has_config_and_labels_of_the_highest_version(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, delay=900)
    config = (tmp_path / "affine" / "config.pbtxt").read_text()
    assert config == (tmp_path / "affine" / "2" / "config.pbtxt").read_text()
    assert "max_queue_delay_microseconds: 900" in config
    # The labels of version 1 stay: a gateway may still serve it with its own config.
    assert sorted(path.name for path in (tmp_path / "affine").glob("*.labels.txt")) == [
        "y.000000000500.labels.txt",
        "y.000000000900.labels.txt",
    ]


def test_a_version_that_is_there_is_a_conflict(tmp_path: Path) -> None:
    publish_tiny(tmp_path, version=3)
    before = _content(tmp_path)
    with pytest.raises(
        VersionConflictError, match=r"affine version 3 is already published .*publish 4 instead"
    ):
        publish_tiny(tmp_path, version=3, artifact=b"other")
    assert _content(tmp_path) == before
    assert publish_tiny(tmp_path).version == 4


@pytest.mark.parametrize("version", [0, -1, 10**10])
def test_a_version_outside_the_grammar_is_refused(tmp_path: Path, version: int) -> None:
    with pytest.raises(RepositoryError, match="is not a version"):
        publish_tiny(tmp_path, version=version)


def test_another_signature_is_another_model(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    before = _content(tmp_path)
    with pytest.raises(SignatureConflictError, match=r"outputs y FP32 \[2\], this export has y FP32 \[5\]"):
        publish_tiny(tmp_path, dims=5)
    assert _content(tmp_path) == before


def test_a_foreign_config_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    for config in (tmp_path / "affine").rglob("config.pbtxt"):
        config.write_text("input { nonsense }")
    with pytest.raises(RepositoryError, match=r"cannot read .*config.pbtxt"):
        publish_tiny(tmp_path)


def test_a_model_directory_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "affine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError, match="is not a directory"):
        publish_tiny(tmp_path / "models")
    assert not list((tmp_path / "elsewhere").iterdir())


def _publish_repeatedly(repository: Path, artifact: bytes, times: int) -> None:
    for _ in range(times):
        publish_tiny(repository, artifact=artifact)


def test_publishers_at_the_same_time_all_get_their_own_version(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    publishers = [
        context.Process(target=_publish_repeatedly, args=(tmp_path, name, 5)) for name in (b"a", b"b", b"c")
    ]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join(timeout=60)
        assert publisher.exitcode == 0
    repository = ModelRepository(tmp_path)
    assert repository.versions("affine") == tuple(range(1, 16))
    artifacts = [(tmp_path / "affine" / str(n) / "model.onnx").read_bytes() for n in range(1, 16)]
    assert sorted(artifacts) == sorted([b"a", b"b", b"c"] * 5)
    assert all(repository.verify("affine", number) == () for number in range(1, 16))


def _publish_version(repository: Path, outcomes: "multiprocessing.Queue[str]") -> None:
    try:
        publish_tiny(repository, version=1)
    except VersionConflictError:
        outcomes.put("conflict")
    else:
        outcomes.put("published")


def test_of_publishers_of_one_version_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    outcomes = context.Queue()
    publishers = [context.Process(target=_publish_version, args=(tmp_path, outcomes)) for _ in range(3)]
    for publisher in publishers:
        publisher.start()
    found = sorted(outcomes.get(timeout=60) for _ in publishers)
    for publisher in publishers:
        publisher.join(timeout=60)
    assert found == ["conflict", "conflict", "published"]


def test_repair_finishes_what_a_dead_publisher_left(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path)
    publish_tiny(tmp_path)
    old_config = (tmp_path / "affine" / "config.pbtxt").read_bytes()
    publish_tiny(tmp_path, delay=900)
    after = _content(tmp_path)
    (tmp_path / "affine" / "config.pbtxt").write_bytes(old_config)
    (tmp_path / "affine" / "y.000000000900.labels.txt").unlink()
    assert repository.repair() == ("affine",)
    assert _content(tmp_path) == after
    assert repository.repair() == ()


def test_the_next_publication_repairs_too(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "affine" / "config.pbtxt").unlink()
    with pytest.raises(SignatureConflictError):
        publish_tiny(tmp_path, dims=5)
    assert (tmp_path / "affine" / "config.pbtxt").is_file()


def test_stages_of_the_dead_are_swept_and_of_the_living_are_not(tmp_path: Path) -> None:
    with staging(tmp_path) as living:
        dead = tmp_path / STAGING / "dead"
        (dead / "version").mkdir(parents=True)
        (dead / "version" / "model.onnx").write_bytes(b"half")
        publish_tiny(tmp_path)
        assert not dead.exists()
        assert living.version.is_dir()
    assert not (tmp_path / STAGING).exists()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.write_bytes(b"artifacT"), "has another SHA-256 than the manifest"),
        (lambda path: path.write_bytes(b"art"), "has 3 bytes instead of 8"),
        (lambda path: path.unlink(), "is missing or not a regular file"),
        (lambda path: (path.unlink(), path.symlink_to("config.pbtxt")), "is missing or not a regular file"),
    ],
)
def test_verify_finds_damage(tmp_path: Path, damage: object, expected: str) -> None:
    version = publish_tiny(tmp_path).path
    repository = ModelRepository(tmp_path)
    assert repository.verify("affine", 1) == ()
    assert callable(damage)
    damage(version / "model.onnx")
    assert [(problem.file, problem.what) for problem in repository.verify("affine", 1)] == [
        ("model.onnx", expected)
    ]


def test_verify_finds_foreign_files(tmp_path: Path) -> None:
    version = publish_tiny(tmp_path).path
    (version / "libcustom.so").write_bytes(b"")
    problems = ModelRepository(tmp_path).verify("affine", 1)
    assert [(problem.file, problem.what) for problem in problems] == [
        ("libcustom.so", "is not in the manifest")
    ]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path)
    with pytest.raises(NotFoundError, match=r"affine has no version 1 .*there is no such model"):
        repository.manifest("affine", 1)
    publish_tiny(tmp_path)
    with pytest.raises(NotFoundError, match="it has 1"):
        repository.manifest("affine", 2)
    (tmp_path / "affine" / "2").mkdir()
    with pytest.raises(NotFoundError, match="has no manifest"):
        repository.manifest("affine", 2)
    assert repository.versions("../affine") == ()


def test_reading_changes_nothing(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / ".lock").unlink()
    before = sorted(tmp_path.rglob("*"))
    repository = ModelRepository(tmp_path)
    repository.models(), repository.manifest("affine", 1), repository.verify("affine", 1), repository.repair()
    assert sorted(tmp_path.rglob("*")) == before


def test_the_manifest_lists_every_file_with_hash_and_size(tmp_path: Path) -> None:
    version = publish_tiny(tmp_path).path
    manifest = json.loads((version / "manifest.json").read_text())
    assert set(manifest["files"]) == {path.name for path in version.iterdir()} - {"manifest.json"}
    assert manifest["files"]["model.onnx"] == {
        "sha256": hashlib.sha256(b"artifact").hexdigest(),
        "bytes": 8,
    }


def test_a_repository_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(RepositoryWriteError, match=r"cannot write to the model repository at .*file/models"):
        publish_tiny(blocker / "models")
    assert list(tmp_path.iterdir()) == [blocker]

"""Publishing a staged version: one rename makes it visible, complete, or nothing happened."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.durable import disk_errors, move, sync, sync_tree, write_new
from export.errors import RepositoryError, VersionConflictError
from export.locks import repository_lock
from export.names import is_version
from export.repository import CONFIG, LABELS_SUFFIX, MANIFEST, ModelRepository
from export.signature import check_signature
from export.staging import Stage

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


@dataclass(frozen=True)
class Publication:
    """A version that is there for good.

    Attributes:
        model: name of the model.
        version: the version.
        path: its directory.
    """

    model: str
    version: int
    path: Path


def publish(
    repository: ModelRepository,
    stage: Stage,
    model: str,
    manifest: Callable[[int], bytes],
    *,
    version: int | None = None,
) -> Publication:
    """Turn a stage into a version.

    The stage holds the artifact, `config.pbtxt` and the labels in `stage.version`; `config.pbtxt` and the
    labels are what the model directory gets too.

    Args:
        repository: where to publish.
        stage: a stage of the same repository.
        model: name of the model.
        manifest: makes the manifest once the version is known.
        version: the version to publish; the next free one by default.

    Raises:
        VersionConflictError: the version is there already.
        SignatureConflictError: the model has other inputs or outputs.
        RepositoryWriteError: the disk refused; nothing changed.
    """
    folder = repository.path / model
    with disk_errors(repository.path):
        sync_tree(stage.version)
    with repository_lock(repository.path):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise RepositoryError(f"{folder} is not a directory; move it away or choose another model name")
        repository.restore_config(model, stage.root)
        number = repository.next_version(model) if version is None else version
        _check_free(repository, model, number)
        check_signature(model, folder / CONFIG, stage.version / CONFIG)
        with disk_errors(repository.path):
            write_new(stage.version / MANIFEST, manifest(number))
            sync(stage.version)
            if folder.exists():
                _commit(stage.version, folder / str(number), model)
            else:
                _commit(_new_model(stage, number), folder, model)
        # A death before this line leaves the version published and the old config beside it: both serve, and
        # the next publish or `repair` takes the newer one.
        repository.restore_config(model, stage.root)
    return Publication(model, number, folder / str(number))


def _check_free(repository: ModelRepository, model: str, version: int) -> None:
    if not is_version(str(version)):
        raise RepositoryError(f"{version} is not a version; use a whole number from 1 to 9999999999")
    if version in repository.versions(model):
        raise VersionConflictError(
            f"{model} version {version} is already published and versions never change; "
            f"publish {repository.next_version(model)} instead"
        )


def _new_model(stage: Stage, version: int) -> Path:
    """The whole directory of a model that is not there yet, in the stage."""
    folder = stage.root / "model"
    folder.mkdir()
    for source in (stage.version / CONFIG, *stage.version.glob(f"*{LABELS_SUFFIX}")):
        write_new(folder / source.name, source.read_bytes())
    stage.version.rename(folder / str(version))
    sync_tree(folder)
    return folder


def _commit(staged: Path, destination: Path, model: str) -> None:
    try:
        move(staged, destination)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise VersionConflictError(
            f"{destination} appeared while {model} was being published; export again for the next version"
        ) from error

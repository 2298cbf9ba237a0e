"""Reads the model repository: which versions are there, and whether one is what its manifest says.

Triton is never asked for a version that was not verified here: an empty version folder can make its load
hang for minutes (with several of its backends), and one that is half copied would serve garbage.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from gateway.controlplane.routing_records import ModelState
from gateway.errors import UnusableVersion

MANIFEST, CONFIG, GOLDEN = "manifest.json", "config.pbtxt", "golden.json"
FORMAT_VERSION = 1
STEP = "checksum"
MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
VERSION = re.compile(r"[1-9][0-9]{0,9}")
MAX_TEXT_BYTES = 16 << 20

# Path, device, inode, size and time of last change of each file: while these stay, the content does.
_Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...]


class _File(msgspec.Struct):
    sha256: str
    bytes: int


class _Manifest(msgspec.Struct):
    format_version: int
    model: str
    version: int
    files: dict[str, _File]


_DECODER = msgspec.json.Decoder(_Manifest)


@dataclass(frozen=True, slots=True)
class _Verified:
    signature: _Signature
    digest: str


class VersionFiles:
    """The model repository as the gateway sees it; nothing is ever written.

    Args:
        root: the model repository.
        require_manifest: whether a version without `manifest.json` is refused.
    """

    def __init__(self, root: Path, *, require_manifest: bool) -> None:
        self._root = root
        self._require_manifest = require_manifest
        self._verified: dict[tuple[str, str], _Verified] = {}

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the version folders of a model, highest first, verified or not."""
        if not MODEL_NAME.fullmatch(model):
            return ()
        try:
            with os.scandir(self._root / model) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return ()
        return tuple(sorted(filter(VERSION.fullmatch, found), key=int, reverse=True))

    def problems(self) -> tuple[str, ...]:
        """Return why no version can be read; empty when the repository is there."""
        if self._root.is_dir():
            return ()
        return ("The model repository cannot be read; set TIDEGATE_MODEL_REPOSITORY to its directory.",)

    def config(self, model: str) -> str:
        """Return the text of the model's `config.pbtxt`.

        Raises:
            UnusableVersion: it is missing or no text.
        """
        try:
            return self._read(self._root / model / CONFIG).decode("utf-8")
        except (OSError, ValueError):
            raise UnusableVersion(
                f"The config.pbtxt of {model} cannot be read; publish the model again.", step=STEP
            ) from None

    def golden(self, model: str, version: str) -> bytes | None:
        """Return the content of the version's `golden.json`, or None when it has none.

        Raises:
            UnusableVersion: it is there and cannot be read.
        """
        try:
            return self._read(self._root / model / version / GOLDEN)
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise _unusable(model, version, f"its {GOLDEN} cannot be read") from None

    async def verify(self, model: str, version: str) -> str:
        """Return the digest of a version whose every file is as its manifest says.

        Files that did not change since they were last verified are not read again.

        Returns:
            SHA-256 of the names and checksums of its files, so that the same files published again are the
            same version; of their names and sizes where no manifest is required and there is none.

        Raises:
            UnusableVersion: something is missing, different, foreign, or half written.
        """
        return await asyncio.to_thread(self._verify, model, version)

    def _verify(self, model: str, version: str) -> str:
        folder = self._root / model / version
        if version not in self.versions(model):
            raise UnusableVersion(
                f"There is no version {version} of {model} in the model repository. "
                "Publish it, or name one of those that `tidegate models list` shows.",
                step=STEP,
            )
        try:
            signature = tuple(sorted(_walk(folder)))
            known = self._verified.get((model, version))
            if known is not None and known.signature == signature:
                return known.digest
            digest = self._check(folder, model, version, signature)
        except OSError:
            raise _unusable(model, version, "its files cannot be read") from None
        self._verified[model, version] = _Verified(signature, digest)
        return digest

    def _check(self, folder: Path, model: str, version: str, signature: _Signature) -> str:
        sizes = {path: size for path, _, _, size, _ in signature}
        if not sizes:
            raise _unusable(model, version, "its folder is empty")
        if MANIFEST not in sizes:
            if self._require_manifest:
                raise _unusable(model, version, f"it has no {MANIFEST}")
            return _digest(sizes.items())
        manifest = _decode(self._read(folder / MANIFEST), model, version)
        foreign = sizes.keys() - manifest.files.keys() - {MANIFEST}
        if foreign:
            raise _unusable(model, version, f"{_name(min(foreign))} is not in its manifest")
        for path, expected in manifest.files.items():
            if path not in sizes:
                raise _unusable(model, version, f"{_name(path)} is missing")
            if sizes[path] != expected.bytes:
                raise _unusable(model, version, f"{_name(path)} has another size than in its manifest")
            if _sha256(folder / path) != expected.sha256:
                raise _unusable(model, version, f"{_name(path)} has another checksum than in its manifest")
        return _digest((path, expected.sha256) for path, expected in manifest.files.items())

    @staticmethod
    def _read(path: Path) -> bytes:
        # A link could lead out of the repository; a file of any size could fill the memory.
        if path.is_symlink():
            raise ValueError("a link")
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise ValueError("too large")
        return content


def require_unchanged(state: ModelState, version: str, digest: str) -> None:
    """Return unless the version was admitted with other files than it has now.

    A version never changes: loaded again, its new files would serve without having been tried out.

    Raises:
        UnusableVersion: it was.
    """
    if state.admitted.get(version, digest) != digest:
        raise _unusable(state.model, version, "its files are not those that were deployed under this number")


def _decode(content: bytes, model: str, version: str) -> _Manifest:
    try:
        manifest = _DECODER.decode(content)
    except (ValueError, RecursionError):
        raise _unusable(model, version, f"its {MANIFEST} cannot be read") from None
    if manifest.format_version != FORMAT_VERSION:
        raise _unusable(model, version, f"its {MANIFEST} has a format this gateway does not know")
    if manifest.model != model or str(manifest.version) != version:
        raise _unusable(model, version, f"its {MANIFEST} belongs to another version")
    return manifest


def _walk(folder: Path) -> Iterator[tuple[str, int, int, int, int]]:
    for path in folder.rglob("*"):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode):
            # Neither links nor devices are ever published; reading one could block or lead elsewhere.
            raise OSError("not a regular file")
        name = str(path.relative_to(folder))
        yield name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _digest(entries: Iterable[tuple[str, object]]) -> str:
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unusable(model: str, version: str, reason: str) -> UnusableVersion:
    return UnusableVersion(
        f"Version {version} of {model} cannot be used: {reason}. Publish it again as a new version.",
        step=STEP,
    )


def _name(path: str) -> str:
    # Names come from a directory or a manifest that somebody else wrote.
    return ascii(path)[1:-1][:80]

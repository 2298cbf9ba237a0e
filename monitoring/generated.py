"""Files that Python writes and the repository keeps: written, or compared with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monitoring.errors import NotCurrent


def write(directory: Path, files: Mapping[str, str]) -> list[Path]:
    """Write every file whose text differs, and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = [directory / name for name, text in files.items() if _text(directory / name) != text]
    for path in changed:
        path.write_text(files[path.name])
    return changed


def check(directory: Path, files: Mapping[str, str], suffix: str, command: str) -> None:
    """Compare the files of `directory` that end in `suffix` with what they should be.

    Raises:
        NotCurrent: when one differs, is missing, or is there without being written by anything.
    """
    present = {path.name for path in directory.glob(f"*{suffix}")}
    stale = sorted(name for name, text in files.items() if _text(directory / name) != text)
    orphans = sorted(present - set(files))
    if stale or orphans:
        parts = [f"{directory / name} is not current" for name in stale]
        parts += [f"{directory / name} is written by nothing" for name in orphans]
        raise NotCurrent(
            f"{'; '.join(parts)}. Run `python -m monitoring {command}` and delete what is left over."
        )


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None

"""Copies the rules and dashboards of `monitoring/` into the chart, which can only read files of its own.

Usage: `python helm/sync_monitoring.py [--check]`; with `--check` nothing is written and the exit status is 1
when the copies differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART_FILES = ROOT / "helm" / "tidegate" / "files"
# Folder of the chart → what goes there.
SOURCES = {"rules": "monitoring/rules/*.yaml", "dashboards": "monitoring/dashboards/**/*.json"}


def wanted() -> dict[Path, bytes]:
    """Return what each copied file must hold."""
    return {
        CHART_FILES / folder / source.name: source.read_bytes()
        for folder, pattern in SOURCES.items()
        for source in sorted(ROOT.glob(pattern))
    }


def present() -> dict[Path, bytes]:
    """Return what the copied files hold now."""
    return {
        file: file.read_bytes()
        for folder in SOURCES
        for file in (CHART_FILES / folder).glob("*")
        if file.is_file()
    }


def differences() -> list[Path]:
    """Return the copies that are missing, left over or different, sorted."""
    want, have = wanted(), present()
    return sorted(path for path in want.keys() | have.keys() if want.get(path) != have.get(path))


def sync() -> None:
    """Make the copies equal to their sources."""
    want = wanted()
    for path in differences():
        if path in want:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(want[path])
        else:
            path.unlink()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="Copy monitoring's rules and dashboards into the chart.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the copies differ")
    options = parser.parse_args(arguments)
    changed = [str(path.relative_to(ROOT)) for path in differences()]
    if options.check:
        if changed:
            sys.stderr.write(
                f"The chart's copies are out of date: {', '.join(changed)}. "
                "Run `python helm/sync_monitoring.py`.\n"
            )
        return 1 if changed else 0
    sync()
    sys.stdout.write("".join(f"{path}\n" for path in changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A Dockerfile as a list of instructions, and which files its build context holds."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted(DEPLOY.glob("*.Dockerfile"))


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined: `RUN`, `pip install …`."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments of the exec form, or of the shell's words."""
        parsed: list[str] = json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)
        return parsed


def instructions(dockerfile: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [Instruction(name, text) for name, text in pairs]


def arguments(dockerfile: Path) -> dict[str, str]:
    """Return the build arguments with their defaults."""
    pairs = (i.text.partition("=") for i in instructions(dockerfile) if i.name == "ARG")
    return {name: default for name, _, default in pairs}


def copied(dockerfile: Path) -> list[Path]:
    """Return what is copied out of the build context."""
    return [
        ROOT / source
        for i in instructions(dockerfile)
        if i.name == "COPY" and not i.text.startswith("--from")
        for source in i.words[:-1]
    ]


def ignored(path: Path) -> bool:
    """Tell whether .dockerignore keeps a file out of the build context; the last line that fits decides."""
    relative = path.relative_to(ROOT)
    parents = [str(p) for p in (relative, *relative.parents) if str(p) != "."]
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        negated = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        alone = pattern.removeprefix("**/")
        candidates = [p.rsplit("/", 1)[-1] for p in parents] if alone != pattern else parents
        if any(fnmatch.fnmatchcase(p, alone) for p in candidates):
            found = not negated
    return found

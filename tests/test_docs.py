"""The documentation is true where a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_import_rules import PACKAGES

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page for page in ROOT.rglob("*.md") if not set(page.relative_to(ROOT).parts) & {".venv", ".tidegate"}
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_every_make_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared
    described = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert set(declared[1].split()) == described


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_readme_shows_every_way_in() -> None:
    readme = (ROOT / "README.md").read_text()
    for words in ("make up", "make test", "tidegate export", "tidegate keys", "tritonclient", "curl"):
        assert words in readme


def test_architecture_names_every_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for package in PACKAGES:
        assert package in text, package


def test_shown_body_of_the_digits_example_is_the_shipped_file() -> None:
    assert "samples/digits/example.json" in (ROOT / "README.md").read_text()
    assert (ROOT / "samples/digits/example.json").is_file()

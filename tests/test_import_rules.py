"""ARCHITECTURE.md says who may import whom; this reads it from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tidegate", "gateway", "export", "embedded", "samples", "monitoring")

# Of our own packages, what each may import besides itself.
ALLOWED: dict[str, set[str]] = {
    "tidegate": {"gateway", "export", "embedded", "samples", "monitoring"},
    "gateway": set(),
    "export": set(),
    "embedded": set(),
    "monitoring": set(),
    "samples": set(),
}

LEAVES = {"errors", "types", "settings", "metrics", "logs"}
# Inside the gateway: what each part may import besides itself and the leaves.
GATEWAY_ALLOWED: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "triton": set(),
    "dataplane": {"triton"},
    "controlplane": {"triton"},
    "api": {"dataplane", "controlplane"},
    "app": {"api", "dataplane", "controlplane", "triton", "drain"},
    "drain": set(),
    "http_protocol": set(),
    "server": {"app", "http_protocol", "drain"},
    "__main__": {"app", "server"},
    "__init__": set(),
}
KNOWS_FASTAPI = {"api", "app"}


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted name of every module `file` imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                # A backend is copied into Triton's backend directory, where our package names do not exist.
                assert "backends" in file.parts, f"{file}: relative import; write the full name"
                continue
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_meet_only_where_allowed(package: str) -> None:
    files = sources(package)
    assert files
    for file in files:
        foreign = {name.partition(".")[0] for name in imports(file)} & set(PACKAGES) - {package}
        assert foreign <= ALLOWED[package], f"{file.relative_to(ROOT)} imports {foreign - ALLOWED[package]}"


def gateway_part(file: Path) -> str:
    first = file.relative_to(ROOT / "gateway").parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("file", sources("gateway"), ids=lambda file: str(file.relative_to(ROOT)))
def test_parts_of_the_gateway_keep_their_direction(file: Path) -> None:
    part = gateway_part(file)
    names = set(imports(file))
    foreign = {name.split(".")[1] for name in names if name.startswith("gateway.")} - {part} - LEAVES
    if part in LEAVES:
        foreign |= {name.split(".")[1] for name in names if name.startswith("gateway.")} - {part}
    assert foreign <= GATEWAY_ALLOWED[part], (
        f"gateway.{part} may not import {foreign - GATEWAY_ALLOWED[part]}"
    )
    if part not in KNOWS_FASTAPI:
        assert not {name for name in names if name.partition(".")[0] in {"fastapi", "starlette"}}


def test_gateway_needs_neither_torch_nor_onnx_nor_the_wheel() -> None:
    heavy = {"torch", "onnx", "onnxruntime", "onnxscript", "pytriton", "sklearn"}
    for file in sources("gateway"):
        assert not {name.partition(".")[0] for name in imports(file)} & heavy, file


def test_package_depth_and_file_length() -> None:
    """design: package depth ≤ 2, files ≤ 300 lines, no `utils.py`."""
    for package in PACKAGES:
        for file in sources(package):
            inside = file.relative_to(ROOT)
            if "versions" in inside.parts:  # migrations: history, never edited
                continue
            assert len(inside.parts) <= 4, f"{inside} lies deeper than two packages"
            assert file.name != "utils.py", inside
            assert len(file.read_text().splitlines()) <= 300, f"{inside} has outgrown 300 lines"

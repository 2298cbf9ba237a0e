"""The sample models built once, and one stack in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of one stack's repository and state."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(stack_directory: Path) -> Iterator[RunningStack]:
    """`tidegate up` on an empty directory: trains, exports, serves."""
    with running_stack(stack_directory / "models", stack_directory / "state") as running:
        yield running

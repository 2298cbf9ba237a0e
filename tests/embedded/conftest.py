"""One Triton for all tests that only load models of their own into it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.triton import RunningTriton, running_triton


@pytest.fixture(scope="package")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """A server with an empty repository; tests write models into it under names of their own."""
    repository = tmp_path_factory.mktemp("repository")
    with running_triton(repository, tmp_path_factory.mktemp("state"), load=()) as server:
        yield server

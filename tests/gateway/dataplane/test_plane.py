"""The plane and the reconciler follow a real Triton: load what is there, and tell the truth about it."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.app import Gateway, create_app
from gateway.dataplane import Plane
from gateway.errors import GatewayError, ModelNotReady, NotFound
from gateway.settings import Settings
from gateway.types import InferRequest, Principal, Tensor
from tests.support import onnx_models
from tests.support.triton import RunningTriton, SupervisedTriton, running_triton, supervised_triton

ANYONE = Principal("k", "p", frozenset({"infer"}), ("good", "broken", "nothing"))
REQUEST = InferRequest("good", "", "", (Tensor("x", "FP32", (1, 2), struct.pack("<2f", 1, 2)),))


def gateway(triton: RunningTriton, state_dir: Path) -> Gateway:
    return create_app(
        Settings.model_validate(
            {
                "triton_urls": triton.http_url,
                "triton_admin_secret": triton.admin_secret,
                "model_repository": triton.model_repository,
                "require_manifest": False,
                "catalog_interval": 0.1,
                "state_dir": state_dir / "state",
            }
        )
    )


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def infer(plane: Plane) -> bytes:
    answer = await plane.infer(ANYONE, REQUEST, asyncio.get_running_loop().time() + 10)
    return bytes(answer.outputs[0].data)


async def statuses_until_served(plane: Plane, at_least: int, seconds: float = 60.0) -> set[int]:
    """Infer again and again until the plane is ready and serves; return the statuses seen."""
    statuses: set[int] = set()
    async with asyncio.timeout(seconds):
        while not (len(statuses) >= at_least and plane.ready() and 200 in statuses):
            try:
                assert await infer(plane) == struct.pack("<2f", 1, 2)
                statuses.add(200)
            except GatewayError as error:
                statuses.add(error.status)
            await asyncio.sleep(0.02)
    return statuses


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plane") / "models"
    path.mkdir()
    onnx_models.write_identity(path, "good")
    onnx_models.write_identity(path, "broken")
    (path / "broken" / "1" / "model.onnx").write_bytes(b"not a model")
    return path


@pytest.fixture(scope="module")
def triton(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    with running_triton(repository, tmp_path_factory.mktemp("triton"), load=()) as running:
        yield running


@pytest.fixture
async def plane(triton: RunningTriton, tmp_path: Path) -> AsyncIterator[Plane]:
    built = gateway(triton, tmp_path)
    await built.start()
    yield built.plane
    await built.stop()


async def test_it_loads_what_triton_has_not_loaded_and_a_broken_model_stops_nobody(plane: Plane) -> None:
    await until(plane.ready)
    assert await infer(plane) == struct.pack("<2f", 1, 2)
    assert plane.versions(ANYONE, "good") == ("1",)
    assert plane.model_ready(ANYONE, "good")
    assert not plane.model_ready(ANYONE, "broken")
    with pytest.raises(ModelNotReady):
        plane.spec(ANYONE, "broken")


async def test_unknown_and_not_permitted_sound_the_same(plane: Plane, repository: Path) -> None:
    onnx_models.write_identity(repository, "secret") if not (repository / "secret").exists() else None
    await until(lambda: "secret" in plane._catalog.entries and plane._catalog.entries["secret"].ready)
    await until(lambda: plane.model_ready(ANYONE, "good"))
    said = []
    for model, version in (("secret", ""), ("nothing", ""), ("good", "7"), ("good", "next"), ("", "")):
        with pytest.raises(NotFound) as error:
            plane.spec(ANYONE, model, version)
        said.append(error.value.message)
    assert len(set(said)) == 1
    assert "secret" not in [entry.name for entry in plane.models(ANYONE)]


async def test_the_contract_is_tritons(plane: Plane) -> None:
    await until(plane.ready)
    spec = plane.spec(ANYONE, "good", "1")
    assert [(t.name, t.datatype, t.shape) for t in spec.inputs] == [("x", "FP32", (-1, -1))]
    assert (spec.max_batch_size, spec.instances, spec.decoupled, spec.labels) == (8, 1, False, False)
    assert spec.platform == "onnxruntime_onnx"


async def test_a_model_unloaded_behind_its_back_is_503_and_comes_back(
    plane: Plane, triton: RunningTriton
) -> None:
    await until(plane.ready)
    await asyncio.to_thread(triton.post, "/v2/repository/models/good/unload", admin=True)
    statuses = await statuses_until_served(plane, at_least=2)
    assert statuses == {200, 503}


async def test_a_dangling_link_in_the_repository_takes_nothing_out_of_service(
    plane: Plane, repository: Path
) -> None:
    await until(plane.ready)
    link = repository / ".#config.pbtxt"  # what an editor leaves beside a file it has open
    link.symlink_to("nowhere")
    try:
        await until(lambda: bool(plane._catalog.unreadable))
        assert plane.ready()
        assert await infer(plane) == struct.pack("<2f", 1, 2)
    finally:
        link.unlink()
    await until(lambda: not plane._catalog.unreadable)
    assert plane.ready()


async def test_a_start_with_a_dangling_link_names_it(
    triton: RunningTriton, repository: Path, tmp_path: Path
) -> None:
    link = repository / "dangling"
    link.symlink_to("nowhere")
    built = gateway(triton, tmp_path)
    try:
        await built.start()
        (problem,) = built.plane.problems()
        assert str(link) in problem
        assert problem.endswith("repair or remove that file.")
    finally:
        link.unlink()
    await until(built.plane.ready)
    await built.stop()


async def test_without_triton_names_resolve_and_nothing_is_ready(repository: Path, tmp_path: Path) -> None:
    with running_triton(repository, tmp_path, load=()) as triton:
        built = gateway(triton, tmp_path)
        await built.start()
        plane = built.plane
        await until(plane.ready)
        os.killpg(triton.pid, signal.SIGKILL)
        await until(lambda: not plane.ready(), seconds=5)
        assert plane.problems() == ("Triton does not answer.",)
        assert plane.spec(ANYONE, "good").model_version.version == "1"
        with pytest.raises(GatewayError) as error:
            await infer(plane)
        assert error.value.status == 503
        await built.stop()


async def test_a_dead_model_process_is_503_and_counted(repository: Path, tmp_path: Path) -> None:
    with running_triton(repository, tmp_path, load=()) as triton:
        built = gateway(triton, tmp_path)
        await built.start()
        plane = built.plane
        await until(plane.ready)
        stubs = [p for p in psutil.Process(triton.pid).children(recursive=True) if "stub" in p.name()]
        assert stubs
        for stub in stubs:
            stub.kill()
        with pytest.raises(ModelNotReady) as error:
            await infer(plane)
        assert error.value.retry_after
        labels = {"model": "good", "code": "model_process_died"}
        assert built.metrics.registry.get_sample_value("tidegate_triton_failures_total", labels) == 1
        await built.stop()


async def test_it_starts_before_triton(tmp_path: Path) -> None:
    late = {"triton_urls": "http://127.0.0.1:9", "catalog_interval": 0.1, "state_dir": tmp_path / "state"}
    built = create_app(Settings.model_validate(late))
    await built.start()
    plane = built.plane
    assert not plane.ready()
    with pytest.raises(NotFound):
        plane.spec(ANYONE, "good")
    await built.stop()


@pytest.fixture
def supervised(repository: Path, tmp_path: Path) -> Iterator[SupervisedTriton]:
    with supervised_triton(repository, tmp_path) as running:
        yield running


async def test_a_killed_triton_serves_again_without_anyone_lifting_a_finger(
    supervised: SupervisedTriton, tmp_path: Path
) -> None:
    built = gateway(supervised, tmp_path)
    await built.start()
    plane = built.plane
    await until(plane.ready)
    pid = supervised.server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not plane.ready(), seconds=10)
    assert await statuses_until_served(plane, at_least=1) <= {200, 502, 503}
    await built.stop()

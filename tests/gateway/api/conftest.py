"""One real Triton and one real gateway in front of it, for every test of the protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from onnx import helper

from tests.support import onnx_models
from tests.support.gateway import RunningGateway, headers, running_gateway
from tests.support.triton import RunningTriton, running_triton

# V2 name → config name, for all that the embedded Triton serves.
DATATYPES = {name: f"TYPE_{'STRING' if name == 'BYTES' else name}" for name in (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
)}  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """A Triton, a gateway in front of it and a key that may infer and read."""

    triton: RunningTriton
    gateway: RunningGateway
    key: str

    @property
    def url(self) -> str:
        return self.gateway.base_url

    @property
    def auth(self) -> dict[str, str]:
        return headers(self.key)

    def post(self, path: str, **options: object) -> httpx.Response:
        sent = {**self.auth, **options.pop("headers", {})}  # type: ignore[dict-item]
        return httpx.post(self.url + path, headers=sent, timeout=30, **options)  # type: ignore[arg-type]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.auth, timeout=30)


def write_everything(repository: Path) -> None:
    """One identity from `in_<datatype>` to `out_<datatype>` per datatype, [batch, n], in one model."""
    nodes = [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in DATATYPES]
    inputs = [(f"in_{name}", kind, ["batch", f"n_{name}"]) for name, kind in DATATYPES.items()]
    outputs = [(f"out_{name}", kind, ["batch", f"n_{name}"]) for name, kind in DATATYPES.items()]
    message = onnx_models.config(
        "everything",
        [(name, kind, [-1]) for name, kind, _ in inputs],
        [(name, kind, [-1]) for name, kind, _ in outputs],
    )
    onnx_models.write_model(repository, message, onnx_models.graph(nodes, inputs, outputs))


def write_labelled(repository: Path) -> None:
    """`x` [batch, 4] to itself, with labels for classification."""

    def edit(message: object) -> None:
        message.output[0].label_filename = "labels.txt"  # type: ignore[attr-defined]

    directory = onnx_models.write_identity(repository, "labelled", width=4, edit=edit)
    (directory / "labels.txt").write_text("ant\nbee\ncat\ndog\n")


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    root = tmp_path_factory.mktemp("protocols")
    repository = root / "models"
    repository.mkdir()
    write_everything(repository)
    write_labelled(repository)
    onnx_models.write_two_by_two(repository)
    onnx_models.write_gather(repository)
    onnx_models.write_identity(repository, "words", "TYPE_STRING")
    onnx_models.write_slow(repository, rounds=1500, size=320)  # about a second
    with running_triton(repository, root, load=()) as running:
        yield running


@pytest.fixture(scope="session")
def stack(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_gateway(triton, tmp_path_factory.mktemp("gateway"), max_body_bytes=1 << 20) as gateway:
        gateway.wait_ready()
        yield Stack(triton, gateway, gateway.create_key(project="alpha"))

"""What is exported answers through a real Triton as PyTorch does."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import samples
from export import ModelRepository, export_model
from export.staging import staging
from samples.diabetes import data as diabetes_data
from samples.diabetes.architecture import DiabetesNet
from samples.digits import data as digits_data
from samples.digits.architecture import DigitsNet
from tests.support.trained_samples import trained_samples
from tests.support.triton import RunningTriton, running_triton


@pytest.fixture(scope="module")
def state_dir() -> Path:
    return trained_samples().parent


@pytest.fixture(scope="module")
def triton(state_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """Serves both samples; a stage of a living publisher lies in the repository meanwhile."""
    repository = tmp_path_factory.mktemp("models")
    for sample in samples.SAMPLES.values():
        export_model(sample.spec, repository, state_dir=state_dir)
    with (
        staging(repository),
        running_triton(repository, tmp_path_factory.mktemp("triton"), load=tuple(samples.SAMPLES)) as running,
    ):
        yield running


def _infer(triton: RunningTriton, model: str, name: str, rows: NDArray[np.float32]) -> NDArray[Any]:
    answer = triton.infer(model, (name, "FP32", rows.shape, rows.ravel().tolist()))
    assert answer.status_code == 200, answer.text
    output = answer.json()["outputs"][0]
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


@pytest.mark.timeout(300)
def test_digits_are_read_as_well_as_in_training(triton: RunningTriton, state_dir: Path) -> None:
    digits = digits_data.load()
    model = DigitsNet().eval()
    model.load_state_dict(load_file(trained_samples() / "digits.safetensors"))
    with torch.inference_mode():
        expected = model(torch.from_numpy(digits.held_out_images)).numpy()
    batches = np.array_split(digits.held_out_images, 12)
    answers = np.concatenate([_infer(triton, "digits", "image", rows) for rows in batches])
    np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=1e-4)
    assert (answers.argmax(axis=1) == digits.held_out_labels).mean() >= 0.97


def test_diabetes_answers_in_the_units_of_the_data(triton: RunningTriton, state_dir: Path) -> None:
    rows = diabetes_data.load().held_out_features[:64]
    model = DiabetesNet().eval()
    model.load_state_dict(load_file(trained_samples() / "diabetes.safetensors"))
    with torch.inference_mode():
        expected = model(torch.from_numpy(rows)).numpy()
    answers = _infer(triton, "diabetes", "features", rows)
    np.testing.assert_allclose(answers, expected, atol=1e-3, rtol=1e-4)
    assert answers.std() > 10


def test_concurrent_callers_share_batches_and_get_their_own_answer(triton: RunningTriton) -> None:
    images = digits_data.load().held_out_images[:24]
    alone = [_infer(triton, "digits", "image", image[np.newaxis]) for image in images]
    together: dict[int, NDArray[Any]] = {}

    def ask(number: int) -> None:
        together[number] = _infer(triton, "digits", "image", images[number][np.newaxis])

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(len(images))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=30)
    for number, answer in enumerate(alone):
        np.testing.assert_allclose(together[number], answer, atol=1e-5, rtol=1e-4)


def test_class_names_come_with_the_classification(triton: RunningTriton) -> None:
    digits = digits_data.load()
    answer = triton.post(
        "/v2/models/digits/infer",
        {
            "inputs": [
                {
                    "name": "image",
                    "datatype": "FP32",
                    "shape": [1, 1, 28, 28],
                    "data": digits.held_out_images[0].ravel().tolist(),
                }
            ],
            "outputs": [{"name": "probabilities", "parameters": {"classification": 1}}],
        },
    )
    _, index, label = answer.json()["outputs"][0]["data"][0].split(":")
    assert index == label == str(digits.held_out_labels[0])


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_golden_requests_get_their_golden_answers(triton: RunningTriton, name: str) -> None:
    golden = json.loads((triton.model_repository / name / "1" / "golden.json").read_text())
    assert [request["inputs"][0]["shape"][0] for request in golden["requests"]] == [1, 2]
    for request in golden["requests"]:
        answer = triton.post(f"/v2/models/{name}/infer", {"inputs": request["inputs"]}).json()
        np.testing.assert_allclose(
            answer["outputs"][0]["data"], request["outputs"][0]["data"], **request["tolerance"]
        )
        assert answer["outputs"][0]["shape"] == request["outputs"][0]["shape"]


def test_triton_reads_the_config_as_written(triton: RunningTriton) -> None:
    config = triton.get("/v2/models/digits/config", admin=True).json()
    assert config["dynamic_batching"]["default_queue_policy"]["max_queue_size"] == 256
    assert [group["count"] for group in config["instance_group"]] == [1]
    assert {warm_up["batch_size"] for warm_up in config["model_warmup"]} == {1, 32}


def test_a_further_version_can_be_published_and_loaded_while_serving(
    triton: RunningTriton, state_dir: Path
) -> None:
    result = export_model(samples.SAMPLES["diabetes"].spec, triton.model_repository, state_dir=state_dir)
    assert result.version == 2
    assert triton.load("diabetes").status_code == 200
    assert triton.get("/v2/models/diabetes").json()["versions"] == ["2"]
    assert ModelRepository(triton.model_repository).models() == ("diabetes", "digits")

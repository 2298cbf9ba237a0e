import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import samples
from samples.build import train_sample
from samples.checkpoint import checkpoint_paths
from samples.diabetes import data as diabetes_data
from samples.digits import data as digits_data
from samples.sample import Sample
from tests.support.trained_samples import trained_samples


def _short(name: str) -> Sample:
    """A sample with a run of two epochs: reproducibility shows after the first step."""
    full = samples.SAMPLES[name]
    return Sample(full.name, full.description, full.spec, full.trainer, full.seed, epochs=2)


@pytest.fixture(scope="module")
def trained() -> dict[str, samples.TrainingResult]:
    """Every sample, trained in full."""
    return {name: samples.train(name, trained_samples()) for name in samples.SAMPLES}


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_training_twice_gives_the_same_weights(tmp_path: Path, name: str) -> None:
    first = train_sample(_short(name), tmp_path / "first")
    second = train_sample(_short(name), tmp_path / "second")
    assert first.checkpoint.read_bytes() == second.checkpoint.read_bytes()
    other = Sample(name, "", _short(name).spec, _short(name).trainer, seed=2, epochs=2)
    third = train_sample(other, tmp_path / "third")
    assert first.checkpoint.read_bytes() != third.checkpoint.read_bytes()


def test_digits_reach_their_bar(trained: dict[str, samples.TrainingResult]) -> None:
    assert trained["digits"].score >= 0.97


def test_diabetes_beats_the_mean(trained: dict[str, samples.TrainingResult]) -> None:
    assert trained["diabetes"].score_name == "r2"
    assert trained["diabetes"].score > 0.3


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_the_readme_tells_the_measured_score(trained: dict[str, samples.TrainingResult], name: str) -> None:
    readme = (samples.SAMPLES[name].spec.parent / "README.md").read_text()
    written = re.search(r"held-out (?:accuracy|R²) \| \*\*([0-9.]+)\*\*", readme)
    assert written is not None
    # Another machine may train to slightly other weights.
    assert float(written[1]) == pytest.approx(trained[name].score, abs=0.01)


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_the_metadata_tells_how_the_weights_came_to_be(
    trained: dict[str, samples.TrainingResult], name: str
) -> None:
    result = trained[name]
    metadata = json.loads(result.metadata.read_text())
    assert metadata["checkpoint_sha256"] == hashlib.sha256(result.checkpoint.read_bytes()).hexdigest()
    assert (metadata["seed"], metadata["epochs"]) == (
        samples.SAMPLES[name].seed,
        samples.SAMPLES[name].epochs,
    )
    assert metadata["held_out"][result.score_name] == result.score
    assert metadata["data"]["rows_held_out"] > 0
    assert {"torch", "scikit-learn"} <= set(metadata["versions"])


def test_an_up_to_date_checkpoint_is_kept_and_a_stale_one_is_not(tmp_path: Path) -> None:
    sample = _short("diabetes")
    calls: list[tuple[int, int]] = []
    first = train_sample(sample, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert (first.skipped, calls) == (False, [(1, 2), (2, 2)])
    again = train_sample(sample, tmp_path)
    assert (again.skipped, again.score) == (True, first.score)
    assert train_sample(sample, tmp_path, force=True).skipped is False
    weights, metadata = checkpoint_paths(tmp_path, "diabetes")
    for damage in (
        lambda: weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01"),
        lambda: metadata.write_text("[]"),
        lambda: metadata.write_text(metadata.read_text().replace('"seed": 1', '"seed": 2')),
        lambda: metadata.unlink(),
    ):
        damage()
        assert train_sample(sample, tmp_path).skipped is False


def test_the_checkpoint_holds_what_the_architecture_expects(
    trained: dict[str, samples.TrainingResult],
) -> None:
    from samples.diabetes.architecture import DiabetesNet
    from samples.digits.architecture import DigitsNet

    for name, model in (("digits", DigitsNet()), ("diabetes", DiabetesNet())):
        model.load_state_dict(load_file(trained[name].checkpoint), strict=True)


def test_digit_images_are_the_pixels_as_blocks_in_a_black_frame() -> None:
    grey = np.arange(64.0).reshape(8, 8) / 4
    image = digits_data.as_image(grey)
    assert image.shape == (1, 28, 28)
    assert image.dtype == np.float32
    assert image[0, 2 + 3 * 4 + 1, 2 + 3 * 5 + 2] == np.float32(grey[4, 5] / 16)
    assert not image[0, :2].any()
    assert not image[0, :, 26:].any()


def test_held_out_rows_are_never_trained_on() -> None:
    digits, diabetes = digits_data.load(), diabetes_data.load()
    assert len(digits.held_out_images) >= 200
    assert 0 <= digits.held_out_images.min() <= digits.held_out_images.max() <= 1
    assert len(digits.train_images) + len(digits.held_out_images) == 1797
    assert len(diabetes.train_features) + len(diabetes.held_out_features) == 442
    seen = {row.tobytes() for row in diabetes.train_features}
    assert not any(row.tobytes() in seen for row in diabetes.held_out_features)
    assert diabetes.train_features[:, 0].max() > 19, "ages are years, not scaled values"


def test_an_unknown_sample_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(samples.UnknownSampleError, match="named 'digit'; choose one of digits, diabetes"):
        samples.train("digit", tmp_path)


def test_listing_samples_loads_nothing_heavy() -> None:
    code = (
        "import sys, samples; print(sorted({'torch', 'sklearn', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(sample.spec.is_file() for sample in samples.SAMPLES.values())

"""The main job as a new user does it: `tidegate up` on nothing, then inferences."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.http

from samples.digits.data import load as load_digits
from tests.support.stack import TIDEGATE_UP, RunningStack, running_stack

ROOT = Path(__file__).parents[2]
PATIENT = [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]


def infer_body(image: npt.NDArray[np.float32]) -> dict[str, object]:
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, *image.shape], "data": image.ravel().tolist()}
    return {"inputs": [tensor]}


@pytest.mark.timeout(400)
def test_held_out_digits_are_read_as_well_as_in_training(stack: RunningStack) -> None:
    digits = load_digits()
    images, labels = digits.held_out_images[:200], digits.held_out_labels[:200]
    with httpx.Client(base_url=stack.gateway_url, headers=stack.authorization) as client:
        right = 0
        for image, label in zip(images, labels, strict=True):
            answer = client.post("/v2/models/digits/infer", json=infer_body(image))
            assert answer.status_code == 200, answer.text
            right += int(np.argmax(answer.json()["outputs"][0]["data"])) == label
    assert right / len(images) >= 0.97


@pytest.mark.timeout(400)
def test_the_printed_commands_work_as_printed(stack: RunningStack) -> None:
    printed = stack.output.read_text()
    commands = printed.partition("another terminal:")[2].partition("Ctrl-C")[0]
    assert commands.count("curl") == 3
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "predictions" in done.stdout
    assert "probabilities" in done.stdout
    assert "error" not in done.stdout


@pytest.mark.timeout(400)
def test_no_key_no_answer(stack: RunningStack) -> None:
    body = {"instances": [PATIENT]}
    url = f"{stack.gateway_url}/v1/models/diabetes:predict"
    refused = httpx.post(url, json=body)
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers
    assert httpx.post(url, json=body, headers={"X-API-Key": stack.api_key}).status_code == 200


@pytest.mark.timeout(400)
def test_tritonclient_gets_the_same_tensors_as_from_triton(stack: RunningStack) -> None:
    images = load_digits().held_out_images[:8]
    tensor = tritonclient.http.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    answers = []
    for url, headers in ((stack.gateway_url, stack.authorization), (stack.triton_url, {})):
        with tritonclient.http.InferenceServerClient(url.removeprefix("http://")) as client:
            answers.append(client.infer("digits", [tensor], headers=headers).as_numpy("probabilities"))
    np.testing.assert_array_equal(*answers)


@pytest.mark.timeout(400)
def test_state_is_private(stack: RunningStack) -> None:
    assert stat.S_IMODE(stack.state_dir.stat().st_mode) == 0o700
    for name in ("api-key", "admin-key", "key-pepper"):
        assert stat.S_IMODE((stack.state_dir / name).stat().st_mode) == 0o600, name


@pytest.mark.timeout(400)
def test_keys_are_created_listed_and_revoked_from_the_command_line(stack: RunningStack) -> None:
    def tidegate(*words: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "tidegate",
            *words,
            "--url",
            stack.gateway_url,
            "--state-dir",
            str(stack.state_dir),
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    created = tidegate("keys", "create", "--project", "lab", "--scope", "infer", "--model", "diabetes")
    key = created.stdout.strip()
    assert re.fullmatch(r"tg_[A-Za-z0-9]+_[A-Za-z0-9_-]+", key), created.stderr
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{stack.gateway_url}/v1/models/{{}}:predict"
    body = {"instances": [PATIENT]}
    assert httpx.post(url.format("diabetes"), json=body, headers=headers).status_code == 200
    assert httpx.post(url.format("digits"), json=body, headers=headers).status_code == 404

    key_id = key.split("_")[1]
    assert key_id in tidegate("keys", "list").stdout
    assert key not in tidegate("keys", "list", "--json").stdout
    assert tidegate("keys", "revoke", key_id).returncode == 0
    deadline = time.monotonic() + 1
    while httpx.post(url.format("diabetes"), json=body, headers=headers).status_code != 401:
        assert time.monotonic() < deadline, "a revoked key lived for more than a second"

    refused = tidegate("keys", "revoke", "nosuchkey")
    assert refused.returncode == 1
    assert "nosuchkey" in refused.stderr


@pytest.mark.timeout(400)
def test_a_later_start_serves_the_same_models_with_the_same_key(
    tmp_path: Path, stack_directory: Path, stack: RunningStack
) -> None:
    key = stack.api_key
    digits = stack_directory / "models"
    state = tmp_path / "state"
    with running_stack(digits, state) as first:
        first_key = first.api_key
        assert first_key != key
    with running_stack(digits, state) as second:
        assert second.api_key == first_key
        answer = httpx.get(f"{second.gateway_url}/v1/models", headers=second.authorization)
        assert answer.status_code == 200
        assert "digits" in answer.text
        assert "diabetes" in answer.text


@pytest.mark.timeout(400)
def test_stopping_leaves_no_process_behind(
    tmp_path: Path, stack_directory: Path, stack: RunningStack
) -> None:
    assert stack.process.poll() is None
    with running_stack(stack_directory / "models", tmp_path / "state") as other:
        children = other.children()
        assert other.child("bin/tritonserver") in children
        assert other.stop() == 0
        deadline = time.monotonic() + 5
        while any(child.is_running() and child.status() != "zombie" for child in children):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.timeout(400)
def test_killing_the_command_takes_its_children_along(
    tmp_path: Path, stack_directory: Path, stack: RunningStack
) -> None:
    assert stack.process.poll() is None
    with running_stack(stack_directory / "models", tmp_path / "state") as other:
        children = other.children()
        other.process.send_signal(signal.SIGKILL)
        other.process.wait(10)
        deadline = time.monotonic() + 60
        while any(child.is_running() and child.status() != "zombie" for child in children):
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.timeout(400)
def test_a_port_in_use_is_named(tmp_path: Path, stack_directory: Path, stack: RunningStack) -> None:
    taken = stack.gateway_url.rpartition(":")[2]
    with (
        pytest.raises(AssertionError, match=taken),
        running_stack(stack_directory / "models", tmp_path / "state", "--http-port", taken),
    ):
        pass


@pytest.mark.timeout(400)
def test_a_second_stack_in_the_same_state_directory_is_refused(
    stack_directory: Path, stack: RunningStack
) -> None:
    options = ["--repository", str(stack_directory / "models"), "--state-dir", str(stack.state_dir)]
    second = subprocess.run([*TIDEGATE_UP, *options], capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert f"process {stack.process.pid}) works in" in second.stderr
    assert "--state-dir" in second.stderr
    assert httpx.get(f"{stack.ops_url}/readyz").status_code == 200

"""Deploying: a good version serves, a bad one never does and hurts nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.gateway.rollouts.operator import Operator, eventually
from tests.support import versioned_models
from tests.support.gateway import headers

STEPS = ["checksum", "load", "warm-up", "golden", "alias"]


def test_a_deployed_version_answers_at_once_and_the_old_one_is_unloaded(hands: Operator) -> None:
    assert hands.answered_by() == "1"
    done = hands.deploy(2)
    assert [step["step"] for step in done["steps"]] == STEPS
    assert {step["outcome"] for step in done["steps"]} == {"passed"}
    assert (done["previous"], done["alias"]) == ("1", "stable")
    assert hands.answered_by() == "2"
    assert hands.metric("tidegate_stable_version_info", model=hands.model, version="2") == 1
    assert hands.metric("tidegate_stable_version_info", model=hands.model, version="1") is None
    eventually(lambda: hands.loaded() == {"2"})
    assert hands.infer("1").status_code == 404
    eventually(lambda: hands.metric("tidegate_model_ready", model=hands.model, version="1") is None)
    assert hands.metric("tidegate_model_ready", model=hands.model, version="2") == 1
    assert hands.metric("tidegate_deploys_total", model=hands.model, code="ok") == 2


BAD: dict[str, tuple[Callable[..., Path], str]] = {
    "corrupt": (versioned_models.publish_corrupt, "load"),
    "tampered": (versioned_models.publish_tampered, "another checksum"),
    "half": (versioned_models.publish_half, "model.onnx is missing"),
    "empty": (versioned_models.publish_empty, "folder is empty"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_version_is_refused_and_the_old_one_serves_on(
    hands: Operator, repository: Path, kind: str
) -> None:
    write, said = BAD[kind]
    write(repository, 3, name=hands.model)
    for _ in range(2):
        sentence = hands.refused("POST", "/deploy", 422, {"version": 3})
        assert said in sentence
        assert str(repository) not in sentence
        assert hands.answered_by() == "1"
    assert hands.loaded() == {"1"}
    assert hands.infer("3").status_code == 404
    assert hands.deploy(2)["previous"] == "1"  # nothing is wedged
    assert hands.answered_by() == "2"
    assert hands.metric("tidegate_deploys_total", model=hands.model, code="unusable_version") == 2


def test_a_version_with_wrong_answers_never_serves(hands: Operator, repository: Path) -> None:
    versioned_models.publish(repository, 3, factor=3.1, name=hands.model)
    sentence = hands.refused("POST", "/deploy", 422, {"version": 3})
    assert "`golden`" in sentence
    assert "outside the tolerance" in sentence
    assert hands.infer("3").status_code == 404
    eventually(lambda: hands.loaded() == {"1"})
    newest = hands.admin("GET", f"/history?model={hands.model}").json()["changes"][0]
    assert (newest["action"], newest["detail"]["step"]) == ("deploy.refused", "golden")


def test_without_golden_requests_the_step_is_skipped(hands: Operator, repository: Path) -> None:
    versioned_models.publish(repository, 3, golden=False, name=hands.model)
    steps = {step["step"]: step["outcome"] for step in hands.deploy(3)["steps"]}
    assert (steps["golden"], steps["load"]) == ("skipped", "passed")


def test_versions_and_models_that_do_not_exist(hands: Operator) -> None:
    assert "There is no version 9" in hands.refused("POST", "/deploy", 422, {"version": 9})
    assert hands.admin("POST", "/models/nothing/deploy", {"version": 1}).status_code == 404
    for body in (
        {"version": 0},
        {"version": "x"},
        {"version": -1},
        {"version": True},
        {},
        {"version": "1.0"},
    ):
        hands.refused("POST", "/deploy", 400, body)
    for alias in ("1", "Next", "", "a" * 64, "a_b"):
        hands.refused("POST", "/deploy", 400, {"version": 2, "alias": alias})


def test_aliases_are_taken_wherever_a_version_is(hands: Operator) -> None:
    hands.done("PUT", "/aliases/next", {"version": 2})
    assert hands.answered_by("next") == "2"
    assert hands.answered_by("2") == "2"
    assert hands.answered_by("stable") == "1"
    assert hands.answered_by() == "1"
    assert hands.infer("other").status_code == 404

    base, auth = hands.gateway.base_url, headers(hands.key)
    v1 = f"{base}/v1/models/{hands.model}/versions/next"
    answer = httpx.post(f"{v1}:predict", json={"instances": [[1.0, 1.0]]}, headers=auth, timeout=10)
    assert (answer.json(), answer.headers["x-model-version"]) == ({"predictions": [[2.0, 2.0]]}, "2")
    assert httpx.get(v1, headers=auth, timeout=10).headers["x-model-version"] == "2"
    v2 = f"{base}/v2/models/{hands.model}/versions/next"
    answer = httpx.get(v2, headers=auth, timeout=10)
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, "2")
    answer = httpx.get(f"{v2}/ready", headers=auth, timeout=10)
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, "2")

    hands.done("DELETE", "/aliases/next")
    assert hands.infer("next").status_code == 404
    eventually(lambda: hands.loaded() == {"1"})
    assert "needs its alias" in hands.refused("DELETE", "/aliases/stable", 409)
    hands.refused("DELETE", "/aliases/next", 404)


def test_the_version_is_told_also_when_the_request_is_wrong(hands: Operator) -> None:
    url = f"{hands.gateway.base_url}/v2/models/{hands.model}/infer"
    body = versioned_models.request()
    body["inputs"][0]["name"] = "wrong"
    answer = httpx.post(url, json=body, headers=headers(hands.key), timeout=10)
    assert (answer.status_code, answer.headers["x-model-version"]) == (400, "1")


def test_keys_reach_only_what_they_may(hands: Operator) -> None:
    base = f"{hands.gateway.base_url}/admin/v1"
    reader = headers(hands.gateway.create_key(scopes=["read"]))
    deployer = headers(hands.gateway.create_key(scopes=["deploy"], models=["other-*"]))
    caller = headers(hands.key)
    model = f"{base}/models/{hands.model}"
    assert httpx.get(model, headers=reader).status_code == 200
    assert httpx.post(f"{model}/deploy", json={"version": 2}, headers=reader).status_code == 403
    assert httpx.get(f"{base}/models", headers=caller).status_code == 200
    assert httpx.post(f"{model}/deploy", json={"version": 2}, headers=caller).status_code == 403
    foreign = httpx.post(f"{model}/deploy", json={"version": 2}, headers=deployer)
    unknown = httpx.post(f"{base}/models/nothing/deploy", json={"version": 2}, headers=deployer)
    assert (foreign.status_code, foreign.json()["error"]) == (404, unknown.json()["error"])
    assert httpx.get(f"{base}/models", headers=deployer).json() == {"models": []}
    assert httpx.get(f"{base}/history?model={hands.model}", headers=deployer).status_code == 404
    assert httpx.get(f"{base}/history", headers=deployer).status_code == 400
    assert httpx.get(f"{base}/history", headers=hands.gateway.admin_headers).status_code == 200


def test_the_overview_tells_what_is_where(hands: Operator) -> None:
    shown = hands.done("GET", "")
    assert (shown["stable"], shown["previous_stable"], shown["rollout"]) == ("1", None, None)
    assert shown["aliases"] == {"stable": "1"}
    assert shown["versions"] == [
        {"version": "2", "published": True, "admitted": False, "loaded": False},
        {"version": "1", "published": True, "admitted": True, "loaded": True},
    ]
    assert shown in hands.admin("GET", "/models").json()["models"]

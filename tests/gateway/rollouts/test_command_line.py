"""`tidegate deploy`, `rollout` and `history` against a real gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.gateway.rollouts.operator import Operator
from tests.support.versioned_models import publish_corrupt


def tidegate(hands: Operator, *words: str) -> subprocess.CompletedProcess[str]:
    gateway = hands.gateway
    where = ["--url", gateway.base_url, "--state-dir", str(gateway.state_dir)]
    command = [sys.executable, "-m", "tidegate", *words, *where]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def data(hands: Operator, *words: str) -> Any:
    done = tidegate(hands, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_whole_way_of_a_version(hands: Operator, repository: Path) -> None:
    model = hands.model
    started = tidegate(hands, "rollout", "start", model, "--candidate", "2", "--weight", "10")
    assert (started.returncode, started.stdout) == (0, "")
    assert f"{model} version 2 answers 10 % of the requests now." in started.stderr
    assert data(hands, "rollout", "weight", model, "100")["weight"] == 100
    assert hands.answered_by() == "2"
    shown = tidegate(hands, "rollout", "status", model).stdout
    assert "1 → 2, running, weight 100 %" in shown
    assert "100.0%" in shown
    assert data(hands, "rollout", "promote", model, "--reason", "good")["state"] == "promoted"
    assert data(hands, "rollout", "rollback", model)["stable"] == "1"
    deployed = tidegate(hands, "deploy", f"{model}@2")
    assert "golden" in deployed.stdout
    assert f"{model} version 2 is stable now (before: 1)." in deployed.stderr

    publish_corrupt(repository, 3, name=model)
    refused = tidegate(hands, "deploy", f"{model}@3")
    assert (refused.returncode, "failed the step `load`" in refused.stderr) == (1, True)
    assert hands.answered_by() == "2"

    actions = [change["action"] for change in data(hands, "history", model)]
    assert actions == [
        "deploy.refused",
        "deploy",
        "rollback",
        "rollout.promote",
        "rollout.weight",
        "rollout.start",
        "deploy",
    ]
    assert "reason=good" in tidegate(hands, "history", model).stdout


def test_wrong_calls_end_in_what_to_do(hands: Operator) -> None:
    for words, said in (
        (("deploy", hands.model), "MODEL@VERSION"),
        (("deploy", "nothing@1"), "GET /admin/v1/models"),
        (("rollout", "promote", hands.model), "start one first"),
        (("rollout", "status", hands.model), "start one first"),
        (("rollout", "start", hands.model, "--candidate", "1"), "choose another"),
    ):
        done = tidegate(hands, *words)
        assert done.returncode == 1
        assert said in done.stderr.replace("\n", " ")

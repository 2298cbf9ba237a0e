"""What each version answered since a rollout began."""

from __future__ import annotations

from gateway.controlplane.observation import Answers, Observation
from gateway.metrics import Metrics


def count(metrics: Metrics, version: str, code: str, times: int = 1, model: str = "digits") -> None:
    metrics.requests.labels("v2", model, version, "shop", code).inc(times)


def test_only_what_came_after_the_beginning_counts() -> None:
    metrics = Metrics()
    observation = Observation(metrics)
    count(metrics, "1", "200", 5)
    count(metrics, "1", "503", 2)
    observation.begin("digits")
    assert observation.since_begin("digits") == {}
    count(metrics, "1", "200", 8)
    count(metrics, "2", "200")
    count(metrics, "2", "400")
    count(metrics, "2", "502")
    count(metrics, "7", "200", model="other")
    assert observation.since_begin("digits") == {"1": Answers(8, 0), "2": Answers(3, 1)}


def test_a_gateway_that_did_not_see_the_beginning_counts_from_its_start() -> None:
    metrics = Metrics()
    count(metrics, "10", "200", 3)
    count(metrics, "9", "500")
    assert list(Observation(metrics).since_begin("digits").items()) == [
        ("9", Answers(1, 1)),
        ("10", Answers(3, 0)),
    ]

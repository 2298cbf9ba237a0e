"""The running stack as Prometheus, the dashboards and `traffic` see it: real Triton, real gateway."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB
from monitoring.dashboards import DASHBOARDS, DASHBOARDS_DIRECTORY
from monitoring.errors import StackUnreachable
from monitoring.prometheus import Prometheus
from monitoring.rules import RULES_DIRECTORY
from monitoring.traffic import MIX
from monitoring.traffic import run as send_traffic
from monitoring.traffic.settings import TrafficSettings
from monitoring.traffic.summary import Summary
from tests.support.gateway import headers
from tests.support.onnx_models import write_gather, write_identity, write_two_by_two
from tests.support.prometheus import running_prometheus, wait_for
from tests.support.promql import metric_names, needs_prometheus, panels_of, rules_of, without_variables
from tests.support.stack import RunningStack, running_stack
from tests.support.versioned_models import NAME, publish, write_manifest

# Only a machine with a GPU and DCGM emits these.
GPU = {
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_power_usage",
    "nv_gpu_power_limit",
}
OF_PROMETHEUS = {"up", "ALERTS"}

pytestmark = [needs_prometheus, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Watched:
    """A stack with traffic on it, and its Prometheus."""

    stack: RunningStack
    prometheus: Prometheus
    summary: Summary

    def scraped(self) -> tuple[set[str], set[str]]:
        """Return the names all targets emit now: (with samples, declared)."""
        stack = self.stack
        urls = (f"{stack.ops_url}/metrics", stack.triton_metrics_url, f"{stack.supervisor_url}/metrics")
        text = "\n".join(httpx.get(url, timeout=30).text for url in urls)
        samples = set(re.findall(r"^([A-Za-z_:][\w:]*)[{ ]", text, re.MULTILINE))
        declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        return samples, declared


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("watched")
    repository = directory / "repository"
    write_identity(repository, "fp16", "TYPE_FP16", width=4)
    write_identity(repository, "words", "TYPE_STRING")
    write_two_by_two(repository)
    write_gather(repository)
    for folder in repository.iterdir():
        write_manifest(folder / "1", folder.name, 1)
    publish(repository, 1)
    with running_stack(repository, directory / "state", "--no-samples") as stack:
        urls = {
            GATEWAY_JOB: stack.ops_url,
            TRITON_JOB: stack.triton_metrics_url,
            SUPERVISOR_JOB: stack.supervisor_url,
        }
        with running_prometheus(directory / "prometheus", urls) as prometheus:
            _start_rollout(stack, repository)
            settings = TrafficSettings(url=stack.gateway_url, rate=40, duration=6, seed=1)
            summary = send_traffic(settings, stack.state_dir, Console(stderr=True))
            _bad_index(stack)
            yield Watched(stack, prometheus, summary)


def _start_rollout(stack: RunningStack, repository: Path) -> None:
    publish(repository, 2)
    answer = httpx.post(
        f"{stack.gateway_url}/admin/v1/models/{NAME}/rollout",
        json={"candidate": 2, "weight": 50},
        headers=headers((stack.state_dir / "admin-key").read_text().strip()),
        timeout=60,
    )
    assert answer.is_success, answer.text


def _bad_index(stack: RunningStack) -> None:
    """Make a call fail inside the model, twice, so that its counter exists and then grows."""
    tensor = {"name": "idx", "datatype": "INT64", "shape": [1, 1], "data": [99]}
    for _ in range(2):
        httpx.post(
            f"{stack.gateway_url}/v2/models/gather/infer",
            json={"inputs": [tensor]},
            headers=stack.authorization,
            timeout=30,
        )
        time.sleep(1)


def expressions() -> dict[str, tuple[str, str]]:
    """Return (expression, legend) of every panel by `dashboard: title (n)`."""
    return {
        f"{name.removesuffix('.json')}: {panel['title']} ({index})": (target["expr"], target["legendFormat"])
        for name in DASHBOARDS
        for panel in panels_of(DASHBOARDS_DIRECTORY / name)
        for index, target in enumerate(panel["targets"])
    }


def named() -> set[str]:
    """Return every metric that a panel, an annotation or a rule names, recorded series excepted."""
    rules = rules_of(RULES_DIRECTORY / "recording.yaml") + rules_of(RULES_DIRECTORY / "alerts.yaml")
    texts = [rule["expr"] for rule in rules] + [expr for expr, _ in expressions().values()]
    return {name for text in texts for name in metric_names(text) if ":" not in name} - OF_PROMETHEUS


def depends_on(expr: str, wanted: set[str]) -> bool:
    """Whether `expr` selects one of `wanted`, directly or through recorded series."""
    recordings = {rule["record"]: rule["expr"] for rule in rules_of(RULES_DIRECTORY / "recording.yaml")}
    names = metric_names(expr)
    return bool(names & wanted) or any(depends_on(recordings[n], wanted) for n in names if n in recordings)


def test_every_named_metric_is_emitted(watched: Watched) -> None:
    samples, declared = watched.scraped()
    missing = named() - samples - declared - GPU
    assert missing == set()


def test_the_list_of_absent_metrics_holds_no_others(watched: Watched) -> None:
    assert named() >= GPU


def test_targets_are_up_and_rules_healthy(watched: Watched) -> None:
    assert {target["labels"]["job"] for target in watched.prometheus.targets()} == {
        GATEWAY_JOB,
        TRITON_JOB,
        SUPERVISOR_JOB,
    }
    wait_for(lambda: not _unhealthy(watched.prometheus), 20, f"rules: {_unhealthy(watched.prometheus)}")
    wait_for(lambda: len(watched.prometheus.query("up == 1")) == 3, 20, "a target is down")


def _unhealthy(prometheus: Prometheus) -> list[str]:
    groups = prometheus.api("rules")["groups"]
    return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]


@pytest.mark.parametrize("panel", sorted(expressions()))
def test_every_panel_shows_something(watched: Watched, panel: str) -> None:
    expr, legend = expressions()[panel]
    query = without_variables(expr)
    if depends_on(expr, GPU):
        watched.prometheus.query(query)
        return
    wait_for(lambda: watched.prometheus.query(query), 20, f"empty: {query}")
    for sample in watched.prometheus.query(query):
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= set(sample["metric"])


def test_traffic_meets_only_what_it_expects(watched: Watched) -> None:
    summary = watched.summary
    assert summary.surprises == 0, summary.line()
    assert {200, 400, 401, 404} <= set(summary.statuses)
    assert summary.statuses.total() + summary.refused_to_send == 240


def test_traffic_reaches_every_model_and_protocol(watched: Watched) -> None:
    samples = watched.prometheus.query('tidegate_requests_total{code="200", model!="unknown"}')
    reached = {(s["metric"]["model"], s["metric"]["protocol"]) for s in samples}
    json_models = {"words", "two_by_two", "gather", NAME}
    assert {(model, "v2") for model in {"fp16", *json_models}} <= reached
    assert {(model, "v1") for model in json_models} <= reached
    assert len(MIX) == 9


def test_traffic_reaches_stable_and_candidate(watched: Watched) -> None:
    samples = watched.prometheus.query(f'sum by (version) (tidegate_requests_total{{model="{NAME}"}}) > 0')
    assert {sample["metric"]["version"] for sample in samples} == {"1", "2"}


def test_traffic_says_what_is_wrong(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_API_KEY", raising=False)
    console, stack = Console(stderr=True), watched.stack
    with pytest.raises(StackUnreachable, match="There is no API key"):
        send_traffic(TrafficSettings(url=stack.gateway_url), tmp_path, console)
    with pytest.raises(StackUnreachable, match="No gateway answers"):
        send_traffic(TrafficSettings(url="http://127.0.0.1:9"), stack.state_dir, console)
    with pytest.raises(StackUnreachable, match="does not serve nonsense"):
        send_traffic(TrafficSettings(url=stack.gateway_url, models=("nonsense",)), stack.state_dir, console)
    monkeypatch.setenv("TIDEGATE_API_KEY", "tg_0000000000000000_never-issued")
    with pytest.raises(StackUnreachable, match=r"401.*Check the key"):
        send_traffic(TrafficSettings(url=stack.gateway_url), stack.state_dir, console)

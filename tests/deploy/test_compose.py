"""Every path, port, command and setting in compose.yaml and what it mounts is true."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import Settings
from monitoring.scrape import ScrapeConfig
from tests.deploy.dockerfile import DEPLOY, ROOT, ignored, instructions

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
THEIRS = {name: service for name, service in SERVICES.items() if "build" not in service}


def test_the_services_are_these() -> None:
    assert OURS.keys() == {"triton", "gateway"}
    assert THEIRS.keys() == {"prometheus", "grafana"}


@pytest.mark.parametrize("name", OURS)
def test_what_is_built_is_there(name: str) -> None:
    build = OURS[name]["build"]
    context = DEPLOY / build["context"]
    assert context.resolve() == ROOT
    dockerfile = context / build["dockerfile"]
    assert dockerfile.is_file()
    # The same image name as in the Dockerfile's own instructions.
    assert f"-t {OURS[name]['image']} ." in dockerfile.read_text()


@pytest.mark.parametrize("name", THEIRS)
def test_other_peoples_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", THEIRS[name]["image"])


def test_every_mounted_path_is_there_and_read_only() -> None:
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
                assert mode == ["ro"], volume
            else:
                assert source in COMPOSE["volumes"], volume
            assert target.startswith("/"), name


def test_only_loopback_is_published_and_never_triton() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == ["127.0.0.1:3000:3000", "127.0.0.1:8080:8080", "127.0.0.1:9090:9090"]
    assert "ports" not in SERVICES["triton"]
    assert SERVICES["triton"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_no_container_has_more_rights_than_it_needs() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) is (name != "grafana"), name
        assert not {"privileged", "pid", "ipc", "network_mode"} & service.keys()


def test_secrets_have_no_default_and_say_how_to_get_one() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?Set it in deploy/\.env, [^}]+\}", text))
    assert set(re.findall(r"\$\{(\w+)", text)) == needed
    offered = dict(
        line.split("=") for line in (DEPLOY / "example.env").read_text().splitlines() if "=" in line
    )
    assert offered == dict.fromkeys(needed, "")
    assert ignored(DEPLOY / ".env")
    assert ".env" in (DEPLOY / ".gitignore").read_text().splitlines()


def test_the_gateway_gets_settings_it_knows() -> None:
    settings = {
        name.removeprefix("TIDEGATE_").lower(): value for name, value in _environment("gateway").items()
    }
    assert settings.keys() <= set(Settings.model_fields)
    image = next(
        i.text for i in instructions(DEPLOY / "gateway.Dockerfile") if "TIDEGATE_STATE_DIR" in i.text
    )
    state = re.search(r"TIDEGATE_STATE_DIR=(\S+)", image)
    assert state is not None
    mounts = _mounts("gateway")
    # A directory inside the volume, which the gateway can make private.
    assert mounts[str(Path(state[1]).parent)] == "gateway-state"
    # It reads what Triton serves.
    assert "TIDEGATE_MODEL_REPOSITORY=/models " in image
    assert mounts["/models"] == _mounts("triton")["/models"] == "../model_repository"
    assert settings["triton_urls"] == "http://triton:8000"
    assert settings["triton_admin_secret"] == _environment("triton")["TIDEGATE_TRITON_ADMIN_SECRET"]


def test_containers_get_the_time_their_drain_takes() -> None:
    drain = float(_environment("gateway")["TIDEGATE_DRAIN_TIMEOUT"])
    assert drain >= Settings.model_fields["request_timeout"].default
    assert _seconds(SERVICES["gateway"]["stop_grace_period"]) >= drain + 5
    assert _seconds(SERVICES["triton"]["stop_grace_period"]) >= 25 + 10


def test_health_checks_ask_the_ports_and_paths_of_the_probes() -> None:
    asked = {}
    for name, service in OURS.items():
        command = service["healthcheck"]["test"]
        assert command[:3] == ["CMD", "python", "-c"]
        compile(command[3], name, "exec")
        asked[name] = re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", command[3])
    assert asked == {"triton": [("8000", "/v2/health/live")], "gateway": [("8081", "/readyz")]}
    assert Settings.model_fields["ops_port"].default == 8081


def test_prometheus_scrapes_what_the_local_one_does_under_other_names() -> None:
    jobs = ScrapeConfig().targets
    hosts = {job: "gateway" if job.endswith("gateway") else "triton" for job in jobs}
    targets = {job: [f"{hosts[job]}:{at.rsplit(':', 1)[1]}" for at in jobs[job]] for job in jobs}
    wanted = yaml.safe_load(ScrapeConfig(targets=targets).render())
    assert yaml.safe_load((DEPLOY / "prometheus.yml").read_text()) == wanted
    assert set(hosts.values()) <= SERVICES.keys()
    config = next(word for word in SERVICES["prometheus"]["command"] if word.startswith("--config.file="))
    mounts = _mounts("prometheus")
    assert mounts[config.partition("=")[2]] == "./prometheus.yml"
    assert mounts["/etc/prometheus/rules"] == "../monitoring/rules"


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)"
)
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "prometheus.yml", tmp_path)
    shutil.copytree(ROOT / "monitoring" / "rules", tmp_path / "rules")
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "rules/alerts.yaml" in answer.stdout


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    mounts = _mounts("grafana")
    provisioning = DEPLOY / mounts["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "tidegate.yaml").read_text())["providers"]
    dashboards = sorted((DEPLOY / mounts[provider["options"]["path"]]).glob("*.json"))
    assert dashboards
    for dashboard in dashboards:
        variables = json.loads(dashboard.read_text())["templating"]["list"]
        assert "prometheus" in [v["query"] for v in variables if v["type"] == "datasource"], dashboard.name


def test_grafana_is_not_open() -> None:
    assert not [name for name in _environment("grafana") if "ANONYMOUS" in name]


def _environment(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name]["environment"]
    return found


def _mounts(name: str) -> dict[str, str]:
    return {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES[name]["volumes"]}


def _seconds(duration: str) -> float:
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))

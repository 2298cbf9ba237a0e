"""values.yaml, values.schema.json, README.md and the gateway's settings say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from gateway.settings import Settings
from tests.helm.rendering import CHART, container_of, environment, manifests, pod_spec, render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
# What the chart sets by other values or must not let anybody change.
OWN_SETTINGS = {
    "admin_key", "database_url", "drain_delay", "drain_timeout", "http_host", "http_port", "key_pepper",
    "max_body_bytes", "model_repository", "ops_host", "ops_port", "request_timeout", "state_dir",
    "triton_admin_header",
    "triton_admin_secret", "triton_admin_secret_file", "triton_urls",
}  # fmt: skip


def objects_of(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and schema of everything the schema describes."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from objects_of(child, f"{path}.{name}".lstrip("."))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and default of every value a user can set."""
    if isinstance(value, dict) and value and path not in FREE_MAPS:
        for name, child in value.items():
            yield from leaves(child, f"{path}.{name}".lstrip("."))
    else:
        yield path, value


FREE_MAPS = {
    path for path, schema in objects_of(SCHEMA) if schema["type"] == "object" and "properties" not in schema
}


def test_schema_closes_every_object_and_describes_every_value() -> None:
    for path, schema in objects_of(SCHEMA):
        assert schema.get("description"), path
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path


def test_schema_and_values_have_the_same_keys() -> None:
    described = {
        path for path, schema in objects_of(SCHEMA)
        if "properties" not in schema and path != "global" and not path.startswith("gateway.settings.")
    }  # fmt: skip
    defaults = {path for path, _ in leaves(VALUES)} - {"gateway.settings"}
    # Resources are empty by default, so that no guess of ours is scheduled by.
    described = {re.sub(r"\.resources\..*", ".resources", path) for path in described}
    assert described == defaults


def test_settings_are_the_gateways_own() -> None:
    offered = SCHEMA["properties"]["gateway"]["properties"]["settings"]["properties"]
    # A new setting of the gateway goes into gateway.settings of the schema, or among the chart's own here.
    assert set(offered) | OWN_SETTINGS == set(Settings.model_fields)
    assert not set(offered) & OWN_SETTINGS


def test_every_setting_arrives_at_the_gateway() -> None:
    chosen = {
        "access_log": False, "auto_deploy": False, "require_manifest": False,
        "unload_grace": 7.5, "body_timeout": 12.5, "catalog_interval": 2, "keep_alive_timeout": 90,
        "log_level": "WARNING", "max_in_flight": 7, "max_queue": 4000000, "max_response_bytes": 1000000,
        "model_load_timeout": 600, "principals_interval": 0.25,
        "triton_connect_timeout": 1, "triton_connections": 128,
    }  # fmt: skip
    objects = manifests(
        {"gateway": {"settings": chosen, "maxBodyBytes": 134217728, "requestTimeoutSeconds": 20}}
    )
    container = container_of(pod_spec(objects, "-gateway"))
    known = {
        name.removeprefix("TIDEGATE_").lower(): value
        for name, value in environment(container, objects).items()
    }
    settings = Settings(**known)  # type: ignore[arg-type]
    assert {name: getattr(settings, name) for name in chosen} == chosen
    assert settings.max_body_bytes == 134217728
    assert settings.request_timeout == 20
    assert set(known) <= set(Settings.model_fields)


def test_readme_lists_every_value_with_its_default() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| `(.*?)` \| (.+) \|$", (CHART / "README.md").read_text(), re.MULTILINE
    )
    listed = {path: (default, description) for path, default, description in rows}
    assert len(listed) == len(rows)
    schemas = dict(objects_of(SCHEMA))
    expected = {path: (json.dumps(default), schemas[path]["description"]) for path, default in leaves(VALUES)}
    assert listed == expected


BAD_VALUES: list[dict[str, Any]] = [
    {"unknown": 1},
    {"gateway": {"replica": 2}},
    {"gateway": {"replicas": 0}},
    {"gateway": {"replicas": "2"}},
    {"gateway": {"image": {"digest": "sha256:short"}}},
    {"gateway": {"image": {"pullPolicy": "Sometimes"}}},
    {"gateway": {"settings": {"http_port": 9000}}},
    {"gateway": {"settings": {"admin_key": "x"}}},
    {"gateway": {"settings": {"max_queue": "many"}}},
    {"gateway": {"resources": {"request": {"cpu": 1}}}},
    {"gateway": {"ingress": {"paths": ["v1"]}}},
    {"gateway": {"podDisruptionBudget": {"maxUnavailable": 0}}},
    {"gateway": {"podDisruptionBudget": {"maxUnavailable": "0%"}}},
    {"profile": "tpu"},
    {"triton": {"replicas": 2}},
    {"triton": {"gpus": 0}},
    {"triton": {"sharedMemory": "a lot"}},
    {"triton": {"preStopSeconds": -1}},
    {"triton": {"extraArgs": ["log"]}},
    {"triton": {"extraArgs": ["--model-control-mode=poll"]}},
    {"triton": {"extraArgs": ["--allow-sagemaker=true"]}},
    {"triton": {"extraArgs": ["--http-restricted-api=logging:a=b"]}},
    {"triton": {"extraArgs": ["--log-file=/models/x"]}},
    {"modelRepository": {"accessModes": []}},
    {"modelRepository": {"accessModes": ["ReadWriteOncePod"]}},
    {"secrets": {"adminKey": "tg_a_b"}},
    {"networkPolicy": {"dnsTo": []}},
    {"database": {"port": 5432}},
    {"monitoring": {"serviceMonitor": {"interval": "often"}}},
]


@pytest.mark.parametrize("values", BAD_VALUES, ids=json.dumps)
def test_bad_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError, match="schema"):
        render(values)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"gateway": {"replicas": 2}}, "SQLite cannot be shared: set database.url"),
    (
        {"gateway": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": "1"}}}},
        "SQLite cannot be shared: set database.url",
    ),
    (
        {
            "gateway": {"autoscaling": {"enabled": True}},
            "database": {"url": "postgresql://db/tidegate"},
            "modelRepository": {"existingClaim": "models"},
        },
        "set gateway.resources.requests.cpu",
    ),
    (
        {
            "gateway": {
                "autoscaling": {"enabled": True, "minReplicas": 9},
                "resources": {"requests": {"cpu": "1"}},
            },
            "database": {"url": "postgresql://db/tidegate"},
            "modelRepository": {"existingClaim": "models"},
        },
        "minReplicas is above maxReplicas",
    ),
    (
        {"gateway": {"replicas": 2}, "database": {"url": "postgresql://db/tidegate"}},
        "set modelRepository.accessModes to [ReadWriteMany]",
    ),
    ({"database": {"url": "postgresql://db/tidegate", "existingSecret": "db"}}, "keep one of them"),
    ({"gateway": {"requestTimeoutSeconds": 120}}, "set gateway.drain.timeoutSeconds"),
    (
        {"gateway": {"requestTimeoutSeconds": 120, "drain": {"timeoutSeconds": 120}}},
        "set triton.exitTimeoutSeconds",
    ),
    ({"gateway": {"ingress": {"enabled": True}}}, "set gateway.ingress.hosts"),
    ({"triton": {"image": {"tag": "25.07-py3"}}}, "set triton.image.tag to 26.09-py3 or newer"),
    ({"triton": {"image": {"tag": "24.10-py3-min"}}}, "set triton.image.tag to 26.09-py3 or newer"),
]


@pytest.mark.parametrize(
    ("values", "sentence"), IMPOSSIBLE, ids=lambda case: case if isinstance(case, str) else ""
)
def test_impossible_combinations_are_refused_with_what_to_do(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm_python.HelmError, match=re.escape(sentence)):
        render(values)


def test_an_old_tag_is_no_matter_where_it_is_not_used() -> None:
    assert render({"profile": "cpu", "triton": {"image": {"tag": "24.10-py3"}}})

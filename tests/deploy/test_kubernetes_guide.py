"""What docs/guide/kubernetes.md tells people to do works with the chart and the images as they are."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from tests.deploy.dockerfile import DEPLOY, ROOT, instructions
from tests.helm.rendering import CHART, find, manifests
from tests.helm.test_values import SCHEMA, objects_of

GUIDE = (ROOT / "docs" / "guide" / "kubernetes.md").read_text()
(JOB,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))


def test_the_export_job_is_valid_and_restricted() -> None:
    kubernetes_validate.validate(JOB, "1.27", strict=True)
    container = _container()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert JOB["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_the_export_job_writes_where_triton_reads() -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in _container()["volumeMounts"]}
    (entry,) = (i.words for i in instructions(DEPLOY / "export.Dockerfile") if i.name == "ENTRYPOINT")
    assert entry[entry.index("--repository") + 1] in mounts
    assert entry[entry.index("--state-dir") + 1].startswith("/tmp")
    claims = {v["name"]: v.get("persistentVolumeClaim") for v in JOB["spec"]["template"]["spec"]["volumes"]}
    created = find(manifests({"fullnameOverride": "tidegate"}), "PersistentVolumeClaim", "-models")
    assert claims[mounts["/models"]] == {"claimName": created["metadata"]["name"]}


def test_every_path_and_value_named_is_there() -> None:
    for path in re.findall(r"(?:^|[\s(`])((?:deploy|helm)/[\w./-]*\w)", GUIDE):
        assert (ROOT / path).exists() or path == "deploy/.env", path
    for link in re.findall(r"\]\((\S+)\)", GUIDE):
        assert (ROOT / "docs" / "guide" / link).exists(), link
    values = {path for path, _ in objects_of(SCHEMA)}
    named = set(
        re.findall(
            r"`((?:gateway|triton|networkPolicy|monitoring|secrets|database|modelRepository)\.\w[\w.]*)",
            GUIDE,
        )
    )
    assert len(named) > 10
    assert named - values == set()


def test_the_charts_readme_links_are_true() -> None:
    for link in re.findall(r"\]\((\S+)\)", (CHART / "README.md").read_text()):
        assert (CHART / link).exists(), link


def _container() -> dict[str, Any]:
    (container,) = JOB["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container

"""The committed files are what the Python says."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitoring import generated
from monitoring.cli import app
from monitoring.config import RuleConfig
from monitoring.errors import NotCurrent
from monitoring.rules import rule_files


@pytest.mark.parametrize("command", ["rules", "dashboards"])
def test_committed_files_are_current(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--check"])
    assert result.exit_code == 0, result.exception


def test_check_sees_a_change_a_gap_and_a_leftover(tmp_path: Path) -> None:
    files = {"a.yaml": "a\n", "b.yaml": "b\n"}
    assert {path.name for path in generated.write(tmp_path, files)} == set(files)
    assert generated.write(tmp_path, files) == []
    generated.check(tmp_path, files, ".yaml", "rules")

    (tmp_path / "a.yaml").write_text("changed\n")
    with pytest.raises(NotCurrent, match=r"a\.yaml is not current.*python -m monitoring rules"):
        generated.check(tmp_path, files, ".yaml", "rules")
    (tmp_path / "a.yaml").unlink()
    with pytest.raises(NotCurrent, match=r"a\.yaml is not current"):
        generated.check(tmp_path, files, ".yaml", "rules")
    generated.write(tmp_path, files)
    (tmp_path / "c.yaml").write_text("c\n")
    with pytest.raises(NotCurrent, match=r"c\.yaml is written by nothing"):
        generated.check(tmp_path, files, ".yaml", "rules")


def test_runbook_base_is_settable() -> None:
    texts = rule_files(RuleConfig(runbook_base="https://git.example/tidegate/runbooks"))
    assert "runbook_url: https://git.example/tidegate/runbooks/TritonDown.md" in texts["alerts.yaml"]

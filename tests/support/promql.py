"""Metric names in PromQL, and Debian's promtool for everything else about it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.prometheus import program

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="no Prometheus here: apt-get install prometheus",
)

# Words that are no metric names though they stand where one could.
KEYWORDS = {"and", "or", "unless", "bool", "offset"}
GRAFANA_VARIABLES = {"$__rate_interval": "1m", "$model": ".*", "$version": ".*", "$instance": ".*"}


def without_variables(expr: str) -> str:
    """Return a panel's expression as Prometheus gets it."""
    for name, value in GRAFANA_VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in re.sub(r'"[^"]*"', "", expr), f"unknown variable in {expr}"
    return expr


def metric_names(expr: str) -> set[str]:
    """Return the names of the series `expr` selects, recorded ones included."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    # A name before "(" is a function.
    return set(re.findall(r"(?<![\w.:])[A-Za-z_:][\w:]*\b(?!\s*\()", bare)) - KEYWORDS


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it says; a failure of its own fails the test."""
    command = [program("promtool"), *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def check_expressions(expressions: Iterable[str], directory: Path) -> None:
    """Let promtool parse expressions, as one rule file."""
    rules = [{"record": f"checked:{index}", "expr": expr} for index, expr in enumerate(expressions)]
    assert rules
    file = directory / "expressions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    promtool("check", "rules", file)


def rules_of(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a rule file, all groups together."""
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def panels_of(file: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, rows excepted."""
    panels = json.loads(file.read_text())["panels"]
    return [panel for panel in panels if panel["type"] != "row"]

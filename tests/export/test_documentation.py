"""The reference and the guide say what the code does."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from export import STEPS
from export.datatypes import DATATYPES
from export.spec import Spec
from tests.export.workshop import Workshop

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def _fields(section: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Every field of the spec by its dotted name, with its default as the reference writes it."""
    found: dict[str, str] = {}
    for name, field in section.model_fields.items():
        found[prefix + name] = _default(field.default)
        inner: Any = field.annotation
        item = (getattr(inner, "__args__", None) or (None,))[0]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= _fields(inner, f"{prefix}{name}.")
        elif isinstance(item, type) and issubclass(item, BaseModel):
            found |= _fields(item, f"{prefix}{name}[].")
    return found


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "see below"
    words = {bool: "true" if value else "false", tuple: "[]"}
    return f"`{words.get(type(value), str(value))}`"


def test_the_reference_lists_every_field_with_its_default() -> None:
    text = (DOCS / "reference" / "spec.md").read_text()
    assert dict(ROW.findall(text)) == _fields(Spec)
    for datatype in DATATYPES:
        assert f"`{datatype}`" in text


def test_the_guide_explains_every_step() -> None:
    text = (DOCS / "guide" / "export.md").read_text()
    assert re.findall(r"^\| ([a-z]+) \| .*\|", text, re.MULTILINE)[1:] == list(STEPS)


def test_the_spec_in_the_guide_is_complete(workshop: Workshop) -> None:
    text = (DOCS / "guide" / "export.md").read_text()
    shown = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    spec = Spec.model_validate(yaml.safe_load(shown[1]))
    assert spec.architecture == "my_net:MyNet"

"""Scopes and model globs."""

from __future__ import annotations

import pytest

from gateway.controlplane.authorization import permits, require
from gateway.errors import Forbidden
from gateway.types import SCOPES, Principal


def caller(*scopes: str, models: tuple[str, ...] = ("*",)) -> Principal:
    return Principal("k", "p", frozenset(scopes), models)


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("needed", SCOPES)
def test_a_scope_opens_itself_and_admin_opens_all(held: str, needed: str) -> None:
    if held in (needed, "admin"):
        require(caller(held), needed)
    else:
        with pytest.raises(Forbidden, match=f"lacks the scope `{needed}`"):
            require(caller(held), needed)


def test_one_of_several_is_enough() -> None:
    require(caller("infer"), "read", "infer")
    with pytest.raises(Forbidden, match="`read` or `infer`"):
        require(caller("deploy"), "read", "infer")


@pytest.mark.parametrize(
    ("globs", "model", "expected"),
    [
        (("*",), "anything", True),
        (("digits",), "digits", True),
        (("digits",), "digits2", False),
        (("digits",), "Digits", False),
        (("digits*",), "digits-large", True),
        (("a?",), "ab", True),
        (("a?",), "a", False),
        (("x", "y*"), "yes", True),
        ((), "digits", False),
    ],
)
def test_globs(globs: tuple[str, ...], model: str, expected: bool) -> None:
    assert permits(caller("infer", models=globs), model) is expected

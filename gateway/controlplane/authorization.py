"""Decides what an authenticated caller may do."""

from __future__ import annotations

from fnmatch import fnmatchcase

from gateway.errors import Forbidden
from gateway.types import Principal


def require(principal: Principal, *scopes: str) -> None:
    """Return if the caller holds one of `scopes`, or `admin`, which includes every scope.

    Raises:
        Forbidden: otherwise.
    """
    if "admin" in principal.scopes or not principal.scopes.isdisjoint(scopes):
        return
    needed = " or ".join(f"`{scope}`" for scope in scopes)
    raise Forbidden(f"This API key lacks the scope {needed}; use a key that has it.")


def permits(principal: Principal, model: str) -> bool:
    """Return whether one of the caller's globs matches the model's name, case included."""
    return any(glob == "*" or fnmatchcase(model, glob) for glob in principal.models)

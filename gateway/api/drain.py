"""Whether this gateway is about to stop."""

from __future__ import annotations


class Drain:
    """Begins once and never ends: a draining gateway is not ready any more."""

    def __init__(self) -> None:
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether the gateway is draining."""
        return self._begun

    def begin(self) -> None:
        """From now on `/readyz` says 503."""
        self._begun = True

    def problems(self) -> tuple[str, ...]:
        """Return why no new work should be sent here; empty when there is no reason."""
        return ("The gateway is draining.",) if self._begun else ()

"""What ends a command: one sentence for the user, then what to do.

::

    CommandError            exit 1: the command could not do its work
      GatewayUnreachable    no gateway answers at the address
      GatewayRefused        the gateway answered with an error
      ChildDied             a process of `tidegate up` ended or never became ready
"""

from __future__ import annotations


class CommandError(Exception):
    """A command could not do its work; the message is for the user and ends in what to do."""


class GatewayUnreachable(CommandError):
    """No gateway answers at the address."""


class GatewayRefused(CommandError):
    """The gateway answered with an error.

    Attributes:
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ChildDied(CommandError):
    """A process of `tidegate up` ended or never became ready."""

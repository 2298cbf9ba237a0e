"""What ends a monitoring command: one sentence for the user, then what to do.

::

    MonitoringError          exit 1: the command could not do its work
      ProgramMissing         a program of the Debian package is not installed
      PrometheusDied         Prometheus ended or never became ready
      NotCurrent             a generated file differs from what the Python says
      StackUnreachable       no gateway answers, or it serves nothing to send traffic to
      UnsupportedInput       a model takes a datatype the traffic cannot make
"""

from __future__ import annotations


class MonitoringError(Exception):
    """A command could not do its work; the message is for the user and ends in what to do."""


class ProgramMissing(MonitoringError):
    """A program of the Debian package is not installed."""


class PrometheusDied(MonitoringError):
    """Prometheus ended or never became ready."""


class NotCurrent(MonitoringError):
    """A generated file differs from what the Python says."""


class StackUnreachable(MonitoringError):
    """No gateway answers, or it serves nothing to send traffic to."""


class UnsupportedInput(MonitoringError):
    """A model takes a datatype the traffic cannot make."""

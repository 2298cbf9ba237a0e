"""What failed is tried again ever more rarely."""

from __future__ import annotations

from gateway.controlplane.backoff import MAX_SECONDS, Backoff


def test_every_failure_doubles_the_wait_up_to_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.fail("digits", now=0.0) for _ in range(8)] == [2, 4, 8, 16, 32, MAX_SECONDS, 60, 60]


def test_it_is_due_when_the_wait_is_over_and_forgotten_when_it_succeeded() -> None:
    backoff = Backoff()
    assert backoff.due("digits", now=0.0)
    assert not backoff.failed("digits")
    backoff.fail("digits", now=10.0)
    assert (backoff.due("digits", now=11.9), backoff.due("digits", now=12.0)) == (False, True)
    assert backoff.failed("digits")
    assert backoff.due("other", now=10.0)
    backoff.clear("digits")
    assert backoff.due("digits", now=10.0)
    assert backoff.fail("digits", now=10.0) == 2

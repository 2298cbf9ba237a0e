"""From what a request asked for to the versions that may answer it."""

from __future__ import annotations

from gateway.dataplane.sticky import bucket
from gateway.types import RoutingPolicy


def choose(policy: RoutingPolicy, wanted: str, sticky: str) -> tuple[str, ...]:
    """Return the versions that may answer, the preferred one first; empty when there is no such version.

    Only admitted versions are returned: one that is still being tried out is loaded, but does not exist yet
    for callers. A candidate that is not served at this moment must not fail requests that named no version,
    so the stable version stands behind it.

    Args:
        policy: of the model.
        wanted: "" when the request leaves it to the policy, else a number or an alias.
        sticky: what must always get the same version during a rollout.
    """
    if not wanted:
        if policy.rollout and bucket(policy.rollout, sticky) < policy.weight:
            return (policy.candidate, policy.stable)
        return (policy.stable,)
    version = policy.aliases.get(wanted, wanted)
    return (version,) if version in policy.admitted else ()

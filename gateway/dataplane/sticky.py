"""Puts every caller of a rollout into one of a hundred buckets, always the same one."""

from __future__ import annotations

from hashlib import blake2b

BUCKETS = 100


def bucket(rollout: str, value: str) -> int:
    """Return the bucket of a sticky value, 0 to 99, evenly spread over values.

    A raised weight moves callers only from stable to candidate and a lowered one only back, because each
    stays in its bucket. The rollout is hashed too, so that it is not always the same callers who try first.

    Args:
        rollout: id of the rollout.
        value: what must always get the same version, e.g. the id of an API key.
    """
    digest = blake2b(f"{rollout}:{value}".encode(), digest_size=8).digest()
    # 2**64 is no multiple of 100; the unevenness of about 100 / 2**64 is far below anything measurable.
    return int.from_bytes(digest) % BUCKETS

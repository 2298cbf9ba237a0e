"""Keeps a view in memory up to date with the database, whatever happens to the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.errors import Unavailable

log = logging.getLogger(__name__)


async def follow(refresh: Callable[[], Awaitable[None]], interval: float, what: str) -> None:
    """Refresh at every interval until cancelled; the first of several failures in a row is logged.

    Args:
        refresh: brings the view up to date; on `Unavailable` the last view stays.
        interval: seconds between two refreshes.
        what: the name of the view in the log.
    """
    failing = False
    while True:
        await asyncio.sleep(interval)
        try:
            await refresh()
        except Unavailable as error:
            if not failing:
                log.error(
                    f"{what} cannot be followed, the last view stays", extra={"cause": str(error.__cause__)}
                )
            failing = True
        except Exception:
            # Whatever it is, a follower that ended would keep its view for ever.
            log.exception(f"following {what} failed")
            failing = True
        else:
            if failing:
                log.info(f"{what} are followed again")
            failing = False

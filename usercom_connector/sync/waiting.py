"""How long to wait before trying again."""

from __future__ import annotations

import random

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 900.0


def pause(attempts: int, retry_after: float | None = None, *, chance: float | None = None) -> float:
    """Seconds to wait after ``attempts`` failures in a row: growing, with up to a fifth more.

    What the server asked for (``Retry-After``, seconds) goes before, but not beyond an hour.
    """
    if retry_after is not None:
        return min(max(retry_after, 0.0), 3600.0)
    grown = FIRST_SECONDS * 2.0 ** min(max(attempts - 1, 0), 16)
    spread = random.random() if chance is None else chance  # noqa: S311 (no secret depends on it)
    return min(grown, LONGEST_SECONDS) * (1 + spread / 5)

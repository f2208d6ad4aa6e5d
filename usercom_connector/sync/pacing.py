"""How fast to call User.com, when nobody says how fast one may.

User.com's limit is stated nowhere (usercom-api.md 1.9), so the rate feels its way. Until the first
429 it doubles every second in which it is what holds calls back. A 429 halves it, and the rate
at which calls really went through until then is remembered. It comes back quickly to a little
below that, stays there long, and grows beyond it slowly at first and then faster, because a limit
that was raised wants to be found as well. Halving and creeping alone would use three quarters.

Calls are given **slots**, moments that lie one over the rate apart, a few ahead of time.
All times are seconds of one clock, that of the database.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

CONSENT, EDIT, BULK = 0, 1, 2
"""What a call is for: the lower, the sooner."""

FIRST_RATE = 10.0
LOWEST_RATE = 0.5
HIGHEST_RATE = 1000.0
HORIZON = (0.15, 0.10, 0.05)
"""How far ahead (seconds) each priority may take slots.

While a higher one wants more than there is, it keeps the next free slot out of reach of the lower
ones, in whatever process they are.
"""
BLOCK_SECONDS = 0.1
"""So much of the rate is taken at a time."""
SLACK_SECONDS = 0.1
"""So much of it may be caught up on by who came late."""
IDLE_SECONDS = 1.0
"""After so long without a call it is counted anew how many go through."""
PAUSE_SECONDS = 1.0
"""How long a 429 stops all calls when it does not say itself."""
LONGEST_PAUSE = 3600.0

_DOUBLED_IN = 1.0  # seconds, while there was no 429
_PLATEAU = 0.95  # of the remembered rate: up to here quickly
_RECOVERY = 0.25  # of the remembered rate a second
_CREEP = 0.001  # of the remembered rate a second, at first
_SPEED_UP = 0.05  # a second: by so much the creeping grows
_DOUBT = 0.5  # how far the remembered rate lies between what went through and what was tried


@dataclass(frozen=True)
class Pace:
    """What is known about an account's rate, shared by all who call it.

    ``next_at`` is the next free slot, and there is none before ``blocked_until``. ``rate`` was
    worked out for the moment ``grown_at``. ``known`` is the rate remembered from the last 429, 0
    before the first; ``event`` counts them. ``sent`` slots were given since ``since``.
    """

    rate: float = FIRST_RATE
    known: float = 0.0
    next_at: float = 0.0
    blocked_until: float = 0.0
    grown_at: float = 0.0
    event: int = 0
    since: float = 0.0
    sent: int = 0


def limited(rate: float, ceiling: float) -> float:
    """A rate within its bounds; a ceiling of 0 is none."""
    bounded = max(min(rate, HIGHEST_RATE), LOWEST_RATE)
    return min(bounded, ceiling) if ceiling > 0 else bounded


def grown(pace: Pace, now: float, ceiling: float = 0.0) -> float:
    """The rate after calls had to wait for it since ``grown_at``."""
    # Nobody looks less often than that while calls wait.
    seconds = min(max(now - pace.grown_at, 0.0), 1.0 + 2.0 / pace.rate)
    if not pace.known:
        return limited(pace.rate * 2.0 ** (seconds / _DOUBLED_IN), ceiling)
    plateau = _PLATEAU * pace.known
    if pace.rate < plateau:
        rate = min(pace.rate + _RECOVERY * pace.known * seconds, plateau)
    else:
        head_start = _CREEP * pace.known / _SPEED_UP
        excess = (pace.rate - plateau + head_start) * math.exp(_SPEED_UP * seconds) - head_start
        rate = plateau + excess
    return limited(rate, ceiling)


def block(rate: float, wanted: int) -> int:
    """How many slots to take at a time."""
    return max(1, min(wanted, int(rate * BLOCK_SECONDS)))


def take(
    pace: Pace, now: float, wanted: int, priority: int = EDIT, ceiling: float = 0.0
) -> tuple[Pace, list[float]]:
    """Take slots: the pace afterwards and when they are; none while others go before.

    What the limiter does in SQL, see there.
    """
    if opens_at(pace, priority) >= now:
        return pace, []
    waits = pace.next_at >= now
    rate = grown(pace, now, ceiling) if waits else limited(pace.rate, ceiling)
    first = max(pace.next_at, pace.blocked_until, now - SLACK_SECONDS)
    count = block(rate, wanted)
    idle = pace.next_at < now - IDLE_SECONDS
    taken = replace(
        pace,
        rate=rate,
        next_at=first + count / rate,
        grown_at=max(now, pace.grown_at),
        since=now if idle else pace.since,
        sent=count + (0 if idle else pace.sent),
    )
    return taken, [first + place / rate for place in range(count)]


def opens_at(pace: Pace, priority: int) -> float:
    """When slots can be taken again."""
    return max(pace.next_at, pace.blocked_until) - HORIZON[priority]


def is_sane(pace: Pace, now: float) -> bool:
    """Whether a row can have been written by these rules and this clock.

    A clock that was set back, or a row edited by hand, would stop all calls otherwise.
    """
    until = max(now, pace.blocked_until) + 1.0
    return (
        all(map(math.isfinite, (pace.next_at, pace.grown_at, pace.since)))
        and 0.0 < pace.rate <= HIGHEST_RATE
        and 0.0 <= pace.known <= HIGHEST_RATE
        and pace.blocked_until <= now + LONGEST_PAUSE + 1.0
        and pace.next_at <= until + 2.0 / pace.rate
        and pace.grown_at <= until
        and pace.event >= 0
        and pace.sent >= 0
    )


def slowed(
    pace: Pace, now: float, event: int, retry_after: float | None, ceiling: float = 0.0
) -> Pace:
    """The pace after a 429 to a call whose slot was taken when ``event`` 429s had been counted.

    Of calls that were under way together only the first slows down; each makes sure that nobody
    calls before what it was asked to wait has passed.
    """
    pause = PAUSE_SECONDS if retry_after is None else min(max(retry_after, 0.0), LONGEST_PAUSE)
    until = max(pace.blocked_until, now + pause)
    sent = max(pace.sent - 1, 0)
    if event != pace.event:
        return replace(pace, blocked_until=until, sent=sent, grown_at=max(until, pace.grown_at))
    if sent or not pace.known:
        went_through = sent / max(now - pace.since, 1.0 / pace.rate)
        known = went_through + _DOUBT * (pace.rate - went_through)
        known = limited(min(max(known, pace.rate / 2.0), pace.rate), ceiling)
        rate = known / 2.0
    else:
        # Nothing went through since the last one, so this tells nothing of a rate: once it is over,
        # what was known holds again.
        known, rate = pace.known, pace.rate / 2.0
    return Pace(
        rate=limited(rate, ceiling),
        known=known,
        # What others took of the old slots is void.
        next_at=until,
        blocked_until=until,
        grown_at=until,
        event=pace.event + 1,
        since=now,
        sent=0,
    )

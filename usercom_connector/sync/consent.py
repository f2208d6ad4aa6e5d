"""Consents: what a sequence of events amounts to, and when a value that was read became so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

GIVEN = "given"
WITHDRAWN = "withdrawn"
#: Asked for, and not confirmed yet (double opt-in): no word yet.
PENDING = "pending"
#: The address takes no mail, until it is released: no word of the person.
BLOCKED = "blocked"
RELEASED = "released"

#: A consent that follows a "no" which was read counts from the next moment that can be told apart.
NEXT_MOMENT = timedelta(microseconds=1)


def moment() -> datetime:
    """Now, in UTC without zone, to the microsecond: two words of one second have an order."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


@dataclass(frozen=True)
class Event:
    """One word about a consent: given or withdrawn, and when.

    ``at`` is business time in UTC without zone. ``None`` is for a consent found without a date:
    it counts as older than everything. A withdrawal always has a date, because one that is found
    counts from the moment it was found.
    """

    given: bool
    at: datetime | None


def state(events: Iterable[Event]) -> str | None:
    """``"given"``, ``"withdrawn"`` or ``None`` for never asked.

    The latest event counts; at the same time withdrawn beats given.
    """
    latest = max(events, key=_weight, default=None)
    if latest is None:
        return None
    return GIVEN if latest.given else WITHDRAWN


def state_of(said: Iterable[tuple[str, datetime | None]]) -> str | None:
    """As :func:`state`, of (state, time) as they are on record; pending where there is no word."""
    every = list(said)
    words = [Event(what == GIVEN, at) for what, at in every if what in (GIVEN, WITHDRAWN)]
    if found := state(words):
        return found
    return PENDING if any(what == PENDING for what, _at in every) else None


def _weight(event: Event) -> tuple[datetime, bool]:
    return event.at or datetime.min, not event.given


def observed(
    read: bool | None,
    last_seen: bool | None,
    *,
    known: bool,
    last_read_at: datetime | None,
    now: datetime,
) -> Event | None:
    """The event that a value read from User.com tells of, or ``None`` when it is nothing new.

    The value changed at some time between the last read that showed otherwise and now. A consent
    takes the start of that span and a withdrawal its end, so that doubt works for the "no".

    :param read: the value as read; ``None`` says nothing.
    :param last_seen: the value at the last read, or as written by us since.
    :param known: whether there was such a read or write at all.
    :param last_read_at: when it was read or written.
    """
    if read is None or (known and read == last_seen):
        return None
    if not read:
        return Event(given=False, at=now)
    return Event(given=True, at=last_read_at + NEXT_MOMENT if known and last_read_at else None)


def to_send(wanted: str | None, seen: bool | None, *, has_address: bool) -> bool | None:
    """The value to write to User.com, or ``None`` to write nothing.

    Never asked is sent as nothing, with one exception: a consent belongs to the address that it
    was given for. Where the address that both sides hold, or are going to hold, has none in Odoo,
    a consent that User.com still shows was given for another address, and is taken back.

    :param wanted: the state in Odoo at that address.
    :param seen: the value in User.com as last read or written.
    :param has_address: whether there is such an address, or the write takes it away.
    """
    if wanted == GIVEN:
        return None if seen is True else True
    if wanted == WITHDRAWN:
        return None if seen is False else False
    return False if has_address and seen is True else None

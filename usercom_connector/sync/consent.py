"""Consents: what a sequence of events amounts to, and when a value that was read became so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from .values import boolean

GIVEN = "given"
WITHDRAWN = "withdrawn"
#: Asked for, and not confirmed yet (double opt-in): no word yet.
PENDING = "pending"
#: The address takes no mail, until it is released: no word of the person.
BLOCKED = "blocked"
RELEASED = "released"

#: The standard field that stops all e-mail. It is true for a "no", and false by default.
UNSUBSCRIBED = "unsubscribed"

#: By so much User.com's clock may be behind ours.
CLOCKS_APART = timedelta(seconds=5)
#: So long after it was begun a call may still take effect, and User.com's clock be ahead besides.
WRITTEN_WITHIN = timedelta(minutes=1)

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
    counts from the moment it was found. Where it was read, it was said between ``after`` and then.
    """

    given: bool
    at: datetime | None
    after: datetime | None = field(default=None, compare=False)


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
    found = latest(said)
    return found[0] if found else None


def latest(said: Iterable[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    """Of what is on record, (state, time, ...) each, the one that counts: the latest word.

    Pending counts where there is no word.
    """
    every = list(said)
    words = [each for each in every if each[0] in (GIVEN, WITHDRAWN)]
    return max(
        words or [each for each in every if each[0] == PENDING],
        key=lambda each: _weight(Event(each[0] == GIVEN, each[1])),
        default=None,
    )


def is_blocked(said: Iterable[tuple[Any, ...]]) -> bool:
    """Whether an address takes no mail, of what is on record about it in the order of record."""
    states = [each[0] for each in said if each[0] in (BLOCKED, RELEASED)]
    return states[-1:] == [BLOCKED]


def lowers(said: Iterable[tuple[str, datetime | None]], at: datetime) -> bool:
    """Whether a "no" of that time takes back what is on record."""
    every = list(said)
    return state_of(every) == GIVEN and state_of([*every, (WITHDRAWN, at)]) == WITHDRAWN


def may_be_hidden(at: datetime, written_at: datetime | None) -> bool:
    """Whether a "yes" of ours may have been written over a "no" of User.com's.

    A read right before the write sees every older "no", and one after it every newer one.

    :param at: when User.com said so, in its clock.
    :param written_at: a time of ours before the call that last wrote a "yes".
    """
    if written_at is None:
        return False
    return written_at - CLOCKS_APART <= at <= written_at + WRITTEN_WITHIN


def _weight(event: Event) -> tuple[datetime, bool]:
    return event.at or datetime.min, not event.given


@dataclass(frozen=True)
class ConsentRule:
    """A purpose and an attribute of the contact in User.com that tells of it.

    ``address`` is the attribute of the address that the consent belongs to, empty where it belongs
    to the person. One rule of a purpose ``leads``: its attribute is written, and both its "yes"
    and its "no" count. Of an attribute that follows only the "no" counts, and it is never written,
    because an automation of User.com may couple the two.

    A word is ``True`` for given and ``False`` for withdrawn, whatever the attribute's own sense.
    """

    purpose: int
    attribute: str
    address: str = ""
    leads: bool = True

    @property
    def key(self) -> str:
        """Where the base keeps the last word: several purposes may look at ``unsubscribed``."""
        return f"{self.attribute}:{self.purpose}" if self._is_inverted else self.attribute

    @property
    def _is_inverted(self) -> bool:
        return self.attribute == UNSUBSCRIBED

    def shown(self, raw: object) -> bool | None:
        """A value of the attribute as a word, its default taken for one as well."""
        value = boolean(raw)
        return value if value is None or not self._is_inverted else not value

    def word(self, raw: object, last: bool | None) -> bool | None:
        """What a value that was read says, after the last word known.

        The default of ``unsubscribed`` is a "yes" only where there was a word before.
        """
        value = self.shown(raw)
        return None if value and self._is_inverted and last is None else value

    def said(self, raw: object, last: bool | None) -> bool | None:
        """The word that counts: of an attribute that follows only the "no"."""
        word = self.word(raw, last)
        return word if self.leads or word is False else None

    def is_newer_no(self, raw: object, last: bool | None) -> bool:
        """Whether a value that was read is a "no" that nobody has heard of yet."""
        return self.said(raw, last) is False and last is not False

    def written(self, word: bool) -> bool:
        """The value of the attribute that says a word."""
        return word is not self._is_inverted

    def echo(self, word: bool | None) -> bool | None:
        """A last word as a call would show it that tells of nothing new."""
        return word is not False if self._is_inverted else word


def heard(
    rules: Iterable[ConsentRule],
    read: Callable[[str], object],
    base: Mapping[str, bool | None],
    *,
    last_read_at: datetime | None,
    now: datetime,
    only_no: bool = False,
) -> tuple[dict[str, bool], dict[int, Event]]:
    """What a read of a contact says about all purposes.

    Where two attributes of a purpose say different things that are new, the "no" counts.

    :param read: gives the value of an attribute.
    :param base: the last words, by the rules' keys.
    :param only_no: whether nothing but a "no" is to be listened to.
    :return: the words for the base, and purpose to what is news about it.
    """
    words: dict[str, bool] = {}
    news: dict[int, Event] = {}
    for rule in rules:
        raw, last = read(rule.attribute), base.get(rule.key)
        word = rule.word(raw, last)
        if word is None or (word and only_no):
            continue
        words[rule.key] = word
        event = observed(
            rule.said(raw, last),
            last,
            known=rule.key in base,
            last_read_at=last_read_at,
            now=now,
        )
        if event and (rule.purpose not in news or not event.given):
            news[rule.purpose] = event
    return words, news


def written_over(
    rules: Iterable[ConsentRule],
    read: Callable[[str], object],
    base: Mapping[str, bool | None],
) -> list[int]:
    """The purposes of which a read right before a write shows a "no" that nobody has heard of yet.

    What the write itself says hides it from whoever reads afterwards.

    :param read: gives the value of an attribute.
    :param base: the last words before the write, by the rules' keys.
    """
    found = [rule for rule in rules if rule.is_newer_no(read(rule.attribute), base.get(rule.key))]
    return list(dict.fromkeys(rule.purpose for rule in found))


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
    after = last_read_at if known else None
    if not read:
        return Event(given=False, at=now, after=after)
    return Event(given=True, at=after + NEXT_MOMENT if after else None, after=after)


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

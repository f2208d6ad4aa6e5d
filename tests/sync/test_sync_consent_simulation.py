"""Consents of two people on both sides as a model: words, crossing calls, losses in any order.

What `usercom.change`, `usercom.ping`, `usercom.binding` and the ledger do around the rules is done
here in plain Python, step by step, with anything in between. Beside it stands what people really
said and when, which neither side knows in whole: that is what the properties are about.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from odoo.addons.usercom_connector.sync import consent
from odoo.addons.usercom_connector.sync.consent import (
    GIVEN,
    UNSUBSCRIBED,
    WITHDRAWN,
    ConsentRule,
    Event,
)
from odoo.addons.usercom_connector.sync.mapping import FieldRule
from odoo.addons.usercom_connector.sync.merge import UNANSWERED, merge, outgoing
from odoo.addons.usercom_connector.tools import exchange

BEGINNING = datetime(2026, 1, 1)
MAIL, NEWS = 1, 2
ATTRIBUTES = ("mail_consent", "news_consent", UNSUBSCRIBED)
FIELDS = [FieldRule("email", "email")]
#: The server makes all letters small.
ADDRESSES = ("Ann@example.com", "ann@example.com", "bob@example.com")

people = st.sampled_from([0, 1])
purposes = st.sampled_from([MAIL, NEWS])
addresses = st.sampled_from(ADDRESSES)
#: So often a call of the webhook arrives.
calls = st.integers(0, 2)


def rules_of(authority):
    unsubscribed_leads = authority == UNSUBSCRIBED
    return (
        ConsentRule(MAIL, "mail_consent", "email", leads=not unsubscribed_leads),
        ConsentRule(MAIL, UNSUBSCRIBED, "email", leads=unsubscribed_leads),
        ConsentRule(NEWS, "news_consent", "email"),
        ConsentRule(NEWS, UNSUBSCRIBED, "email", leads=False),
    )


@dataclass
class Profile:
    """A contact in User.com."""

    id: int
    email: str
    values: dict

    def get(self, name):
        return self.email if name == "email" else self.values.get(name)

    def has(self, name):
        return name in self.values

    def now(self):
        return replace(self, values=dict(self.values))


@dataclass(frozen=True)
class Entry:
    """An event of the ledger."""

    who: int
    purpose: int
    address: str
    state: str
    at: datetime | None
    after: datetime | None
    recorded_at: datetime
    source: str


@dataclass
class Word:
    """What a person really said, and when Odoo got to know it."""

    who: int
    purpose: int
    address: str
    yes: bool
    at: datetime | None
    attribute: str | None = None
    heard_at: datetime | None = None


@dataclass
class Job:
    """A push on its way."""

    push: exchange.PushJob
    rows: int
    began: datetime
    fresh_at: datetime | None = None
    fresh: Profile | None = None
    reads: bool = False
    joined: Profile | None = None
    sent: bool = False
    sent_at: datetime | None = None
    answer: Profile | None = None


@dataclass
class Read:
    """A pull on its way."""

    pings: int
    calls: list
    revision: int
    began: datetime
    shown: Profile | None = None
    shown_at: datetime | None = None


@dataclass
class Person:
    """A contact in Odoo, its binding, its rows in the queues, and its profile in User.com."""

    email: str
    profile: Profile | None = None
    is_linked: bool = False
    base_odoo: dict = field(default_factory=dict)
    base_usercom: dict = field(default_factory=dict)
    revision: int = 0
    read_at: datetime | None = None
    yes_written_at: datetime | None = None
    said_at: datetime = BEGINNING
    rows: int = 1
    pings: int = 0
    calls: list = field(default_factory=list)
    ping_lost: bool = False
    job: Job | None = None
    reading: Read | None = None
    joins: Profile | None = None


class Consents(RuleBasedStateMachine):
    @initialize(
        authority=st.sampled_from(["attribute", UNSUBSCRIBED]),
        emails=st.tuples(addresses, addresses),
        there=st.tuples(*[st.none() | st.fixed_dictionaries({
            "mail_consent": st.sampled_from([None, True, False]),
            "news_consent": st.sampled_from([None, True, False]),
            UNSUBSCRIBED: st.booleans(),
        })] * 2),
    )  # fmt: skip
    def begin(self, authority, emails, there):
        self.now = BEGINNING
        self.rules = rules_of(authority)
        self.ledger, self.words = [], []
        self.people = {number: Person(email) for number, email in enumerate(emails)}
        for number, values in enumerate(there):
            if values is not None:
                profile = Profile(number, emails[number].lower(), dict(values))
                self.people[number].profile = profile
                for one in self.rules:
                    word = one.said(profile.get(one.attribute), None)
                    if word is not None:
                        at = None if word else self.now
                        self._said(number, one, word, at)

    # What people do

    @rule(who=people, purpose=purposes, yes=st.booleans(), late=st.sampled_from([0, 0, 0, 5, 40]))
    def say_in_odoo(self, who, purpose, yes, late):
        """Recorded late, it is dated when it was said."""
        if who not in self.people:
            return
        self._tick()
        person, at = self.people[who], self.now - timedelta(seconds=late)
        address = person.email.lower()
        self.words.append(Word(who, purpose, address, yes, at, heard_at=self.now))
        self._record(who, purpose, address, Event(yes, at), "odoo")
        for number, other in self.people.items():
            if number == who or (not yes and other.email.lower() == address):
                other.said_at = self.now

    @rule(who=people, attribute=st.sampled_from(ATTRIBUTES), yes=st.booleans(), times=calls)
    def say_there(self, who, attribute, yes, times):
        person = self.people.get(who)
        if not person or not person.profile:
            return
        told_by = [one for one in self.rules if one.attribute == attribute]
        profile, value = person.profile, told_by[0].written(yes)
        if profile.values[attribute] is value:
            return
        job = person.job
        if not yes and not all(self._can_be_seen(person, one) for one in told_by):
            return
        self._tick()
        profile.values[attribute] = value
        for one in told_by:
            # What was taken back before anybody could see it has left no trace.
            hidden = (who, one.purpose, attribute, False)
            self.words = [
                word
                for word in self.words
                if word.heard_at or (word.who, word.purpose, word.attribute, word.yes) != hidden
            ]
            if not yes or one.leads:
                self._said(who, one, yes, self.now)
        # Between the fresh read and the write nothing but the webhook's call tells of it.
        is_window = job is not None and job.fresh_at is not None and not job.sent
        self._ping(person, max(times, is_window))

    def _can_be_seen(self, person, one):
        # A "no" leaves no trace in what is read when the last read or write was a "no" as well, or
        # when the next write is one.
        job = person.job
        unseen = job and (
            job.push.seen.get(one.key) is False
            or (one.leads and job.push.consents.get(one.attribute) is False)
        )
        is_on_its_way = one.leads and self._state_of(person, one.purpose) == WITHDRAWN
        return person.base_usercom.get(one.key) is not False and not unseen and not is_on_its_way

    def _state_of(self, person, purpose):
        [who] = [number for number, other in self.people.items() if other is person]
        return self._state(who, purpose)

    @rule(who=people, email=addresses)
    def move_in_odoo(self, who, email):
        person = self.people.get(who)
        if person and person.email != email and self._all_heard(who):
            self._tick()
            person.email = email
            person.rows += 1

    @rule(who=people, email=addresses, times=calls)
    def move_there(self, who, email, times):
        person = self.people.get(who)
        if person and person.profile and person.profile.email != email and self._all_heard(who):
            self._tick()
            person.profile.email = email.lower()
            for one in self.rules:
                # User.com takes the consent along; found there it has no date.
                if one.leads and one.said(person.profile.get(one.attribute), True):
                    self._said(who, one, True, None)
            self._ping(person, times)

    def _all_heard(self, who):
        """A word belongs to the address of then; a read shows that of now."""
        person = self.people[who]
        return all(word.heard_at for word in self.words if word.who == who) and not person.job

    @rule()
    def merge_in_odoo(self):
        """The second contact goes, its events are the first one's, and so is its profile."""
        if len(self.people) == 1 or any(
            person.job or not person.is_linked or not person.profile
            for person in self.people.values()
        ):
            return
        self._tick()
        kept, gone = self.people[0], self.people.pop(1)
        self.ledger = [replace(entry, who=0) for entry in self.ledger]
        for word in self.words:
            word.who = 0
        kept.rows += 1
        kept.joins = gone.profile

    @rule(who=people)
    def meet_again(self, who):
        """A restore, or a binding made anew: nothing is known of what the two sides held."""
        person = self.people.get(who)
        if person and person.is_linked and not person.job:
            self._tick()
            person.base_odoo, person.base_usercom = {}, {}
            person.revision += 1
            person.pings += 1

    @rule(who=people)
    def crash(self, who):
        """What was in memory is gone; what was committed is not."""
        person = self.people.get(who)
        if person:
            person.job = person.reading = None

    # Push

    @rule(who=people)
    def push_plan(self, who):
        person = self.people.get(who)
        if not person or not person.rows or person.job:
            return
        self._tick()
        if not person.is_linked and person.profile:
            self._absorb(who, person.profile.now(), self.now)  # looked up and found: tied
        person.job = self._plan(who, person.rows)
        if person.job is None:
            person.rows = 0
            return
        push = person.job.push
        person.base_odoo = person.base_odoo | dict.fromkeys(push.outgoing, UNANSWERED)
        for one in push.leading:
            if one.attribute in push.consents:
                person.base_usercom.pop(one.key, None)
        if True in push.consents.values():
            person.yes_written_at = self.now

    @rule(who=people)
    def push_read(self, who):
        person = self.people.get(who)
        if not person or not person.job or person.job.fresh_at or not person.profile:
            return
        self._tick()
        job = person.job
        # Other pushes write without a read, and know nothing of what is there.
        job.reads = bool(
            person.joins or True in job.push.consents.values() or "email" in job.push.body
        )
        lowered = self._join(who, job.push) if person.joins else ()
        taken = {one.attribute for one in job.push.leading if one.purpose in lowered}
        words = {n: yes for n, yes in job.push.consents.items() if not (yes and n in taken)}
        job.push = replace(job.push, consents=words)
        moves = {"email"} & job.push.body.keys()
        job.push = replace(
            job.push, consents=exchange._consents_now(job.push, person.profile, moves)
        )
        job.fresh, job.fresh_at = person.profile.now(), self.now

    @rule(who=people, answered=st.sampled_from([True, True, False]))
    def push_write(self, who, answered):
        person = self.people.get(who)
        if not person or not person.job or person.job.sent:
            return
        if person.profile and not person.job.fresh_at:
            return
        self._tick()
        job, push = person.job, person.job.push
        if person.profile is None:
            person.profile = Profile(who, "", dict.fromkeys(ATTRIBUTES, None))
            person.profile.values[UNSUBSCRIBED] = False
            person.ping_lost = True
        if "email" in push.outgoing:
            person.profile.email = push.outgoing["email"].lower()
        for one in push.leading:
            if one.attribute in push.consents:
                self._write_there(who, one, push.consents[one.attribute], job)
        job.sent, job.sent_at = True, self.now
        job.answer = person.profile.now()
        if not answered:
            person.job = None

    def _write_there(self, who, one, yes, job):
        shown = [self.people[who].profile, job.fresh or self.people[who].profile]
        shows_yes = any(one.shown(profile.get(one.attribute)) for profile in shown)
        is_taken_back = shows_yes or job.push.seen.get(one.key) is True
        assert yes or is_taken_back or job.push.has_no(one), "never asked was sent"
        self.people[who].profile.values[one.attribute] = one.written(yes)
        if not yes:
            return
        address = self.people[who].profile.email
        found = [
            entry
            for entry in self.ledger
            if (entry.who, entry.purpose, entry.address, entry.state)
            == (who, one.purpose, address, GIVEN)
        ]
        assert found, "a yes went out that nobody gave at this address"
        # What was known when the push was planned, and what its fresh read could show.
        known = [
            word
            for word in self._words_at(who, one.purpose, address)
            if (word.heard_at and word.heard_at <= job.began)
            or (
                job.fresh_at
                and word.attribute
                and word.who == who
                and (not word.at or word.at <= job.fresh_at)
            )
        ]
        assert self._latest(known) is True, "a yes went out over a no"

    @rule(who=people)
    def push_record(self, who):
        person = self.people.get(who)
        if not person or not person.job or not person.job.sent:
            return
        self._tick()
        job, person.job = person.job, None
        push = job.push
        settles = person.revision == push.revision
        person.base_odoo = person.base_odoo | push.outgoing
        for name in push.outgoing:
            person.base_usercom.pop(name, None)
        for one in push.leading:
            if one.attribute in push.consents:
                person.base_usercom[one.key] = push.consents[one.attribute]
        person.revision += 1
        if not settles:
            person.pings += 1
            return
        person.rows -= job.rows
        person.base_usercom |= {name: job.answer.get(name) for name in push.outgoing}
        moved = frozenset(push.outgoing)
        if job.joined:
            for purpose in consent.written_over(self.rules, job.joined.get, {}):
                self._record(who, purpose, job.joined.email, Event(False, self.now), "usercom")
        if job.reads:
            for purpose in consent.written_over(self.rules, job.fresh.get, push.seen):
                self._record(who, purpose, job.fresh.email, Event(False, self.now), "usercom")
        self._absorb(
            who, job.answer, job.began, moved, shown_at=job.sent_at, before=job.reads and job.fresh
        )

    def _join(self, who, push):
        """All profiles get the lower word; then one of them is left."""
        person, other = self.people[who], self.people[who].joins
        parts = {0: person.profile, 1: other}
        person.profile.id, other.id = 0, 1

        class UserCom:
            @staticmethod
            def update_contact(number, body):
                parts[number].values.update(body)

        job = person.job
        job.joined = other.now()
        lowered = exchange._lower(UserCom, [person.profile, other], push)
        # Of the rest User.com keeps what it likes.
        for one in self.rules:
            if person.profile.values[one.attribute] is None:
                person.profile.values[one.attribute] = other.values[one.attribute]
                if one.leads and other.values[one.attribute]:
                    self._said(who, one, True, self.now)
        person.joins = None
        for purpose in lowered:
            address = person.email.lower()
            self._record(who, purpose, address, Event(False, self.now), "usercom")
        return lowered

    # Pull

    @rule(who=people)
    def pull_plan(self, who):
        person = self.people.get(who)
        if person and person.pings and not person.reading and person.profile:
            self._tick()
            person.reading = Read(person.pings, list(person.calls), person.revision, self.now)
            self._lower_by_calls(who, person.reading.calls)

    @rule(who=people)
    def pull_call(self, who):
        person = self.people.get(who)
        if person and person.reading and not person.reading.shown:
            self._tick()
            person.reading.shown, person.reading.shown_at = person.profile.now(), self.now

    @rule(who=people)
    def pull_record(self, who):
        person = self.people.get(who)
        if not person or not person.reading or not person.reading.shown:
            return
        self._tick()
        reading, person.reading = person.reading, None
        self._lower_by_calls(who, reading.calls)
        if reading.revision != person.revision or UNANSWERED in person.base_odoo.values():
            return  # read anew
        person.pings -= reading.pings
        person.calls = person.calls[len(reading.calls) :]
        self._absorb(who, reading.shown, reading.began, shown_at=reading.shown_at)

    @rule(who=people)
    def in_one_go(self, who):
        self.push_plan(who)
        self.push_read(who)
        self.push_write(who, answered=True)
        self.push_record(who)
        self.pull_plan(who)
        self.pull_call(who)
        self.pull_record(who)

    # The end of each story

    @rule()
    def come_to_rest(self):
        for who, person in self.people.items():
            person.reading = None
            if person.job and not person.job.sent:
                person.job = None
            person.pings += person.ping_lost
            person.ping_lost = False
            self.push_record(who)
        for _ in range(12):
            for who in self.people:
                self.in_one_go(who)
            if not any(person.rows or person.pings for person in self.people.values()):
                break
        self._agrees()
        for who, person in self.people.items():
            for one in self.rules:
                if one.leads and self._latest(self._words_at(who, one.purpose)) is False:
                    assert self._state(who, one.purpose) != GIVEN, "mailable in Odoo after a no"
                    shown = one.shown(person.profile.get(one.attribute))
                    is_default = one.attribute == UNSUBSCRIBED and shown
                    known = self._state(who, one.purpose)
                    assert not shown or (is_default and not known), "mailable there after a no"

    def teardown(self):
        if hasattr(self, "people"):
            self.come_to_rest()

    def _agrees(self):
        for who, person in self.people.items():
            assert not person.rows, "there is always something left to send"
            assert not person.pings, "there is always something left to read"
            assert person.profile.email == person.email.lower()
            for one in self.rules:
                if one.leads:
                    state = self._state(who, one.purpose)
                    shown = one.shown(person.profile.get(one.attribute))
                    assert state != GIVEN or shown is True, "given in Odoo alone"
                    assert state != WITHDRAWN or shown is False, "withdrawn in Odoo alone"
                    is_default = one.attribute == UNSUBSCRIBED and state is None
                    assert shown is not True or state == GIVEN or is_default, "given there alone"

    # What holds at any time

    @invariant()
    def odoo_never_passes_over_a_no_it_knows(self):
        for who in getattr(self, "people", ()):
            for purpose in (MAIL, NEWS):
                known = [word for word in self._words_at(who, purpose) if word.heard_at]
                if self._latest(known) is False:
                    assert self._state(who, purpose) != GIVEN, "raised over a no"

    @invariant()
    def nothing_rises_without_a_word(self):
        for entry in getattr(self, "ledger", ()):
            if entry.state == GIVEN:
                assert entry.source == "usercom" or entry.at, "a yes without a time or origin"
                assert any(self._bears_out(entry, word) for word in self.words), "nobody said so"

    @invariant()
    def the_ledger_replays(self):
        """In whatever order it is read, and with each event twice."""
        for who in getattr(self, "people", ()):
            for purpose in (MAIL, NEWS):
                said = self._said_at(who, purpose)
                words = [word for word in said if word[0] in (GIVEN, WITHDRAWN)]
                expected = None
                for state, at in sorted(words, key=lambda w: (w[1] or BEGINNING.min, w[0])):
                    expected = state
                    assert at or state == GIVEN, "a no without a time"
                assert self._state(who, purpose) == expected
                assert consent.state_of([*reversed(said), *said]) == expected

    @staticmethod
    def _bears_out(entry, word):
        if not word.yes or (word.who, word.purpose, word.address) != (
            entry.who,
            entry.purpose,
            entry.address,
        ):
            return False
        if entry.at is None or word.at is None:
            return entry.at is None
        if entry.after is None:
            return word.at == entry.at
        return entry.after <= word.at <= entry.recorded_at

    # What the models do around the rules

    def _state(self, who, purpose):
        return consent.state_of(self._said_at(who, purpose))

    def _said_at(self, who, purpose):
        address = self.people[who].email.lower()
        return [
            (entry.state, entry.at)
            for entry in self.ledger
            if (entry.purpose, entry.address) == (purpose, address)
            and (entry.who == who or self._counts_for_others(entry))
        ]

    @staticmethod
    def _counts_for_others(entry):
        return entry.state == WITHDRAWN

    def _record(self, who, purpose, address, event, source):
        state = GIVEN if event.given else WITHDRAWN
        self.ledger.append(
            Entry(who, purpose, address, state, event.at, event.after, self.now, source)
        )
        for number, person in self.people.items():
            if number == who or (state == WITHDRAWN and person.email.lower() == address):
                person.rows += 1

    def _plan(self, who, rows):
        person = self.people[who]
        out = outgoing(FIELDS, {"email": person.email}, person.base_odoo)
        states = {purpose: self._state(who, purpose) for purpose in (MAIL, NEWS)}
        to_send = {}
        for one in self.rules:
            if one.leads:
                seen = person.base_usercom.get(one.key)
                word = consent.to_send(states[one.purpose], seen, has_address=True)
                if word is not None:
                    to_send[one.attribute] = word
        if person.is_linked and not out and not to_send and not person.joins:
            return None
        push = exchange.PushJob(
            partner_id=who,
            row_ids=(),
            email=person.email.lower(),
            revision=person.revision,
            outgoing=out,
            body=dict(out),
            seen=dict(person.base_usercom),
            consents=to_send,
            consent_rules=self.rules,
            states=states,
        )
        return Job(push, rows, self.now)

    def _absorb(self, who, shown, began, moved=frozenset(), shown_at=None, before=None):
        person = self.people[who]
        ours = {"email": person.email}
        merged = merge(FIELDS, ours, {"email": shown.email}, person.base_odoo, person.base_usercom)
        words, news = consent.heard(
            self.rules,
            shown.get,
            merged.base_usercom,
            last_read_at=person.read_at,
            now=self.now,
        )
        merged.base_usercom |= words
        if "email" in merged.into:
            person.email = merged.into["email"]
        for purpose, event in news.items():
            if not (event.given and "email" in moved):
                for address in {shown.email, before.email if before and moved else shown.email}:
                    self._record(who, purpose, address, event, "usercom")
        for word in self.words:
            # Of a following attribute the yes says nothing, so it is no word here either.
            if word.who == who and (word.at is None or word.at <= (shown_at or began)):
                word.heard_at = word.heard_at or self.now
        if (merged.base_odoo, merged.base_usercom) != (person.base_odoo, person.base_usercom):
            person.revision += 1
        person.base_odoo, person.base_usercom = merged.base_odoo, merged.base_usercom
        person.is_linked = True
        person.read_at = began if person.said_at >= began else self.now
        if self._plan(who, 1):
            person.rows += 1

    def _lower_by_calls(self, who, told):
        person = self.people[who]
        for names, at in told:
            if not consent.may_be_hidden(at, person.yes_written_at):
                continue
            for one in self.rules:
                if (
                    one.attribute in names
                    and person.base_usercom.get(one.key) is not False
                    and consent.lowers(self._said_at(who, one.purpose), at)
                ):
                    address = person.email.lower()
                    self._record(who, one.purpose, address, Event(False, at), "usercom")

    # Keeping the books

    def _said(self, who, one, yes, at):
        address = self.people[who].profile.email
        self.words.append(Word(who, one.purpose, address, yes, at, one.attribute))

    def _words_at(self, who, purpose, address=None):
        address = address or self.people[who].email.lower()
        return [
            word
            for word in self.words
            if (word.purpose, word.address) == (purpose, address)
            and (word.who == who or not word.yes)
        ]

    @staticmethod
    def _latest(words):
        last = max(words, key=lambda word: (word.at or BEGINNING.min, not word.yes), default=None)
        return last and last.yes

    def _ping(self, person, times):
        names = {
            one.attribute
            for one in self.rules
            if one.shown(person.profile.get(one.attribute)) is False
        }
        person.pings += times
        person.calls += [(names, self.now)] * times
        person.ping_lost |= not times

    def _tick(self):
        self.now += timedelta(seconds=1)


Consents.TestCase.settings = settings(
    max_examples=300,
    derandomize=True,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class TestConsents(Consents.TestCase):
    """Run by unittest, as Hypothesis gives it."""


# Each property fails when the rule that it guards is taken out


def a_read_yes_is_new(observed):
    def patched(read, last_seen, *, now, **facts):
        event = observed(read, last_seen, now=now, **facts)
        return replace(event, at=now) if event and event.given else event

    return patched


def a_read_no_is_old(observed):
    def patched(read, last_seen, **facts):
        event = observed(read, last_seen, **facts)
        return replace(event, at=event.after or event.at) if event and not event.given else event

    return patched


def the_first_word_counts(_weight):
    return lambda event: (datetime.min, False)


def undated_is_now(_weight):
    return lambda event: (event.at or datetime.max, not event.given)


def yes_beats_no(_weight):
    return lambda event: (event.given, event.at or datetime.min)


def old_address_keeps_its_yes(to_send):
    return lambda wanted, seen, *, has_address: to_send(wanted, seen, has_address=False)


def never_asked_is_a_no(to_send):
    return lambda wanted, seen, **facts: to_send(wanted or WITHDRAWN, seen, **facts)


def never_asked_is_a_yes(to_send):
    return lambda wanted, seen, **facts: to_send(wanted or GIVEN, seen, **facts)


def no_is_not_sent(to_send):
    return lambda wanted, seen, **facts: to_send(wanted, seen, **facts) or None


def never(_rule):
    return lambda *args, **facts: False


def followers_say_yes(_said):
    return lambda self, raw, last: self.word(raw, last)


def the_default_is_a_yes(_word):
    return lambda self, raw, last: self.shown(raw)


def purposes_share_a_base(_key):
    return property(lambda self: self.attribute)


def nothing_is_lowered(_lower):
    return lambda usercom, contacts, job: frozenset()


def all_is_heard_at_the_new_address(_absorb):
    return lambda self, who, shown, began, moved=frozenset(), **facts: _absorb(
        self, who, shown, began, **facts
    )


ANN, BOB = "ann@example.com", "bob@example.com"
STEP = [("in_one_go", 0)]
YES = [("say_in_odoo", 0, MAIL, True, 0)]
NO_THERE = [("say_there", 0, "mail_consent", False, 1)]
#: Histories that chance is slow to find: authority, addresses, and what happens.
PULL = [("pull_plan", 0), ("pull_call", 0), ("pull_record", 0)]
NEVER_ASKED = (UNSUBSCRIBED, (ANN, BOB), [*STEP, ("meet_again", 0), *PULL])
WINDOW = (
    "attribute",
    (ANN, BOB),
    [*STEP, *YES, ("push_plan", 0), ("push_read", 0), *NO_THERE, ("push_write", 0, True)],
)
YES_AFTER_THE_LAST_READ = (
    "attribute",
    (ANN, BOB),
    # No call tells of it.
    [*STEP, *YES, *STEP, *YES, ("say_there", 0, "mail_consent", False, 0)],
)
NO_BEFORE_THE_WRITE = ("attribute", (ANN, BOB), [*STEP, *YES, *NO_THERE, *STEP])
NO_THERE_BEFORE_A_MERGE = (
    "attribute",
    (ANN, ANN),
    [
        *STEP,
        ("in_one_go", 1),
        *YES,
        *STEP,
        ("say_there", 1, "mail_consent", False, 0),
        ("merge_in_odoo",),
        ("push_plan", 0),
        ("push_read", 0),
        ("crash", 0),
    ],
)
YES_WHILE_THE_ADDRESS_CHANGES = (
    "attribute",
    (ANN, BOB),
    [
        *STEP,
        ("move_in_odoo", 0, BOB),
        ("push_plan", 0),
        ("push_read", 0),
        ("say_there", 0, "mail_consent", True, 1),
        ("push_write", 0, True),
        ("push_record", 0),
    ],
)
NO_TO_ALL_AND_TO_ONE = (
    UNSUBSCRIBED,
    (ANN, BOB),
    [
        *STEP,
        ("say_in_odoo", 0, NEWS, True, 0),
        *STEP,
        ("say_there", 0, UNSUBSCRIBED, False, 1),
        ("say_in_odoo", 0, MAIL, False, 0),
        *STEP,
    ],
)

RULES = [
    (consent, "observed", a_read_yes_is_new, None),
    (consent, "observed", a_read_no_is_old, YES_AFTER_THE_LAST_READ),
    (consent, "_weight", the_first_word_counts, None),
    (consent, "_weight", undated_is_now, None),
    (consent, "_weight", yes_beats_no, None),
    (consent, "to_send", old_address_keeps_its_yes, None),
    (consent, "to_send", never_asked_is_a_no, None),
    (consent, "to_send", never_asked_is_a_yes, None),
    (consent, "to_send", no_is_not_sent, None),
    (consent, "may_be_hidden", never, WINDOW),
    (consent, "lowers", never, WINDOW),
    (ConsentRule, "is_newer_no", never, NO_BEFORE_THE_WRITE),
    (ConsentRule, "said", followers_say_yes, None),
    (ConsentRule, "word", the_default_is_a_yes, NEVER_ASKED),
    (ConsentRule, "key", purposes_share_a_base, NO_TO_ALL_AND_TO_ONE),
    (exchange, "_lower", nothing_is_lowered, NO_THERE_BEFORE_A_MERGE),
    (Consents, "_counts_for_others", never, None),
    (Consents, "_absorb", all_is_heard_at_the_new_address, YES_WHILE_THE_ADDRESS_CHANGES),
]


def play(authority, emails, story):
    both = Consents()
    both.begin(authority=authority, emails=emails, there=(None, None))
    for name, *args in [*story, ("come_to_rest",)]:
        getattr(both, name)(*args)
        both.odoo_never_passes_over_a_no_it_knows()
        both.nothing_rises_without_a_word()
        both.the_ledger_replays()


@pytest.mark.parametrize(
    ("owner", "name", "change", "story"),
    RULES,
    ids=[f"{name}-{change.__name__}" for _owner, name, change, _story in RULES],
)
def test_without_the_rule_a_property_fails(monkeypatch, owner, name, change, story):
    if story:
        play(*story)
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    tries = settings(
        Consents.TestCase.settings,
        max_examples=1000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    with pytest.raises(AssertionError):
        if story:
            play(*story)
        else:
            run_state_machine_as_test(Consents, settings=tries)

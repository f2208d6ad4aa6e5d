"""Consents of two people on both sides as a model: words, crossing calls, losses in any order.

What `usercom.change`, `usercom.ping`, `usercom.binding` and the ledger do around the rules is done
here in plain Python, step by step, with anything in between. Beside it stands what people really
said and when, which neither side knows in whole: that is what the properties are about.

All words may be said at any time. Those that nobody can know are struck off when that is certain:
what no value shows between two looks at it (`_hear`); a "no" while our "yes" is being written, if
the address changes as well (`say_there`) or Odoo knows a "no" by then (`_lower_by_calls`); and one
that was said between the last two reads of a profile that is joined with another, when the answer
is lost (`_lose_job`). Not merged are contacts while a call about a "no" that we wrote over still
waits (`merge_in_odoo`). A "yes" that was not read before the address is changed there may be
recorded for the one or the other address (`move_there`).
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
    #: In which profile it was said, of those that may be joined since.
    profile: int | None = None
    #: Our own write hides it: nothing but the webhook's call tells of it.
    is_hidden: bool = False
    heard_at: datetime | None = None


@dataclass
class Job:
    """A push on its way."""

    push: exchange.PushJob
    rows: int
    began: datetime
    last: dict
    fresh_at: datetime | None = None
    fresh: Profile | None = None
    reads: bool = False
    met_at: datetime | None = None
    joined: Profile | None = None
    met: dict | None = None
    lowered: frozenset = frozenset()
    #: What its reads show that nobody has heard of.
    shown: list = field(default_factory=list)
    creates: bool = False
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
    #: Being created: its binding is there.
    is_new: bool = False
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
    #: What each attribute showed of each purpose when it was last read or written.
    last: dict = field(default_factory=dict)
    #: Another profile is to be joined with its own, or was, and that is not on record.
    merges: bool = False
    joins: Profile | None = None
    #: What is on record of the profile that is to be joined with its own.
    met: dict | None = None
    last_of_other: dict = field(default_factory=dict)


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
        self.ledger, self.words, self.said = [], [], []
        # Where it leads for one purpose, its "no", written by us, is one for all others.
        self.is_in_doubt = authority == UNSUBSCRIBED
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
        self._note(Word(who, purpose, address, yes, at, heard_at=self.now))
        self._record(who, purpose, address, Event(yes, at), "odoo")

    @rule(who=people, attribute=st.sampled_from(ATTRIBUTES), yes=st.booleans(), times=calls)
    def say_there(self, who, attribute, yes, times):
        person = self.people.get(who)
        if not person or not person.profile:
            return
        told_by = [one for one in self.rules if one.attribute == attribute]
        profile, value = person.profile, told_by[0].written(yes)
        if profile.values[attribute] is value:
            return
        self._tick()
        profile.values[attribute] = value
        job = person.job
        # Between the fresh read and the write nothing but the webhook's call tells of it.
        is_window = job is not None and job.fresh_at is not None and not job.sent
        for one in told_by:
            if not yes or one.leads:
                word = self._said(who, one, yes, self.now)
                if is_window and not yes and job.push.consents.get(attribute):
                    word.is_hidden = True
                    if profile.email != person.email.lower():
                        self.words.remove(word)
        self._ping(person, max(times, is_window))

    @rule(who=people, email=addresses)
    def move_in_odoo(self, who, email):
        person = self.people.get(who)
        if person and person.email != email:
            self._tick()
            person.email = email
            person.rows += 1

    @rule(who=people, email=addresses, times=calls)
    def move_there(self, who, email, times):
        person = self.people.get(who)
        if person and person.profile and person.profile.email != email.lower():
            self._tick()
            person.profile.email = email.lower()
            for one in self.rules:
                # User.com takes the consent along; found there it has no date, or that of a word
                # that nobody has heard of yet.
                if one.leads and one.said(person.profile.get(one.attribute), True):
                    dates = {None} | {
                        word.at
                        for word in self._unheard(person.profile)
                        if word.yes
                        and (word.purpose, word.attribute) == (one.purpose, one.attribute)
                    }
                    for at in dates:
                        self._said(who, one, True, at)
            self._ping(person, times)

    @rule()
    def merge_in_odoo(self):
        """The second contact goes, its events are the first one's, and so is its profile."""
        if len(self.people) == 1 or any(
            person.job or not person.is_linked or not person.profile
            for person in self.people.values()
        ):
            return
        if any(word.is_hidden and not word.heard_at for word in self.words):
            return
        self._tick()
        said_no = {
            (purpose, person.email.lower())
            for who, person in self.people.items()
            for purpose in (MAIL, NEWS)
            if self._state(who, purpose) == WITHDRAWN
        }
        kept, gone = self.people[0], self.people.pop(1)
        self.ledger = [replace(entry, who=0) for entry in self.ledger]
        for word in self.said:
            word.who = 0
        self.is_in_doubt = True
        self._keep_withdrawn(0, said_no)
        kept.rows += 1
        kept.merges, kept.joins = True, gone.profile

    @rule(who=people)
    def meet_again(self, who):
        """A restore, or a binding made anew: nothing is known of what the two sides held."""
        person = self.people.get(who)
        if person and person.is_linked and not person.job:
            self._tick()
            self.is_in_doubt = True
            person.base_odoo, person.base_usercom, person.read_at = {}, {}, None
            person.last = {}
            person.revision += 1
            person.pings += 1

    @rule(who=people)
    def crash(self, who):
        """What was in memory is gone; what was committed is not."""
        person = self.people.get(who)
        if person:
            self._lose_job(person)
            person.reading = None

    @rule(who=people)
    def push_fails(self, who):
        """Before the write, as its turn does not come, or its read fails."""
        person = self.people.get(who)
        if person and person.job and not person.job.sent:
            job, is_in_doubt = person.job, self.is_in_doubt
            self._lose_job(person)
            self.is_in_doubt = is_in_doubt
            self._note_unwritten(person, job)

    def _note_unwritten(self, person, job):
        if person.revision == job.push.revision:
            seen = job.push.seen
            base = {one.key: seen[one.key] for one in self.rules if one.leads and one.key in seen}
            person.base_usercom = base | person.base_usercom
            person.last = {
                name: job.last[name] for name in job.last if name != "email"
            } | person.last

    def _lose_job(self, person):
        if person.job:
            self.is_in_doubt = True
            # Said between the last two reads of whom it was joined with, and read by the second.
            for word in self._unheard(person.profile) if person.profile else ():
                word.is_hidden &= person.job.sent  # else nothing was written over it
            since = person.job.met_at
            left = {id(w) for w in person.job.shown if w.profile == 1 and since and w.at > since}
            self.words = [word for word in self.words if word.heard_at or id(word) not in left]
        person.job = None

    # Push

    @rule(who=people)
    def push_plan(self, who):
        person = self.people.get(who)
        if not person or not person.rows or person.job:
            return
        self._tick()
        if not person.is_linked and not person.is_new and person.profile:
            self._absorb(who, person.profile.now(), self.now, self.now)  # looked up and found: tied
        person.job = self._plan(who, person.rows)
        if person.job is None:
            person.rows = 0
            return
        person.is_new = not person.is_linked
        push = person.job.push
        sent = [*push.outgoing, *push.consents]
        person.base_odoo = person.base_odoo | dict.fromkeys(sent, UNANSWERED)
        for one in push.leading:
            if push.consents.get(one.attribute):
                person.base_usercom.pop(one.key, None)
                person.last.pop((one.purpose, one.attribute), None)
        if True in push.consents.values():
            person.yes_written_at = self.now

    @rule(who=people)
    def push_read(self, who):
        person = self.people.get(who)
        if not person or not person.job or person.job.sent or not person.profile:
            return
        if person.job.fresh_at:
            return
        self._tick()
        job = person.job
        if person.joins and not job.met_at:
            job.shown += self._meet(who, person.joins.now())
            job.met_at = self.now
            return
        # Other pushes write without a read, and know nothing of what is there.
        job.reads = bool(
            person.merges
            or person.is_new
            or True in job.push.consents.values()
            or "email" in job.push.body
        )
        job.lowered = self._join(who, job.push) if person.joins else frozenset()
        joined = [job.joined] if job.joined else []
        job.push = exchange._without_refused(job.push, job.lowered, joined)
        moves = {"email"} & job.push.body.keys()
        job.fresh, job.fresh_at = person.profile.now(), self.now
        if job.reads:
            words = exchange._consents_now(job.push, job.fresh, moves)
            job.push = replace(job.push, consents=words)
            job.shown += self._shown_no(job.fresh, job.last, self.now)

    @rule(who=people, answered=st.sampled_from([True, True, False]))
    def push_write(self, who, answered):
        person = self.people.get(who)
        if not person or not person.job or person.job.sent:
            return
        if person.profile and not person.job.fresh_at:
            return
        self._tick()
        job, push = person.job, person.job.push
        if job.reads and not push.outgoing and not push.consents:
            job.sent, job.sent_at, job.answer = True, job.fresh_at, job.fresh
            return
        if person.profile is None:
            person.profile = Profile(who, "", dict.fromkeys(ATTRIBUTES, None))
            person.profile.values[UNSUBSCRIBED] = False
            person.ping_lost = job.creates = True
        if "email" in push.outgoing:
            person.profile.email = push.outgoing["email"].lower()
        for one in push.leading:
            if one.attribute in push.consents:
                self._write_there(who, one, push.consents[one.attribute], job)
        job.sent, job.sent_at = True, self.now
        job.answer = person.profile.now()
        if not answered:
            self._lose_job(person)

    def _write_there(self, who, one, yes, job):
        shown = [self.people[who].profile, job.fresh or self.people[who].profile]
        shows_yes = any(one.shown(profile.get(one.attribute)) for profile in shown)
        is_taken_back = shows_yes or job.push.seen.get(one.key) is True
        assert yes or is_taken_back or job.push.has_no(one), "never asked was sent"
        self.people[who].profile.values[one.attribute] = one.written(yes)
        if not yes:
            return
        # The address may be changed there between the read and the write: the answer shows it.
        address = job.push.outgoing.get("email", (job.fresh or self.people[who].profile).email)
        address = address.lower()
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
            if (word.heard_at and word.heard_at <= job.began) or word in job.shown
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
        leading = {one.attribute for one in push.leading}
        kept = {name: value for name, value in person.base_odoo.items() if name not in leading}
        person.base_odoo = kept | push.outgoing
        for name in push.outgoing:
            person.base_usercom.pop(name, None)
        for one in push.leading:
            if one.attribute in push.consents:
                person.base_usercom[one.key] = push.consents[one.attribute]
                person.last[one.purpose, one.attribute] = push.consents[one.attribute]
        if settles:
            unsent = {one.key for one in push.leading} - person.base_usercom.keys()
            person.base_usercom |= {key: push.seen[key] for key in unsent & push.seen.keys()}
            person.last = {
                name: job.last[name] for name in job.last if name != "email"
            } | person.last
        person.revision += 1
        person.merges = bool(person.joins)
        known = {name: value for name, value in job.last.items() if name == "email"}
        before = [(job.fresh, push.seen | known, job.fresh_at)] if job.reads else []
        before += [(job.joined, job.met, job.fresh_at)] if job.joined else []
        self._keep_withdrawn(who, {(purpose, person.email.lower()) for purpose in job.lowered})
        for shown, seen, at in before:
            for purpose in consent.written_over(self.rules, shown.get, seen):
                places = {shown.email, seen.get("email", shown.email)}
                self._record_no(who, purpose, places, Event(False, at))
        for word in job.shown:
            word.heard_at = word.heard_at or self.now
        if not settles:
            person.pings += 1
            return
        person.rows -= job.rows
        if job.creates:  # the answer shows no values
            person.is_linked, person.is_new, person.read_at = True, False, job.began
            return
        person.base_usercom |= {name: job.answer.get(name) for name in push.outgoing}
        moved = frozenset(push.outgoing)
        self._absorb(who, job.answer, job.began, job.sent_at, moved, job.reads and job.fresh)

    def _meet(self, who, shown):
        """Whom it is to be joined with is nobody afterwards: each "no" is recorded before."""
        person = self.people[who]
        met, person.met = person.met or {}, {}
        for purpose in consent.written_over(self.rules, shown.get, met):
            self._record(who, purpose, shown.email, Event(False, self.now), "usercom")
        for one in self.rules:
            word = one.word(shown.get(one.attribute), None)
            person.met |= {} if word is None else {one.key: word}
        heard = self._shown_no(shown, person.last_of_other, self.now)
        for word in heard:
            word.heard_at = self.now
        person.last_of_other = self._words_of(shown)
        return heard

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
        job.joined, job.met = other.now(), person.met
        job.shown += self._shown_no(job.joined, person.last_of_other, self.now)
        self.words = [
            word for word in self.words if word in job.shown or word not in self._unheard(other)
        ]
        lowered = exchange._lower(UserCom, [person.profile, other], push)
        for one in self.rules:
            shown = {one.shown(profile.get(one.attribute)) for profile in (person.profile, other)}
            assert False not in shown or shown == {False}, "a merge may raise a consent"
        # Of the rest User.com keeps what it likes.
        for one in self.rules:
            if person.profile.values[one.attribute] is None:
                person.profile.values[one.attribute] = other.values[one.attribute]
                if one.leads and other.values[one.attribute]:
                    self._said(who, one, True, self.now)
        person.joins = person.met = None
        person.last_of_other = {}
        return lowered

    def _keep_withdrawn(self, who, said_no):
        """Where a merge has put another contact's "yes" behind a "no"."""
        for purpose, address in sorted(said_no):
            if consent.state_of(self._said_at(who, purpose, address)) == GIVEN:
                self._record(who, purpose, address, Event(False, self.now), "merge")

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

    @rule(who=people, patient=st.sampled_from([True, True, False]))
    def pull_record(self, who, patient=True):
        """What is read while a consent is being written waits, but not for ever."""
        person = self.people.get(who)
        if not person or not person.reading or not person.reading.shown:
            return
        self._tick()
        reading, person.reading = person.reading, None
        self._lower_by_calls(who, reading.calls)
        is_saying = self._is_saying(person)
        if person.is_linked and reading.revision != person.revision:
            person.pings += 1  # read anew
        elif is_saying and patient:
            return
        else:
            self.is_in_doubt |= is_saying
            self._absorb(who, reading.shown, reading.began, reading.shown_at)
        person.pings -= reading.pings
        person.calls = person.calls[len(reading.calls) :]

    def _is_saying(self, person):
        names = {*ATTRIBUTES, *(["email"] if person.is_linked else [])}
        return any(person.base_odoo.get(name) == UNANSWERED for name in names)

    @rule(who=people)
    def in_one_go(self, who):
        self.push_plan(who)
        self.push_read(who)
        self.push_read(who)
        self.push_write(who, answered=True)
        self.push_record(who)
        self.pull_plan(who)
        self.pull_call(who)
        self.pull_record(who, patient=False)

    # The end of each story

    @rule()
    def come_to_rest(self):
        for who, person in self.people.items():
            person.reading = None
            if person.job and not person.job.sent:
                self._lose_job(person)
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
                assert any(self._bears_out(entry, word) for word in self.said), "nobody said so"

    @invariant()
    def nothing_falls_without_a_word(self):
        """Unless an answer was lost, or what was known is: then doubt works for the "no"."""
        for entry in getattr(self, "ledger", ()):
            if entry.source == "usercom" and entry.state == WITHDRAWN and not self.is_in_doubt:
                assert any(
                    not word.yes
                    and word.purpose == entry.purpose
                    and word.at <= entry.at
                    and (word.heard_at == entry.recorded_at or word.at == entry.at)
                    for word in self.said
                ), "nobody took it back"

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

    def _said_at(self, who, purpose, address=None):
        address = address or self.people[who].email.lower()
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
                if source != "usercom":
                    person.said_at = max(person.said_at, event.at)

    def _record_no(self, who, purpose, addresses, event):
        """A "no" may have been said before the address was changed, or after it."""
        for address in sorted({address.lower() for address in addresses}):
            self._record(who, purpose, address, event, "usercom")

    @staticmethod
    def _seen(person):
        """What User.com held when it was last seen, or as it was written since."""
        address = person.base_odoo.get("email", UNANSWERED)
        return ({} if address == UNANSWERED else {"email": address}) | person.base_usercom

    def _plan(self, who, rows):
        person = self.people[who]
        out = outgoing(FIELDS, {"email": person.email.lower()}, person.base_odoo)
        states = {purpose: self._state(who, purpose) for purpose in (MAIL, NEWS)}
        to_send = {}
        for one in self.rules:
            if one.leads:
                seen = person.base_usercom.get(one.key)
                word = consent.to_send(states[one.purpose], seen, has_address=True)
                if word is not None:
                    to_send[one.attribute] = word
        if person.is_linked and not out and not to_send and not person.merges:
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
        return Job(push, rows, self.now, self._last(person))

    def _absorb(self, who, shown, began, shown_at, moved=frozenset(), before=None):
        person = self.people[who]
        seen = self._seen(person)
        ours = {"email": person.email.lower()}
        merged = merge(FIELDS, ours, {"email": shown.email}, person.base_odoo, person.base_usercom)
        words, news = consent.heard(
            self.rules,
            shown.get,
            merged.base_usercom,
            last_read_at=person.read_at,
            now=shown_at,
        )
        merged.base_usercom |= words
        for one in self.rules:
            merged.base_odoo.pop(one.attribute, None)
        if "email" in merged.into:
            person.email = merged.into["email"]
        for purpose, event in news.items():
            if event.given and "email" not in moved:
                self._record(who, purpose, shown.email, event, "usercom")
            if not event.given:
                places = {shown.email, seen.get("email", shown.email)}
                places |= {before.email} if before and moved else set()
                self._record_no(who, purpose, places, event)
        self._hear(shown, self._last(person), shown_at)
        person.last |= self._words_of(shown)
        if (merged.base_odoo, merged.base_usercom) != (person.base_odoo, person.base_usercom):
            person.revision += 1
        person.base_odoo, person.base_usercom = merged.base_odoo, merged.base_usercom
        person.is_linked, person.is_new = True, False
        person.read_at = began if person.said_at >= began else shown_at
        if self._plan(who, 1):
            person.rows += 1

    def _lower_by_calls(self, who, told):
        person = self.people[who]
        for names, at in told:
            for word in list(self.words):
                if word.is_hidden and (word.who, word.at) == (who, at) and not word.heard_at:
                    word.heard_at = self.now
                    if self._state(who, word.purpose) != GIVEN:
                        self.words.remove(word)  # it lowers nothing, and is not on record
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
                    # A call shows all values: this one may be older than our "yes".
                    news = {(word.purpose, word.at) for word in self.said if not word.yes}
                    self.is_in_doubt |= (one.purpose, at) not in news

    # Keeping the books

    def _said(self, who, one, yes, at):
        profile = self.people[who].profile
        word = Word(who, one.purpose, profile.email, yes, at, one.attribute, profile.id)
        return self._note(word)

    def _note(self, word):
        self.words.append(word)
        self.said.append(word)
        return word

    def _words_of(self, profile):
        words = {(o.purpose, o.attribute): o.shown(profile.get(o.attribute)) for o in self.rules}
        return {name: word for name, word in words.items() if word is not None}

    def _last(self, person):
        """What was last seen there, and the address with it."""
        return person.last | {k: v for k, v in self._seen(person).items() if k == "email"}

    def _unheard(self, profile, until=datetime.max):
        """What was said in a profile and nobody has heard of."""
        return [
            word
            for word in self.words
            if word.profile == profile.id
            and not word.heard_at
            and (word.at is None or word.at <= until)
        ]

    def _shown_no(self, profile, last, at):
        """Each "no" of which a read tells: it was something else when it was last seen."""
        return [
            word
            for word in self._unheard(profile, at)
            for one in self.rules
            if (one.purpose, one.attribute) == (word.purpose, word.attribute)
            and not word.yes
            and one.shown(profile.get(one.attribute)) is False
            and last.get((one.purpose, one.attribute)) is not False
            and word.address in {profile.email, last.get("email", profile.email).lower()}
        ]

    def _hear(self, profile, last, at):
        """Take notice of what a read shows; what has left no trace by then nobody can know."""
        for word in self._shown_no(profile, last, at):
            word.heard_at = self.now
        for word in self._unheard(profile, at):
            [one] = [
                one
                for one in self.rules
                if (one.purpose, one.attribute) == (word.purpose, word.attribute)
            ]
            if word.yes and one.shown(profile.get(one.attribute)):
                word.heard_at = self.now
            elif not word.is_hidden:
                word.heard_at = self.now
                self.words.remove(word)

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
    return lambda self, who, shown, began, shown_at, *_moved: _absorb(
        self, who, shown, began, shown_at
    )


def the_last_attribute_counts(heard):
    def patched(rules, read, base, **facts):
        found = [heard([one], read, base, **facts) for one in rules]
        words, news = zip(*found, strict=True)
        return (
            {key: word for some in words for key, word in some.items()},
            {purpose: event for some in news for purpose, event in some.items()},
        )

    return patched


def reads_end_when_they_are_recorded(_absorb):
    return lambda self, who, shown, began, _at, *moved: _absorb(
        self, who, shown, began, self.now, *moved
    )


def yes_goes_out_all_the_same(_without_refused):
    return lambda job, lowered, joined: job


def nobody_is_met(_meet):
    return lambda self, who, shown: []


def nothing_is_known_again(_note_unwritten):
    return lambda self, person, job: None


def only_at_the_address_of_now(_record_no):
    return lambda self, who, purpose, addresses, event: _record_no(
        self, who, purpose, {self.people[who].profile.email}, event
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
        ("push_read", 0),
        ("crash", 0),
    ],
)
NO_OF_WHOM_IT_IS_JOINED_WITH = (
    "attribute",
    (ANN, BOB),
    [
        *STEP,
        ("in_one_go", 1),
        ("say_in_odoo", 1, MAIL, True, 0),
        ("in_one_go", 1),
        ("say_there", 1, "mail_consent", False, 0),
        ("merge_in_odoo",),
        ("push_plan", 0),
        ("push_read", 0),
        ("push_read", 0),
        ("crash", 0),
        *STEP,
        ("move_in_odoo", 0, BOB),
        *STEP,
    ],
)
NO_TO_ALL_OF_WHOM_IT_IS_JOINED_WITH = (
    "attribute",
    (ANN, BOB),
    [
        *STEP,
        ("in_one_go", 1),
        ("say_there", 0, UNSUBSCRIBED, False, 1),
        *STEP,
        *YES,
        ("move_there", 1, ANN, 0),
        ("say_there", 1, UNSUBSCRIBED, False, 0),
        ("merge_in_odoo",),
    ],
)
NO_BEFORE_THE_ADDRESS_CHANGES = (
    "attribute",
    (ANN, ANN),
    [
        *STEP,
        ("in_one_go", 1),
        ("say_in_odoo", 1, MAIL, True, 0),
        ("in_one_go", 1),
        ("say_there", 0, "mail_consent", False, 0),
        ("move_there", 0, BOB, 1),
        *STEP,
    ],
)
NO_AFTER_A_YES_TO_ALL = (
    UNSUBSCRIBED,
    (ANN, BOB),
    [
        *STEP,
        ("say_there", 0, UNSUBSCRIBED, False, 1),
        *STEP,
        ("say_there", 0, UNSUBSCRIBED, True, 0),
        *NO_THERE,
        *STEP,
    ],
)
READ_WHILE_A_YES_IS_WRITTEN = (
    "attribute",
    (ANN, BOB),
    [
        *STEP,
        *NO_THERE,
        *STEP,
        ("say_there", 0, "news_consent", True, 1),
        ("in_one_go", 1),
        ("in_one_go", 1),
        *YES,
        ("pull_plan", 0),
        ("pull_call", 0),
        ("push_plan", 0),
        ("pull_record", 0),
    ],
)
NO_ELSEWHERE_DURING_A_READ = (
    "attribute",
    (ANN, ANN),
    [
        *STEP,
        ("in_one_go", 1),
        *NO_THERE,
        *STEP,
        ("say_in_odoo", 1, MAIL, True, 0),
        ("in_one_go", 1),
        ("say_there", 0, "news_consent", True, 1),
        ("pull_plan", 0),
        ("pull_call", 0),
        ("say_there", 0, "mail_consent", True, 1),
        ("say_there", 1, "mail_consent", False, 1),
        ("pull_plan", 1),
        ("pull_call", 1),
        ("pull_record", 1),
        ("pull_record", 0),
        *STEP,
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
YES_THAT_IS_NOT_WRITTEN = (
    "attribute",
    (ANN, BOB),
    [*STEP, *NO_THERE, *STEP, *YES, ("push_plan", 0), ("push_fails", 0), *STEP],
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
    (consent, "heard", the_last_attribute_counts, NO_AFTER_A_YES_TO_ALL),
    (exchange, "_lower", nothing_is_lowered, NO_THERE_BEFORE_A_MERGE),
    (exchange, "_without_refused", yes_goes_out_all_the_same, NO_TO_ALL_OF_WHOM_IT_IS_JOINED_WITH),
    (Consents, "_counts_for_others", never, None),
    (Consents, "_is_saying", never, READ_WHILE_A_YES_IS_WRITTEN),
    (Consents, "_meet", nobody_is_met, NO_OF_WHOM_IT_IS_JOINED_WITH),
    (Consents, "_note_unwritten", nothing_is_known_again, YES_THAT_IS_NOT_WRITTEN),
    (Consents, "_record_no", only_at_the_address_of_now, NO_BEFORE_THE_ADDRESS_CHANGES),
    (Consents, "_absorb", reads_end_when_they_are_recorded, NO_ELSEWHERE_DURING_A_READ),
    (Consents, "_absorb", all_is_heard_at_the_new_address, YES_WHILE_THE_ADDRESS_CHANGES),
]


def play(authority, emails, story):
    both = Consents()
    both.begin(authority=authority, emails=emails, there=(None, None))
    for name, *args in [*story, ("come_to_rest",)]:
        getattr(both, name)(*args)
        both.odoo_never_passes_over_a_no_it_knows()
        both.nothing_rises_without_a_word()
        both.nothing_falls_without_a_word()
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

"""Both sides of one contact as a model: edits, crossing calls and lost answers in any order.

What `usercom.change`, `usercom.ping` and `usercom.binding` do around the rules is done here in
plain Python, step by step: planned, called, recorded, with anything in between.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from odoo.addons.usercom_connector.sync import consent
from odoo.addons.usercom_connector.sync.consent import GIVEN, WITHDRAWN, Event
from odoo.addons.usercom_connector.sync.mapping import FieldRule
from odoo.addons.usercom_connector.sync.merge import UNANSWERED, merge, outgoing
from odoo.addons.usercom_connector.sync.values import alike

from .strategies import canonical, habits, stored

NAMES = ("f0", "f1")
RULES = [FieldRule(name, name) for name in NAMES]
CONSENT = "email_consent"
BEGINNING = datetime(2026, 1, 1)


@dataclass
class Job:
    """A push on its way: what was planned, and the answer once there is one."""

    rows: int
    revision: int
    outgoing: dict
    consent: bool | None
    seen: bool | None
    linked: bool
    began: datetime
    answer: dict | None = None
    sent: bool = False


@dataclass
class Read:
    """A pull on its way."""

    pings: int
    revision: int
    began: datetime
    shown: dict | None = None


@dataclass
class Binding:
    """What `usercom.binding` keeps."""

    linked: bool = False
    base_odoo: dict = field(default_factory=dict)
    base_usercom: dict = field(default_factory=dict)
    revision: int = 0
    read_at: datetime | None = None


class BothSides(RuleBasedStateMachine):
    @initialize(
        habit=habits,
        odoo=st.none() | st.fixed_dictionaries(dict.fromkeys(NAMES, canonical)),
        there=st.none() | st.fixed_dictionaries(dict.fromkeys(NAMES, canonical)),
        their_consent=st.sampled_from([None, True, False]),
    )
    def begin(self, habit, odoo, there, their_consent):
        if odoo is None and there is None:
            odoo = dict.fromkeys(NAMES)
        self.now = BEGINNING
        self.habit = habit
        self.odoo, self.there, self.was_there = odoo, None, there is not None
        self.events, self.words = [], []
        self.binding = Binding()
        self.rows = self.pings = 0
        self.ping_lost = False
        self.job = self.reading = None
        self.said_in_odoo = BEGINNING - timedelta(days=1)
        self.edited = {name: set() for name in NAMES}
        if odoo is not None:
            self.rows = 1
            self._edited("odoo", NAMES)
        if there is not None:
            self.there = {name: stored(habit, value) for name, value in there.items()}
            self.there[CONSENT] = their_consent
            if their_consent is not None:
                self._word(their_consent)
            self._edited("there", NAMES)
            if odoo is None:
                self.odoo = dict.fromkeys(NAMES)  # created from the read, which fills it
                self._read_and_record()

    # What people do

    @rule(name=st.sampled_from(NAMES), value=canonical)
    def edit_in_odoo(self, name, value):
        self._tick()
        if self.odoo[name] != value:
            self.odoo[name] = value
            self.rows += 1
            self._edited("odoo", [name])

    @precondition(lambda self: self.there is not None)
    @rule(name=st.sampled_from(NAMES), value=canonical, pings=st.integers(0, 2))
    def edit_there(self, name, value, pings):
        self._tick()
        value = stored(self.habit, value)
        if self.there[name] != value:
            self.there[name] = value
            self._ping(pings)
            self._edited("there", [name])
            base = self.binding.base_odoo.get(name)
            if name not in self.binding.base_usercom and alike(base, value):
                # Before the first read after a creation, an edit that only changes the letters'
                # case, or cuts a long text, cannot be told from a habit of the server's.
                self.edited[name].add("taken for a habit")

    @rule(yes=st.booleans())
    def consent_in_odoo(self, yes):
        self._tick()
        state = consent.state(self.events)
        if state != (GIVEN if yes else WITHDRAWN):  # else the form has nothing to save
            self.events.append(Event(yes, self.now))
            self.said_in_odoo = self.now
            self._word(yes)
            self.rows += 1

    @precondition(lambda self: self.there is not None and self.there[CONSENT] is not True)
    @rule(pings=st.integers(0, 2))
    def consent_there(self, pings):
        self._tick()
        self.there[CONSENT] = True
        self._word(True)
        self._ping(pings)

    def _no_can_be_seen(self):
        # A "no" leaves no trace in what is read when the last read or write was a "no" as well,
        # or when one is on its way: then it arrives by the webhook's body alone.
        unseen = self.binding.base_usercom.get(CONSENT) is False or (
            self.job and False in (self.job.seen, self.job.consent)
        )
        return self.there is not None and self.there[CONSENT] is not False and not unseen

    @precondition(_no_can_be_seen)
    @rule(pings=st.integers(0, 2))
    def withdraw_there(self, pings):
        self._tick()
        self.there[CONSENT] = False
        self._word(False)
        self._ping(pings)

    # Push

    @precondition(lambda self: self.rows and self.job is None)
    @rule()
    def push_plan(self):
        self._tick()
        if not self.binding.linked and self.was_there:
            self._read_and_record()  # looked up and found: tied, met, then sent
        self.job = self._plan(self.rows)
        if self.job is None:
            self.rows = 0
            return
        base = self.binding.base_odoo
        self.binding.base_odoo = base | dict.fromkeys(self.job.outgoing, UNANSWERED)
        if self.job.consent is not None:
            self.binding.base_usercom.pop(CONSENT, None)

    @precondition(lambda self: self.job is not None and not self.job.sent)
    @rule(fate=st.sampled_from(["answered", "answered", "never arrived", "answer lost"]))
    def push_call(self, fate):
        self._tick()
        job = self.job
        if fate == "never arrived":
            self.job = None  # the rows wait
            return
        self._send(job)
        if fate == "answer lost":
            self.job = None

    @precondition(lambda self: self.job is not None and self.job.sent)
    @rule()
    def push_record(self):
        self._tick()
        job, self.job = self.job, None
        self._record_sent(job)

    # Pull

    @precondition(lambda self: self.pings and self.reading is None and self.there is not None)
    @rule()
    def pull_plan(self):
        self._tick()
        self.reading = Read(self.pings, self.binding.revision, self.now)

    @precondition(lambda self: self.reading is not None and self.reading.shown is None)
    @rule(arrives=st.booleans())
    def pull_call(self, arrives):
        self._tick()
        if arrives:
            self.reading.shown = dict(self.there)
        else:
            self.reading = None

    @precondition(lambda self: self.reading is not None and self.reading.shown is not None)
    @rule()
    def pull_record(self):
        self._tick()
        reading, self.reading = self.reading, None
        self.pings -= reading.pings
        if reading.revision != self.binding.revision:
            self.pings += 1  # read anew
        else:
            self._absorb(reading.shown, reading.began)

    # The end of each story

    @rule()
    def come_to_rest(self):
        """Everything in flight lands and all queues run empty; a lost ping is made up for."""
        if self.job is not None:
            if not self.job.sent:
                self.push_call("answered")
            self.push_record()
        if self.reading is not None:
            if self.reading.shown is None:
                self.pull_call(arrives=True)
            self.pull_record()
        self.pings += self.ping_lost
        self.ping_lost = False
        for _ in range(6):
            if self.pings and self.there is not None:
                self.pull_plan()
                self.pull_call(arrives=True)
                self.pull_record()
            if self.rows:
                self.push_plan()
                if self.job:
                    self.push_call("answered")
                    self.push_record()
            elif not self.pings:
                break
        assert not self.rows
        assert not self.pings
        self._agrees()
        self._lost_nothing()
        self._raised_nothing()
        self.at_rest = dict(self.there)
        self.edited = {name: set() for name in NAMES}

    def teardown(self):
        if hasattr(self, "habit"):
            self.come_to_rest()

    def _agrees(self):
        merged = merge(
            RULES, self.odoo, self.there, self.binding.base_odoo, self.binding.base_usercom
        )
        assert merged.into == merged.out == {}
        assert self._plan(1) is None
        for name in NAMES:
            ours, theirs = self.odoo[name], self.there[name]
            assert ours == theirs or theirs == stored(self.habit, ours) or alike(ours, theirs)
        there = {None: None, True: GIVEN, False: WITHDRAWN}[self.there[CONSENT]]
        assert there == consent.state(self.events)

    def _lost_nothing(self):
        for name, by in self.edited.items():
            if by == {"odoo"}:
                assert self.odoo[name] == self.last_edit["odoo", name]
                assert self.there[name] == stored(self.habit, self.odoo[name])
            elif by == {"there"}:
                assert self.there[name] == self.last_edit["there", name]
                changed_back = self.there[name] == self.at_rest[name]
                assert self.odoo[name] == self.there[name] or changed_back

    def _raised_nothing(self):
        if not self.words:
            assert self.there[CONSENT] is None
        elif not self.words[-1]:
            assert self.there[CONSENT] is False
        elif all(self.words):
            assert self.there[CONSENT] is True

    # What the models do around the rules

    def _plan(self, rows):
        binding = self.binding
        out = outgoing(RULES, self.odoo, binding.base_odoo)
        seen = binding.base_usercom.get(CONSENT)
        to_send = consent.to_send(consent.state(self.events), seen, has_address=False)
        if binding.linked and not out and to_send is None:
            return None
        return Job(rows, binding.revision, out, to_send, seen, binding.linked, self.now)

    def _send(self, job):
        job.sent = True
        fresh = self.there  # also of one that a call may have created whose answer was lost
        if job.consent and fresh and fresh[CONSENT] is False and job.seen is not False:
            job.consent = None
        if self.there is None:
            self.there = dict.fromkeys((*NAMES, CONSENT))
            self.ping_lost = True  # User.com calls about new contacts, or the poll finds them
        self.there.update({name: stored(self.habit, value) for name, value in job.outgoing.items()})
        if job.consent is not None:
            self.there[CONSENT] = job.consent
        if job.linked:
            job.answer = dict(self.there)

    def _record_sent(self, job):
        binding = self.binding
        if binding.revision != job.revision:
            binding.base_odoo = binding.base_odoo | job.outgoing
            for name in job.outgoing:
                binding.base_usercom.pop(name, None)
            if job.consent is not None:
                binding.base_usercom[CONSENT] = job.consent
            binding.revision += 1
            self.pings += 1
            return
        self.rows -= job.rows
        binding.linked = True
        binding.base_odoo = binding.base_odoo | job.outgoing
        binding.base_usercom = {
            name: value for name, value in binding.base_usercom.items() if name not in job.outgoing
        }
        if job.consent is not None:
            binding.base_usercom[CONSENT] = job.consent
        binding.revision += 1
        if job.answer is None:
            binding.read_at = job.began
        else:
            binding.base_usercom |= {name: job.answer[name] for name in job.outgoing}
            self._absorb(job.answer, job.began)

    def _absorb(self, shown, began):
        binding = self.binding
        merged = merge(RULES, self.odoo, shown, binding.base_odoo, binding.base_usercom)
        self.odoo.update(merged.into)
        event = consent.observed(
            shown[CONSENT],
            merged.base_usercom.get(CONSENT),
            known=CONSENT in merged.base_usercom,
            last_read_at=binding.read_at,
            now=self.now,
        )
        if event:
            self.events.append(event)
        if shown[CONSENT] is not None:
            merged.base_usercom[CONSENT] = shown[CONSENT]
        if (merged.base_odoo, merged.base_usercom) != (binding.base_odoo, binding.base_usercom):
            binding.revision += 1
        binding.base_odoo, binding.base_usercom = merged.base_odoo, merged.base_usercom
        binding.linked = True
        binding.read_at = began if self.said_in_odoo >= began else self.now
        if self._plan(1):
            self.rows += 1

    def _read_and_record(self):
        self._tick()
        self._absorb(dict(self.there), self.now)

    # Keeping the books

    def _ping(self, times):
        self.pings += times
        self.ping_lost |= not times

    def _tick(self):
        self.now += timedelta(seconds=1)

    def _word(self, yes):
        self.words.append(yes)

    def _edited(self, side, names):
        values = self.odoo if side == "odoo" else self.there
        for name in names:
            self.edited[name].add(side)
            self.last_edit[side, name] = values[name]

    def __init__(self):
        super().__init__()
        self.last_edit = {}
        self.at_rest = dict.fromkeys(NAMES)


BothSides.TestCase.settings = settings(
    max_examples=400, stateful_step_count=30, deadline=None, report_multiple_bugs=False
)


class TestBothSides(BothSides.TestCase):
    """Run by unittest, as Hypothesis gives it."""

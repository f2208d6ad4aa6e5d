"""User.com is down, slow or talks nonsense: what is to be done waits, and is done later, once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.two_sides import TwoSides


@dataclass
class Work:
    """What people do on both sides while User.com fails."""

    sides: TwoSides
    linked: list[int] = field(default_factory=list)
    new_here: list[str] = field(default_factory=list)
    new_there: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Have contacts that are in step before it begins."""
        people = [{"name": "Jan Testowy", "email": self.sides.address("linked")} for _ in range(3)]
        self.linked = self.sides.call("res.partner", "create", people)
        consent = {"usercom_email_consent": "given"}
        self.sides.call("res.partner", "write", self.linked, consent)
        self.sides.wait_in_step(*self.linked)
        self.before = len(self.sides.sim.contacts())
        self.sides.sim.reset_calls()

    def do_here(self) -> None:
        """New contacts, edits and a withdrawal in Odoo."""
        self.new_here = [self.sides.address("here") for _ in range(3)]
        for i, email in enumerate(self.new_here):
            self.sides.add_partner(f"Ewa Nowa{i}", email=email, city="Łódź")
        self.sides.edit_partner(self.linked[0], city="Reda", name="Maria Inna")
        self.sides.edit_partner(self.linked[1], usercom_email_consent="withdrawn")

    def do_there(self) -> None:
        """A new contact and an edit in User.com, of which it tells Odoo."""
        self.new_there = [self.sides.address("there")]
        self.sides.add_contact(email=self.new_there[0], first_name="Lead", city="Hel")
        number = int(self.sides.binding(self.linked[2])["usercom_id"])
        self.sides.sim.edit_contact(number, city="Sopot")

    def partner_ids(self) -> list[int]:
        """Return the contacts of Odoo that all this is about."""
        emails = self.new_here + self.new_there
        return self.linked + [one["id"] for email in emails for one in self.sides.partners(email)]

    def check(self, *, after_outage: bool = False) -> None:
        """Wait until everything has arrived; then nothing is lost and nothing doubled.

        :param after_outage: what was on its way when the outage ended may fail yet, and wait again.
        """
        sides = self.sides
        emails = self.new_here + self.new_there

        def arrived() -> bool:
            if after_outage and sides.queues():
                sides.pass_waiting()
                time.sleep(1)
            sides.notify()
            return (
                not sides.queues()
                and all(sides.partners(email) for email in emails)
                and not any(map(sides.differences, self.partner_ids()))
            )

        def explain() -> str:
            differences = [sides.differences(one) for one in self.partner_ids()]
            return f"{differences}, queues {sides.queues()}"

        sides.wait(arrived, 30, explain)
        assert len(sides.sim.contacts()) == self.before + len(emails)
        assert [len(sides.partners(email)) for email in emails] == [1] * len(emails)
        if self.new_here:
            assert sides.partner(self.linked[0])["city"] == "Reda"
            assert sides.consent(self.linked[1]) == "withdrawn"
        if self.new_there:
            assert sides.partner(self.linked[2])["city"] == "Sopot"
        sides.expect_silence(0.5)


def waiting(sides: TwoSides) -> list[tuple[Any, ...]]:
    """Return rows that have been tried and wait; parked ones would be here as well."""
    return [row for row in sides.queues() if row[4]]


def test_user_com_is_down_and_comes_back(sides: TwoSides) -> None:
    work = Work(sides)
    work.prepare()
    sides.process.stop()
    work.do_here()
    sides.wait(lambda: waiting(sides))
    sides.pass_waiting()
    time.sleep(1)
    assert len(sides.queues()) >= 5
    assert all(due_at for _table, _id, due_at, *_ in sides.queues())
    sides.process.start()
    sides.pass_waiting()
    work.check()
    # What happens there afterwards arrives as ever.
    work.do_there()
    work.check()


def test_what_waits_goes_by_itself(sides: TwoSides) -> None:
    """After a short failure nobody has to do anything, nor is the next regular run awaited."""
    sides.sim.fault("500", method="POST")
    started = time.monotonic()
    partner_id = sides.add_partner()
    sides.wait_in_step(partner_id, timeout=15)
    assert 4 < time.monotonic() - started < 12
    assert len(sides.sim.contacts(email=sides.partner(partner_id)["email"])) == 1


def test_a_throttled_account_goes_on_when_it_may(sides: TwoSides) -> None:
    """As soon as User.com's Retry-After says, and the tries do not count."""
    sides.sim.fault("429", retry_after=3, method="POST", times=2)
    started = time.monotonic()
    ids = [sides.add_partner(), sides.add_partner()]
    sides.wait(lambda: waiting(sides))
    assert not any(attempts for _table, _id, _due, attempts, *_ in sides.queues())
    sides.wait_in_step(*ids, timeout=15)
    assert 2.5 < time.monotonic() - started < 12
    sides.expect_silence(0.5)


def test_slow_answers_are_waited_for(sides: TwoSides) -> None:
    """And nobody's save waits with them."""
    work = Work(sides)
    work.prepare()
    sides.sim.switch(latency_ms=1500)
    try:
        started = time.monotonic()
        work.do_here()
        assert time.monotonic() - started < 5
        work.do_there()
        sides.wait(lambda: not sides.queues(), 20, lambda: str(sides.queues()))
    finally:
        sides.sim.switch(latency_ms=0)
    work.check()


#: A kind of failure, and what the simulator is to know of it.
FAILURES: list[dict[str, Any]] = [
    {"kind": "500"},
    {"kind": "504"},
    {"kind": "429"},
    {"kind": "429", "retry_after": 60},
    {"kind": "not_json"},
    {"kind": "half"},
    {"kind": "drop"},
    {"kind": "timeout"},
]


def named(fault: dict[str, Any]) -> str:
    """Return the name of a failure."""
    return "-".join(str(value) for value in fault.values())


@pytest.mark.parametrize("fault", FAILURES, ids=named)
def test_every_call_fails_for_a_while(sides: TwoSides, fault: dict[str, Any]) -> None:
    work = Work(sides)
    work.prepare()
    sides.sim.fault(**{"times": None, **fault})
    work.do_here()
    work.do_there()
    sides.sim.wait_webhooks()
    sides.wait(lambda: {row[0] for row in waiting(sides)} == {"usercom_change", "usercom_ping"}, 25)
    assert all(due_at for _table, _id, due_at, *_ in sides.queues())
    sides.sim.clear_faults()
    work.check(after_outage=True)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "502"},
        {"kind": "half"},
        {"kind": "500", "commit": True},
        {"kind": "drop", "commit": True},
        {"kind": "timeout", "commit": True},
    ],
    ids=named,
)
def test_the_answers_to_writes_are_lost(sides: TwoSides, fault: dict[str, Any]) -> None:
    """Whether User.com took effect or not: done again, each write ends at the same contact."""
    work = Work(sides)
    work.prepare()
    for method in ("POST", "PUT"):
        sides.sim.fault(**{"times": None, "method": method, **fault})
    work.do_here()
    sides.wait(lambda: len(waiting(sides)) >= 2, 25, lambda: str(sides.queues()))
    work.do_there()
    sides.sim.wait_webhooks()
    sides.sim.clear_faults()
    work.check(after_outage=True)


def test_the_person_comes_to_user_com_while_ours_waits(sides: TwoSides) -> None:
    """The look-up of hours ago is not trusted: one profile, however it came there."""
    email = sides.address("both")
    before = len(sides.sim.contacts())
    sides.sim.fault("500", method="POST")
    partner_id = sides.add_partner("Ewa Nowa", email=email, city="Hel")
    sides.wait(lambda: waiting(sides))
    sides.sim.add_contact(email=email, status="user", first_name="Ewa", phone_number="+48600100200")
    sides.sim.wait_webhooks()

    def settled() -> bool:
        sides.pass_waiting()
        time.sleep(0.5)
        return not sides.queues() and not sides.differences(partner_id)

    sides.wait(settled, 10, lambda: f"{sides.differences(partner_id)} {sides.queues()}")
    assert len(sides.sim.contacts()) == before + 1
    assert sides.partner(partner_id)["phone"] == "+48600100200"
    sides.expect_silence(0.5)


def test_an_empty_answer_is_no_failure(sides: TwoSides) -> None:
    """User.com answers some writes with nothing at all: they are done."""
    work = Work(sides)
    work.prepare()
    for method in ("POST", "PUT"):
        sides.sim.fault("empty", times=1, method=method)
    work.do_here()
    work.do_there()
    sides.sim.wait_webhooks()
    time.sleep(1)
    sides.pass_waiting()
    work.check()

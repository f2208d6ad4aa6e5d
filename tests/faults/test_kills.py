"""Odoo is killed at each step between a save and the recorded answer, in either direction.

Afterwards both sides agree, there is one contact on each of them, and nothing is left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.conftest import Killer
from tests.support.two_sides import TwoSides


@dataclass
class Deed:
    """What somebody does on one side, and what is to be seen of it on the other."""

    #: Before the kill is armed: an address that the contact has or will have, and what is needed.
    prepare: Callable[[TwoSides], dict[str, Any]]
    #: With Odoo killed on the way.
    do: Callable[[TwoSides, dict[str, Any]], None]
    #: Name and value of fields that both sides have in the end.
    outcome: dict[str, Any]


def a_new_address(sides: TwoSides) -> dict[str, Any]:
    return {"email": sides.address("new")}


def a_linked_contact(sides: TwoSides, **values: Any) -> dict[str, Any]:
    email = sides.address("linked")
    partner_id = sides.make_linked(email=email, city="Hel", **values)
    return {"email": email, "id": partner_id, "number": sides.there(partner_id)["id"]}


def one_that_agreed(sides: TwoSides) -> dict[str, Any]:
    return a_linked_contact(sides, consent=True)


def create(sides: TwoSides, who: dict[str, Any]) -> None:
    values = {"name": "Ewa Nowa", "email": who["email"], "phone": "+48 600 100 200", "city": "Łódź"}
    sides.call_that_may_die("res.partner", "create", [values])


def writing(**values: Any) -> Callable[[TwoSides, dict[str, Any]], None]:
    def write(sides: TwoSides, who: dict[str, Any]) -> None:
        sides.call_that_may_die("res.partner", "write", [who["id"]], values)

    return write


def editing(**values: Any) -> Callable[[TwoSides, dict[str, Any]], None]:
    def edit(sides: TwoSides, who: dict[str, Any]) -> None:
        sides.sim.edit_contact(who["number"], **values)

    return edit


def appear(sides: TwoSides, who: dict[str, Any]) -> None:
    sides.add_contact(
        email=who["email"],
        first_name="Ewa",
        last_name="Nowa",
        phone_number="+48 600 100 200",
        city="Łódź",
    )


def edit_both(sides: TwoSides, who: dict[str, Any]) -> None:
    sides.sim.edit_contact(who["number"], last_name="Tam")
    writing(city="Łódź")(sides, who)


SAVED = {"name": "ewa nowa", "phone": "48600100200", "city": "łódź"}
DEEDS = {
    "create": Deed(a_new_address, create, SAVED),
    "edit": Deed(a_linked_contact, writing(city="Łódź", name="Ewa Nowa"), {"name": "ewa nowa"}),
    "withdraw": Deed(one_that_agreed, writing(usercom_email_consent="withdrawn"), {"yes": False}),
    "agree": Deed(a_linked_contact, writing(usercom_email_consent="given"), {"yes": True}),
    "appear there": Deed(a_new_address, appear, SAVED),
    "edit there": Deed(a_linked_contact, editing(city="Łódź"), {"city": "łódź"}),
    "withdraw there": Deed(
        one_that_agreed, editing(attributes={"email_consent": False}), {"yes": False}
    ),
    "edit both": Deed(a_linked_contact, edit_both, {"name": "jan tam", "city": "łódź"}),
}

#: Points after which no scheduled action is told that there is work: it waits for its next run.
UNANNOUNCED = ("wake.push.begin", "wake.pull.begin")

PUSH = (
    "push.plan.end",  # not committed yet
    "push.look_up.begin",  # the plan is committed
    "push.bind.end",  # the new User ID is not committed yet
    "push.send.begin",  # it is
    "push.send.end",  # answered, nothing recorded
    "push.record.end",  # recorded, not committed
    "push.process.end",  # committed
)
PULL = (
    "pull.plan.end",  # not committed yet
    "pull.read.end",
    "pull.record.end",  # not committed yet
    "pull.process.end",
)
KILLS = [
    ("create", "wake.push.begin"),  # the save is committed, nobody knows of it
    *(("create", point) for point in PUSH),
    ("edit", "push.send.end"),
    ("edit", "push.record.end"),
    ("withdraw", "push.send.end"),
    ("agree", "push.write.begin"),  # between the fresh read and the write
    ("appear there", "wake.pull.begin"),  # the ping is stored, nobody knows of it
    *(("appear there", point) for point in PULL),
    ("edit there", "pull.record.end"),
    ("withdraw there", "pull.record.end"),
    ("edit both", "push.send.end"),
    ("edit both", "pull.record.end"),
]


@pytest.mark.parametrize(("deed", "point"), KILLS, ids=[f"{d}-{p}" for d, p in KILLS])
def test_killed_at(killer: Killer, deed: str, point: str) -> None:
    sides, what = killer.sides, DEEDS[deed]
    who = what.prepare(sides)
    before = len(sides.sim.contacts())
    sides.sim.reset_calls()
    killer.arm(point)
    what.do(sides, who)
    killer.wait_killed()
    if point in UNANNOUNCED:
        sides.pass_interval()
    sides.restart_odoo()
    check_settled(sides, who, what.outcome)
    created = 1 if what.prepare is a_new_address else 0
    assert len(sides.sim.contacts()) == before + created
    assert len(sides.writes()) <= 3
    sides.expect_silence(0.3)


@pytest.mark.parametrize(
    ("deed", "effect"),
    [
        ("create", "none"),
        ("create", "late"),
        ("create", "done"),
        ("edit", "late"),
        ("agree", "done"),
    ],
)
def test_killed_while_the_call_is_in_flight(killer: Killer, deed: str, effect: str) -> None:
    """User.com never hears of the call, takes it late, or has done it and cannot say so."""
    sides, what = killer.sides, DEEDS[deed]
    who = what.prepare(sides)
    before = len(sides.sim.contacts())
    sides.sim.reset_calls()
    method = "POST" if deed == "create" else "PUT"
    sides.sim.fault("hold", method=method, commit=effect == "done")
    what.do(sides, who)
    sides.sim.wait_held()
    sides.server.kill()
    if effect != "late":
        sides.sim.release(go_on=False)
    sides.restart_odoo()
    check_settled(sides, who, what.outcome)
    if effect == "late":
        sides.sim.release()
        sides.sim.wait_webhooks()
        check_settled(sides, who, what.outcome)
    assert len(sides.sim.contacts()) == before + (deed == "create")
    sides.expect_silence(0.3)


def test_killed_during_the_read(killer: Killer) -> None:
    sides, what = killer.sides, DEEDS["appear there"]
    who = what.prepare(sides)
    before = len(sides.sim.contacts())
    sides.sim.fault("hold", method="GET")
    what.do(sides, who)
    sides.sim.wait_held()
    sides.server.kill()
    sides.sim.release(go_on=False)
    sides.restart_odoo()
    check_settled(sides, who, what.outcome)
    assert len(sides.sim.contacts()) == before + 1


def test_killed_during_a_save(killer: Killer) -> None:
    """What was not saved has not happened on either side; saved again, it happens once."""
    sides = killer.sides
    who = a_new_address(sides)
    before = len(sides.sim.contacts())
    killer.arm("save.rows.end")  # the last thing before the commit
    create(sides, who)
    killer.wait_killed()
    sides.pass_interval()
    sides.restart_odoo()
    sides.notify()
    assert not sides.partners(who["email"])
    assert not sides.queues()
    assert len(sides.sim.contacts()) == before
    create(sides, who)
    check_settled(sides, who, SAVED)
    assert len(sides.sim.contacts()) == before + 1


def test_killed_while_user_com_calls(killer: Killer) -> None:
    """A call that was not answered is made again by User.com, and then acted upon."""
    sides = killer.sides
    who = a_new_address(sides)
    sides.set_webhook(retries=100, retry_wait=0.2)
    killer.arm("webhook.end")  # before the commit and the answer
    appear(sides, who)
    killer.wait_killed()
    sides.restart_odoo()
    check_settled(sides, who, SAVED)


@pytest.mark.parametrize(("point", "times"), [("push.look_up.end", 7), ("push.send.end", 12)])
def test_killed_amid_many(killer: Killer, point: str, times: int) -> None:
    """Some of a batch have been sent, some have not: each is there once in the end."""
    sides = killer.sides
    people = [{"name": f"Person {i}", "email": sides.address("many")} for i in range(25)]
    before = len(sides.sim.contacts())
    killer.arm(point, times)
    sides.call_that_may_die("res.partner", "create", people)
    killer.wait_killed()
    sides.restart_odoo()
    wait_settled(sides, *(found["id"] for one in people for found in sides.partners(one["email"])))
    assert len(sides.sim.contacts()) == before + len(people)
    assert [len(sides.sim.contacts(email=one["email"])) for one in people] == [1] * len(people)


@pytest.mark.expected_log(r"Job 'User.com: push' .* timed out")
def test_killed_again_and_again(killer: Killer) -> None:
    """Odoo dies three times at one contact, and so leaves the action to its next regular run."""
    sides = killer.sides
    who = a_new_address(sides)
    before = len(sides.sim.contacts())
    for point in ("push.bind.end", "push.send.end", "push.record.end"):
        killer.arm(point)
        if point == "push.bind.end":
            create(sides, who)
        else:
            sides.restart_odoo()
            nudge_until(sides, lambda: sides.server.process.poll() is not None)
        killer.wait_killed()
    sides.restart_odoo()
    nudge_until(sides, lambda: "timed out" in sides.log_text())
    sides.pass_interval()
    check_settled(sides, who, SAVED)
    assert len(sides.sim.contacts()) == before + 1


def test_the_person_comes_to_user_com_while_odoo_is_dead(killer: Killer) -> None:
    """Odoo was about to create the contact; when it is back, it looks before it does."""
    sides = killer.sides
    who = a_new_address(sides)
    before = len(sides.sim.contacts())
    killer.arm("push.send.begin")
    create(sides, who)
    killer.wait_killed()
    sides.sim.add_contact(email=who["email"], status="user")
    sides.restart_odoo()
    check_settled(sides, who, SAVED)
    assert len(sides.sim.contacts()) == before + 1


def test_the_log_is_discreet(sides: TwoSides) -> None:
    """No secret and nobody's address, whatever the tests before have done."""
    sides.expect_discreet_log()


def check_settled(sides: TwoSides, who: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Check that the contact is on both sides once, alike, and as it was wanted."""
    nudge_until(sides, lambda: sides.partners(who["email"]))
    [partner] = sides.partners(who["email"])
    wait_settled(sides, partner["id"])
    found = {
        "name": partner_text(sides, partner["id"], "name"),
        "city": partner_text(sides, partner["id"], "city"),
        "phone": "".join(filter(str.isdigit, sides.partner(partner["id"])["phone"] or "")),
        "yes": {"given": True, "withdrawn": False}.get(str(sides.consent(partner["id"]))),
    }
    assert {name: found[name] for name in outcome} == outcome


def partner_text(sides: TwoSides, partner_id: int, name: str) -> str:
    return (sides.partner(partner_id)[name] or "").casefold()


def wait_settled(sides: TwoSides, *partner_ids: int) -> None:
    """Wait until these contacts are in step and nothing is left to do.

    A webhook call that Odoo took in its last moment may have left a row that nobody was told of;
    such rows are worked off by the regular run.
    """
    assert partner_ids

    def explain() -> str:
        return f"{[sides.differences(one) for one in partner_ids]}, queues {sides.queues()}"

    nudge_until(sides, lambda: not any(map(sides.differences, partner_ids)), explain)
    sides.pass_interval()
    nudge_until(
        sides, lambda: not sides.queues() and not any(map(sides.differences, partner_ids)), explain
    )


def nudge_until(
    sides: TwoSides, condition: Callable[[], Any], explain: Callable[[], str] = str
) -> None:
    """Wait for something, with Odoo's workers looking for work more often than each minute."""
    last = 0.0

    def nudged() -> Any:
        nonlocal last
        if time.monotonic() - last > 0.5:
            sides.notify()
            last = time.monotonic()
        return condition()

    sides.wait(nudged, 15, explain)

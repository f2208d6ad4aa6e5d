"""A contact and a consent travel both ways, between real processes, within seconds.

Odoo runs as one process with its scheduled actions, and again as several (``--workers``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.conftest import WITHIN, measured
from tests.support.two_sides import TwoSides

SWITCHES: list[dict[str, Any]] = [
    {},
    {"normalise": True},
    {"normalise": True, "phone_format": "digits", "flatten_v2": False},
    {"flatten_v2": False, "array_values": True, "many_none": "404"},
    {"upsert_foreign_email": "owner", "search_ignores_case": True, "with_names": True},
    {"upsert_foreign_email": "refuse", "null_lists": True},
]


#: For what several processes make no difference to.
in_one_process = pytest.mark.parametrize("running_sides", ["threads"], indirect=True)


def named(switches: dict[str, Any]) -> str:
    """Return the name of a set of switches."""
    return "-".join(f"{name}={value}" for name, value in switches.items()) or "default"


@contextmanager
def timed(
    what: str, arrived: Callable[[], Any], explain: Callable[[], str] = str
) -> Iterator[None]:
    """Measure from before the edit in the block until it has arrived."""
    started = time.monotonic()
    yield
    TwoSides.wait(arrived, 2 * WITHIN, explain)
    measured(what, time.monotonic() - started)


@in_one_process
@pytest.mark.parametrize("switches", SWITCHES, ids=named)
def test_a_contact_and_its_consent_travel_both_ways(
    sides: TwoSides, switches: dict[str, Any]
) -> None:
    sides.sim.switch(**switches)
    travel_both_ways(sides)


@pytest.mark.parametrize("running_sides", ["workers"], indirect=True)
@pytest.mark.parametrize("switches", SWITCHES[:3:2], ids=named)
def test_they_travel_between_several_processes(sides: TwoSides, switches: dict[str, Any]) -> None:
    sides.sim.switch(**switches)
    travel_both_ways(sides)


def travel_both_ways(sides: TwoSides) -> None:
    """Do on each side what people do, and measure how long it takes to the other."""
    [poland] = sides.call("res.country", "search", [["code", "=", "PL"]])

    # Made in Odoo.
    email = sides.address("Anna.Kowalska")
    ids: list[int] = []
    with timed(
        "new in Odoo",
        lambda: any(
            c["email"].lower() == email.lower() for c in sides.sim.contacts() if c["email"]
        ),
    ):
        ids.append(
            sides.add_partner(
                "Anna  Maria Kowalska",
                email=email,
                phone="+48 600 100 200",
                city="Łódź",
                country_id=poland,
            )
        )
    [ours] = ids
    sides.wait_in_step(ours)

    # Made in User.com.
    there = None
    address = sides.address("jan.nowak")
    with timed("new in User.com", lambda: sides.partners(address)):
        there = sides.add_contact(
            email=address,
            first_name="Jan",
            last_name="Nowak",
            phone_number="+48 600 300 400",
            city="Gdańsk",
            country="Poland",
            attributes={"email_consent": True},
        )
    [partner] = sides.partners(address)
    theirs = partner["id"]
    sides.wait_in_step(theirs)
    assert (partner["name"], partner["city"]) == ("Jan Nowak", "Gdańsk")
    assert sides.consent(theirs) == "given"

    # Edited in Odoo, edited in User.com: both contacts, whichever side they came from.
    for partner_id in (ours, theirs):
        number = int(sides.binding(partner_id)["usercom_id"])
        with timed("edit in Odoo", lambda n=number: sides.sim.contact(n)["city"] == "Sopot"):
            sides.edit_partner(partner_id, city="Sopot", name="Maria Nowakowska")
        sides.wait_in_step(partner_id)
        with timed(
            "edit in User.com", lambda p=partner_id: sides.partner(p)["city"] == "Zielona Góra"
        ):
            sides.sim.edit_contact(
                number, city="Zielona Góra", phone_number="+48 601 202 303", last_name="Zielińska"
            )
        sides.wait_in_step(partner_id)
        assert sides.partner(partner_id)["name"] == "Maria Zielińska"
        assert sides.partner(partner_id)["phone"] == "+48601202303"

    # Consent given in Odoo, withdrawn in User.com; given in User.com, withdrawn in Odoo.
    number = int(sides.binding(ours)["usercom_id"])
    with timed(
        "consent from Odoo",
        lambda: sides.sim.contact(number)["attributes"].get("email_consent") is True,
    ):
        sides.edit_partner(ours, usercom_email_consent="given")
    sides.wait_in_step(ours)
    with timed("withdrawal from User.com", lambda: sides.consent(ours) == "withdrawn"):
        sides.sim.edit_contact(number, attributes={"email_consent": False})
    with timed(
        "withdrawal from Odoo",
        lambda: sides.sim.contact(there["id"])["attributes"]["email_consent"] is False,
    ):
        sides.edit_partner(theirs, usercom_email_consent="withdrawn")

    # Both in step, each once, and an echo is the end of it.
    sides.wait_in_step(ours, theirs)
    sides.expect_silence(2)
    assert sides.consent(ours) == sides.consent(theirs) == "withdrawn"


@in_one_process
def test_every_call_is_worth_making(sides: TwoSides) -> None:
    """Count the calls of one contact's life: one write for each edit, none for an echo."""
    partner_id = sides.add_partner()
    sides.wait_in_step(partner_id)
    sides.expect_silence(1)
    assert len(sides.writes()) == 1
    sides.edit_partner(partner_id, city="Sopot")
    sides.wait_in_step(partner_id)
    sides.edit_partner(partner_id, comment="not mapped")
    sides.edit_partner(partner_id, city="Sopot")
    sides.expect_silence(1)
    assert len(sides.writes()) == 2
    there = sides.there(partner_id)
    sides.sim.edit_contact(there["id"], city="Reda")
    sides.wait_in_step(partner_id)
    sides.sim.page_view(there["id"])
    sides.expect_silence(1)
    assert len(sides.writes()) == 2


@in_one_process
def test_the_webhook_overtakes_the_answer(sides: TwoSides) -> None:
    """User.com calls about a contact that we are only creating."""
    sides.sim.fault("hold", method="POST", commit=True)
    partner_id = sides.add_partner()
    sides.sim.wait_held()
    sides.sim.wait_webhooks()
    # It may be the echo of the creation: it waits for the answer, which costs no read.
    sides.wait(lambda: sides.query("SELECT id FROM usercom_ping WHERE problem_code = 'busy'"))
    sides.sim.release()
    sides.wait_in_step(partner_id)
    sides.expect_silence(1)


@in_one_process
@pytest.mark.parametrize(
    "webhook",
    [
        {"encoding": "form"},
        {"exclude_user": True, "extra": {"id": "{{ user.id }}"}},
        {"duplicate": True, "booleans": "True"},
        {"out_of_order": True},
    ],
    ids=named,
)
def test_webhooks_of_all_kinds(sides: TwoSides, webhook: dict[str, Any]) -> None:
    sides.set_webhook(**webhook)
    with timed("new in User.com", lambda: sides.partners(there["email"])):
        there = sides.add_contact()
    [partner] = sides.partners(there["email"])
    with timed("edit in User.com", lambda: sides.partner(partner["id"])["city"] == "Hel"):
        sides.sim.edit_contact(there["id"], city="Reda")
        sides.sim.edit_contact(there["id"], city="Hel")
    sides.wait_in_step(partner["id"])
    sides.expect_silence(1)


def test_many_at_once(sides: TwoSides) -> None:
    """People save and User.com calls, all at the same time: each contact is there once."""
    started = time.monotonic()
    values = [{"name": f"Person {i}", "email": sides.address("batch")} for i in range(60)]
    ids = sides.call("res.partner", "create", values)
    new = [sides.add_contact(first_name=f"Lead{i}") for i in range(30)]
    for partner_id in ids[::3]:
        sides.edit_partner(partner_id, city="Tczew")
    sides.wait(lambda: not sides.queues(), 30, lambda: str(sides.queues()))
    sides.sim.wait_webhooks()
    ids += [sides.partners(contact["email"])[0]["id"] for contact in new]
    sides.wait_in_step(*ids, timeout=30)
    print(f"90 contacts in step after {time.monotonic() - started:.1f} s")
    sides.expect_silence(1)


def test_the_log_is_discreet(sides: TwoSides) -> None:
    """Looked at last: no secret and nobody's address, whatever the tests before have done."""
    sides.expect_discreet_log()

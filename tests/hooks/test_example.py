"""What the example addon does by each hook (tests/addons/usercom_connector_test_hooks)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hooks.conftest import EXAMPLE
from tests.support.two_sides import TwoSides


def messages(sides: TwoSides, partner_id: int) -> str:
    """Return the contact's history."""
    rows = sides.query(
        "SELECT body FROM mail_message WHERE model = 'res.partner' AND res_id = %s", partner_id
    )
    return "\n".join(body or "" for (body,) in rows)


def parked(sides: TwoSides, table: str) -> list[tuple[Any, ...]]:
    """Return what waits for a person."""
    return sides.query(
        f"SELECT problem_code, problem_args, trace FROM {table} WHERE due_at IS NULL"
    )


def test_it_is_installed(sides: TwoSides) -> None:
    rows = sides.query("SELECT state FROM ir_module_module WHERE name = %s", EXAMPLE)
    assert rows == [("installed",)]


def test_who_does_not_take_part_is_not_sent(sides: TwoSides) -> None:
    outsider = sides.add_partner(ref="TEST")
    sides.make_linked()
    sides.wait(lambda: not sides.queues())
    assert sides.binding(outsider) is None


def test_who_does_not_take_part_any_more_is_left_alone(sides: TwoSides) -> None:
    partner_id = sides.make_linked(city="Hel")
    sides.edit_partner(partner_id, ref="TEST", city="Gdynia")
    sides.wait(lambda: not sides.queues())
    there = sides.there(partner_id)
    assert there and there["city"] == "HEL"
    sides.sim.edit_contact(there["id"], city="Sopot")
    sides.make_linked()
    sides.wait(lambda: not sides.queues())
    assert sides.partner(partner_id)["city"] == "Gdynia"


def test_who_does_not_take_part_is_nobody_that_comes_in(sides: TwoSides) -> None:
    email = sides.address("outsider")
    sides.add_partner(ref="TEST", email=email)
    sides.add_contact(email=email)
    sides.wait(lambda: parked(sides, "usercom_ping"))
    [(code, _args, _trace)] = parked(sides, "usercom_ping")
    assert code == "not_taking_part"


def test_more_goes_along(sides: TwoSides) -> None:
    partner_id = sides.make_linked(ref="1234", city="Gdynia")
    there = sides.there(partner_id)
    assert there and there["attributes"]["customer_number"] == 1234
    assert (there["city"], sides.partner(partner_id)["city"]) == ("GDYNIA", "Gdynia")
    sides.expect_silence(1)


def test_less_goes_along_and_is_made_up_for_later(sides: TwoSides) -> None:
    partner_id = sides.add_partner(ref="NO CALLS", phone="+48600100200")
    sides.wait(lambda: not sides.queues())
    there = sides.there(partner_id)
    assert there and there["phone_number"] is None
    sides.edit_partner(partner_id, ref=False, city="Hel")
    sides.wait_in_step(partner_id)


def test_pushes_are_told_of(sides: TwoSides) -> None:
    partner_id = sides.make_linked(city="Hel")
    assert "Sent: city, email, name" in messages(sides, partner_id)


def test_pushes_of_the_same_to_many_are_told_of_each(sides: TwoSides) -> None:
    partner_ids = [sides.add_partner() for _number in range(5)]
    sides.wait_in_step(*partner_ids)
    sides.sim.reset_calls()
    sides.call("res.partner", "write", partner_ids, {"city": "Hel"})
    sides.wait(lambda: not sides.queues() and sides.writes())
    sides.wait_in_step(*partner_ids)
    assert len(sides.writes()) < len(partner_ids)
    for partner_id in partner_ids:
        assert "Sent: city" in messages(sides, partner_id)


def test_what_comes_in_is_changed_before(sides: TwoSides) -> None:
    partner_id = sides.make_linked(name="Jan Testowy")
    there = sides.there(partner_id)
    assert there
    sides.sim.edit_contact(there["id"], city="GDYNIA", first_name="Johann")
    sides.wait(lambda: sides.partner(partner_id)["city"])
    assert sides.partner(partner_id)["city"] == "Gdynia"
    assert sides.partner(partner_id)["name"] == "Jan Testowy"
    sides.sim.reset_calls()
    sides.expect_silence(1)
    assert f"Read {there['id']}: city" in messages(sides, partner_id)


def test_who_is_created_is_told_of(sides: TwoSides) -> None:
    there = sides.add_contact(city="SOPOT")
    sides.wait(lambda: sides.partners(there["email"]))
    [partner] = sides.partners(there["email"])
    assert partner["city"] == "Sopot"
    assert f"Read {there['id']}: city" in messages(sides, partner["id"])


@pytest.mark.expected_log("stopped by an unexpected ValueError")
def test_an_exception_on_the_way_out_stops_one(sides: TwoSides) -> None:
    bad = sides.add_partner(ref="no number")
    sides.wait(lambda: parked(sides, "usercom_change"))
    [(code, args, trace)] = parked(sides, "usercom_change")
    assert (code, args) == ("unexpected", {"error": "ValueError"})
    assert 'body["customer_number"] = int(self.ref)' in trace
    others = [sides.add_partner(), sides.add_partner()]
    sides.wait(lambda: not any(map(sides.differences, others)))
    # Mended, it goes with the next edit.
    sides.edit_partner(bad, ref="77", city="Hel")
    sides.wait_in_step(bad, *others)


@pytest.mark.expected_log("stopped by an unexpected ValueError")
def test_an_exception_on_the_way_in_stops_one(sides: TwoSides) -> None:
    people = [sides.add_contact(city=city) for city in ("HEL", "ATLANTIS", "SOPOT")]
    sides.wait(lambda: parked(sides, "usercom_ping"))
    [(code, _args, trace)] = parked(sides, "usercom_ping")
    assert code == "unexpected"
    assert "There is no such place." in trace
    for number in (0, 2):
        email = people[number]["email"]
        sides.wait(lambda email=email: sides.partners(email))
    assert not sides.partners(people[1]["email"])


def test_a_converter_of_its_own_both_ways(sides: TwoSides) -> None:
    sides.sim.add_attribute("shop_zip", "integer")
    sides.call_account("action_refresh_attributes")
    rows = sides.query("SELECT id FROM usercom_attribute WHERE name_std = 'shop_zip'")
    line = {"account_id": sides.account_id, "odoo_field": "zip", "attribute_id": rows[0][0]}
    line_id = sides.call("usercom.mapping", "create", [line])
    try:
        partner_id = sides.make_linked(zip="04-321")
        there = sides.there(partner_id)
        assert there and there["attributes"]["shop_zip"] == 4321
        sides.sim.edit_contact(there["id"], attributes={"shop_zip": 80331})
        where = "SELECT zip FROM res_partner WHERE id = %s"
        sides.wait(lambda: sides.query(where, partner_id) == [("80-331",)])
        sides.edit_partner(partner_id, zip="W1A 1AA")
        notices = "SELECT notices FROM usercom_binding WHERE partner_id = %s"
        sides.wait(lambda: sides.query(notices, partner_id)[0][0])
        [partner] = sides.call("res.partner", "read", [partner_id], ["usercom_problem"])
        assert partner["usercom_problem"] == "W1A 1AA is no Polish postal code, so it stays here."
        there = sides.there(partner_id)
        assert there and there["attributes"]["shop_zip"] == 80331
    finally:
        sides.call("usercom.mapping", "unlink", line_id)

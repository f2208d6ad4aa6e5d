"""User.com's calls get lost, and Odoo dies amid a list: poll and survey make good for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import Killer
from tests.faults.test_kills import nudge_until, wait_settled
from tests.support.two_sides import TwoSides


@pytest.fixture
def deaf(killer: Killer) -> Iterator[Killer]:
    """User.com calls nobody, and its pages are short."""
    killer.sides.sim.remove_webhook()
    killer.sides.sim.switch(page_size=2)
    yield killer
    killer.sides.sim.switch(page_size=100)


def poll_now(sides: TwoSides) -> None:
    """Let the time pass until the next poll."""
    sides.query(
        "UPDATE usercom_stream SET due_at = now() AT TIME ZONE 'UTC' WHERE direction = 'poll'"
    )
    sides.pass_waiting()


def edited_there(sides: TwoSides, count: int, city: str) -> list[int]:
    """Return contacts that are in step but for an edit in User.com that nobody was told of."""
    people = [{"name": f"Person {i}", "email": sides.address("list")} for i in range(count)]
    partner_ids: list[int] = sides.call("res.partner", "create", people)
    sides.wait_in_step(*partner_ids)
    for partner_id in partner_ids:
        contact = sides.there(partner_id)
        assert contact
        sides.sim.edit_contact(contact["id"], city=city)
    return partner_ids


def cities(sides: TwoSides, partner_ids: list[int]) -> set[str | None]:
    return {sides.partner(partner_id)["city"] for partner_id in partner_ids}


@pytest.mark.parametrize("point", ["list.record.begin", "list.record.end", "list.page.end"])
def test_killed_amid_a_poll(deaf: Killer, point: str) -> None:
    sides = deaf.sides
    partner_ids = edited_there(sides, 5, "Gdynia")
    deaf.arm(point, 2)
    poll_now(sides)
    deaf.wait_killed()
    sides.restart_odoo()
    nudge_until(sides, lambda: cities(sides, partner_ids) == {"Gdynia"})
    wait_settled(sides, *partner_ids)


def test_polled_while_user_com_is_down(deaf: Killer) -> None:
    sides = deaf.sides
    partner_ids = edited_there(sides, 3, "Sopot")
    sides.process.stop()
    poll_now(sides)
    sides.wait(
        lambda: sides.query(
            "SELECT id FROM usercom_stream WHERE direction = 'poll' AND rest_until IS NOT NULL"
        )
    )
    sides.process.start()
    sides.pass_waiting()
    nudge_until(sides, lambda: cities(sides, partner_ids) == {"Sopot"})
    wait_settled(sides, *partner_ids)


@pytest.mark.parametrize("point", ["list.record.end", "push.bind.end", "push.send.end"])
def test_killed_amid_an_export(deaf: Killer, point: str) -> None:
    """Some are there already, some are not: each is there once in the end."""
    sides = deaf.sides
    sides.query("UPDATE usercom_account SET create_in_usercom = FALSE")
    people = [{"name": f"Person {i}", "email": sides.address("export")} for i in range(6)]
    partner_ids: list[int] = sides.call("res.partner", "create", people)
    nudge_until(sides, lambda: not sides.queues())
    for one in people[:2]:
        sides.add_contact(email=one["email"])
    before = len(sides.sim.contacts())
    values = {"account_id": sides.account_id, "side": "usercom", "include_existing": True}
    wizard = sides.call("usercom.creation", "create", [values])
    deaf.arm(point, 1 if point == "push.bind.end" else 2)
    sides.call_that_may_die("usercom.creation", "action_switch_on", wizard)
    deaf.wait_killed()
    sides.restart_odoo()
    nudge_until(sides, lambda: all(map(sides.there, partner_ids)))
    wait_settled(sides, *partner_ids)
    assert [len(sides.sim.contacts(email=one["email"])) for one in people] == [1] * len(people)
    assert len(sides.sim.contacts()) == before + 4

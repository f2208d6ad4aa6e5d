"""How fast edits in User.com get into Odoo, beside batched ORM writes of the same fields."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable

import odoo.fields
import requests
from _tooling.say import say

from .blocks import Compared, compare, timed
from .figures import Outcome
from .world import CommonWay, ConnectedOdoo, World, in_turn

PAIRS = 6
EDITED = 300
COMMON_EDITED = 100
#: The ORM's side commits after so many where the addon does not say how many it takes.
BATCH = 10


class Sides:
    """The same contacts, edited once in User.com and once in Odoo."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ours: ConnectedOdoo = world.odoo()
        size = world.size(EDITED)
        self.partners = self.ours.make_linked(world.take_numbers(size))
        self.usercom_ids = self.ours.usercom_ids
        self.ours.tidy()
        self.turn = 0
        queue = importlib.import_module("odoo.addons.usercom_connector.models.usercom_queue")
        self.batch = getattr(queue, "RECORDED_TOGETHER", BATCH)

    def values(self, number: int) -> dict[str, str]:
        """Return new values of one contact, as Odoo would write them."""
        return {
            "name": f"Ola {number} {self.turn}",
            "phone": f"+48 60{self.turn % 10} {number % 1000:03} {number // 1000 % 1000:03}",
            "city": f"Hel {number} {self.turn}",
        }

    def edit_there(self) -> None:
        """Edit all contacts in User.com."""
        self.turn += 1
        for number in self.usercom_ids:
            values = self.values(number)
            first, _space, last = values["name"].partition(" ")
            self.world.sim.edit_contact(
                number,
                first_name=first,
                last_name=last,
                phone_number=values["phone"].replace(" ", ""),
                city=values["city"],
            )

    def by_pings(self) -> float:
        """Take in what was edited, contact by contact, from rows that the webhook made."""
        with self.ours.listening():
            self.edit_there()
            self.ours.wait_webhooks()
            self.world.sim.reset_deliveries()
        seconds = timed(lambda: self.ours.drain("usercom.ping"), len(self.partners))
        self._check()
        return seconds

    def by_poll(self) -> float:
        """Take in what was edited, page by page of User.com's list of changed contacts."""
        self.edit_there()
        seconds = timed(lambda: poll(self.ours), len(self.partners))
        self._check()
        return seconds

    def by_orm(self) -> float:
        """Write the same fields of the same contacts by the ORM, with a commit for each batch."""
        self.turn += 1

        def write() -> None:
            pairs = list(zip(self.partners, self.usercom_ids, strict=True))
            with self.ours.env() as env:
                for some in in_turn(pairs, self.batch):
                    # One recordset, so that what a write needs is read for all of them at once.
                    partners = env["res.partner"].browse([partner_id for partner_id, _n in some])
                    for partner, (_id, number) in zip(partners, some, strict=True):
                        partner.write(self.values(number))
                    env.cr.commit()

        seconds = timed(write, len(self.partners))
        # So that both sides agree again, and the next edit over there is the only one.
        self.ours.drain("usercom.change")
        return seconds

    def _check(self) -> None:
        with self.ours.env() as env:
            cities = env["res.partner"].browse(self.partners).mapped("city")
        wanted = [self.values(number)["city"] for number in self.usercom_ids]
        if cities != wanted:
            wrong = sum(one != other for one, other in zip(cities, wanted, strict=True))
            raise RuntimeError(f"{wrong} contacts did not come in; parked: {self.ours.parked()}")
        self.ours.drain("usercom.change")


def poll(ours: ConnectedOdoo) -> None:
    """Have the addon read what changed since the last time, and take that in."""
    with ours.env() as env:
        stream = env["usercom.stream"]._of(env["usercom.account"].browse(ours.account_id), "poll")
        stream.due_at = odoo.fields.Datetime.now()
    while ours.query(
        "SELECT 1 FROM usercom_stream WHERE direction = 'poll' AND due_at IS NOT NULL"
    ):
        ours.pull()
    ours.drain("usercom.ping")


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    say("pull: linking contacts")
    sides = Sides(world)
    say("pull: what a process does only once in its life")
    sides.by_pings()
    sides.by_orm()
    pings = _share(sides, "by pings", sides.by_pings)
    outcome.lines.append(f"by pings of the webhook: {_told(pings)}")
    sides.by_poll()
    polled = _share(sides, "by the poll", sides.by_poll)
    outcome.lines.append(f"by pages of the poll: {_told(polled)}")
    outcome.put("of_orm", polled.ratio, f"{1 / polled.b:.0f} a second; {polled.remark()}")
    common = _common_way(world, sides)
    outcome.lines.append(f"common way, within the webhook's request: {common:.0f} a second")
    return outcome


def _share(sides: Sides, how: str, ours: Callable[[], float]) -> Compared:
    say(f"pull: {PAIRS} pairs {how}")
    # Time of the ORM over ours is our rate over the ORM's.
    return compare(sides.by_orm, ours, PAIRS, control=ours)


def _told(found: Compared) -> str:
    return (
        f"{1 / found.b:.0f} contacts a second, the ORM {1 / found.a:.0f}; "
        f"share {found.ratio:.3f}; {found.remark()}"
    )


def _common_way(world: World, sides: Sides) -> float:
    """Return how many contacts a second the baseline takes in: a request each, one by one."""
    common: CommonWay = world.common_way()
    size = world.size(COMMON_EDITED, at_least=5)
    numbers = world.take_numbers(size)
    common.make_partners(numbers)
    sides.turn += 1
    bodies = [{**sides.values(number), "email": f"p{number}@people.example"} for number in numbers]
    with common.listening() as address, requests.Session() as session:
        began = time.perf_counter()
        for body in bodies:
            user = {**body, "phone_number": body["phone"], "country": "Poland"}
            answer = session.post(address, data=json.dumps({"user": user}), timeout=60)
            answer.raise_for_status()
        seconds = time.perf_counter() - began
    return size / seconds

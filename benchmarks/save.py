"""What the capture adds to a user's save: the same writes in a database with the addon, and in
one that has only the modules it depends on."""

from __future__ import annotations

from _tooling.say import say

from .blocks import Compared, compare, timed
from .figures import Outcome
from .world import Odoo, World

ADMIN = 2
CONTACTS = 100
PAIRS = 200
#: Saves in a block; each is a transaction of its own, from an empty cache to its commit.
SAVES = 5
UNMAPPED, MAPPED = "function", "city"


class Saves:
    """Saves of the same kind in one database, no two alike."""

    def __init__(self, side: Odoo, partners: list[int]) -> None:
        self.side = side
        self.partners = partners
        self.turn = 0

    def save(self, field: str) -> None:
        """Save one contact as a user does."""
        self.turn += 1
        partner_id = self.partners[self.turn % len(self.partners)]
        with self.side.env(ADMIN) as env:
            env["res.partner"].browse(partner_id).write({field: f"Value {self.turn}"})

    def block(self, field: str) -> float:
        """Save some contacts one by one; seconds for each."""

        def work() -> None:
            for _ in range(SAVES):
                self.save(field)

        return timed(work, SAVES)

    def save_many(self, field: str) -> float:
        """Save all contacts at once."""
        self.turn += 1

        def work() -> None:
            with self.side.env(ADMIN) as env:
                env["res.partner"].browse(self.partners).write({field: f"Value {self.turn}"})

        return timed(work, len(self.partners))

    def queries(self, field: str, count: int) -> int:
        """Return the number of queries of a save with its commit, in its own connection."""
        self.turn += 1
        with self.side.env(ADMIN) as env:
            partners = env["res.partner"].browse(self.partners[:count])
            before = env.cr.sql_log_count
            partners.write({field: f"Value {self.turn}"})
            env.cr.flush()
            return int(env.cr.sql_log_count - before)


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    say("save: linking contacts")
    ours = world.odoo()
    size = world.size(CONTACTS)
    numbers = world.take_numbers(size)
    saves = Saves(ours, ours.make_linked(numbers))
    plain, control = (_without(world, numbers) for _ in range(2))
    sides = (saves, plain, control)
    for side in sides:
        side.side.tidy()
        for field in (UNMAPPED, MAPPED):
            side.block(field)
            side.save_many(field)
    pairs = world.size(PAIRS, at_least=2)
    for key, field in (("unmapped", UNMAPPED), ("mapped", MAPPED)):
        say(f"save: {pairs} pairs of {SAVES} saves of {field}")
        found = compare(
            lambda field=field: saves.block(field),
            lambda field=field: plain.block(field),
            pairs,
            control=lambda field=field: control.block(field),
        )
        outcome.put(key, found.ratio, f"{_told(found)}; {found.remark()}")
        many = compare(
            lambda field=field: saves.save_many(field),
            lambda field=field: plain.save_many(field),
            max(pairs // 20, 2),
            control=lambda field=field: control.save_many(field),
        )
        outcome.lines.append(
            f"{key}, {size} contacts in one write: {many.ratio:.3f} times; {many.remark()}"
        )
        ours.empty_queues()
    added = saves.queries(UNMAPPED, 1) - plain.queries(UNMAPPED, 1)
    outcome.put("queries_unmapped", added)
    with_addon, without = saves.queries(MAPPED, size), plain.queries(MAPPED, size)
    outcome.put("queries_mapped", with_addon - without, f"{with_addon} instead of {without}")
    outcome.lines.append("without: a database that never had the addon, in the same process")
    return outcome


def _without(world: World, numbers: range) -> Saves:
    side = world.odoo_without()
    return Saves(side, side.make_partners(numbers))


def _told(found: Compared) -> str:
    return f"{found.a * 1000:.2f} ms instead of {found.b * 1000:.2f}"

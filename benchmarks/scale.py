"""Whether it gets dearer with the number of contacts, and whether the process grows."""

from __future__ import annotations

import json
import sys

from _tooling import processes
from _tooling.say import say

from .blocks import compare, timed
from .figures import Outcome
from .world import ConnectedOdoo, World

MANY, FEW = 200_000, 5_000
#: So many of all contacts are linked.
LINKED_SHARE = 0.5
PAIRS = 6
PUSHED = 200
DRAINED_FIRST, DRAINED_THEN = 2_000, 20_000


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    many, few = world.size(MANY, at_least=100), world.size(FEW)
    pushed = min(world.size(PUSHED), round(few * LINKED_SHARE))
    blocks = [Pushes(world, size, pushed) for size in (many, few, few)]
    for side in blocks:
        side.block()
    say(f"scale: {PAIRS} pairs of {pushed} pushes among {many} and among {few} contacts")
    big, small, control = blocks
    found = compare(big.block, small.block, PAIRS, control=control.block)
    outcome.put(
        "cost_ratio",
        found.ratio,
        f"{found.a * 1000:.2f} ms instead of {found.b * 1000:.2f}; {found.remark()}",
    )
    say(f"scale: {found.ratio:.3f} times the cost; {found.remark()}")
    growth = _growth(world, big.side)
    outcome.put("growth_mib", growth["after"] - growth["before"], growth["told"])
    return outcome


class Pushes:
    """A database with so many contacts, and the same number of edits again and again."""

    def __init__(self, world: World, size: int, pushed: int) -> None:
        say(f"scale: making {size} contacts, {round(size * LINKED_SHARE)} of them linked")
        self.side = world.odoo()
        linked = round(size * LINKED_SHARE)
        self.partners = self.side.make_linked(world.take_numbers(pushed))
        self.side.make_linked(world.take_numbers(linked - pushed), there=False)
        self.side.make_partners(world.take_numbers(size - linked))
        self.side.tidy()
        self.turn = 0

    def block(self) -> float:
        """Push some edits; seconds for each."""
        self.turn += 1
        self.side.set_city(self.partners, f"Hel {self.turn}")
        return timed(lambda: self.side.drain("usercom.change"), len(self.partners))


def _growth(world: World, side: ConnectedOdoo) -> dict:
    """Drain rows in a process that does nothing else."""
    first, then = world.size(DRAINED_FIRST), world.size(DRAINED_THEN, at_least=60)
    say(f"scale: draining {first} and {then} rows in a new process")
    partners = side.make_linked(world.take_numbers(then))
    side.tidy()
    arguments = json.dumps({"database": side.database, "first": first, "partners": partners})
    file = world.folder / "growth.json"
    file.write_text(arguments)
    code, said = processes.run([sys.executable, "-m", "benchmarks.growth", str(file)])
    if code:
        raise RuntimeError(f"The process that was to be watched broke:\n{said}")
    return json.loads(said.splitlines()[-1])

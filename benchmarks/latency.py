"""How long it takes from one side to the other while nothing else happens: Odoo as a server of its
own (one process, with its scheduled actions), as an administrator starts it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median

from _tooling.say import say

from tests.support.two_sides import TwoSides, two_sides

from .figures import Outcome
from .world import World

SAMPLES = 20
#: Between two samples, at random, so that they meet Odoo's own clocks at all moments.
PAUSE_SECONDS = (1.5, 3.0)
LOOKS_EVERY_SECONDS = 0.005


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    samples = world.size(SAMPLES, at_least=2)
    folder = world.folder / "sides"
    folder.mkdir()
    with two_sides(world.databases, folder) as sides:
        say(f"latency: {samples} samples each way")
        partner_id = sides.make_linked()
        number = int(sides.binding(partner_id)["usercom_id"])
        going_out, coming_in = [], []
        for turn in range(samples + 1):
            out = _out(sides, partner_id, f"Hel {turn}")
            _rest(sides)
            inwards = _in(sides, partner_id, number, f"Reda {turn}")
            _rest(sides)
            if turn:  # the first has what a process does only once in its life
                going_out.append(out)
                coming_in.append(inwards)
        complaints = sides.server.new_complaints()
    outcome.put("out_s", median(going_out), _told(going_out))
    outcome.put("in_s", median(coming_in), _told(coming_in))
    outcome.lines += [f"in Odoo's log: {line}" for line in complaints]
    return outcome


def _out(sides: TwoSides, partner_id: int, city: str) -> float:
    """Seconds from before the save to the arrival of the call that has the value."""
    began = time.time()
    sides.edit_partner(partner_id, city=city)

    def arrived() -> list[float]:
        return [
            call["time"]
            for call in sides.sim.calls()
            if call["method"] != "GET" and (call["body"] or {}).get("city") == city
        ]

    _wait(arrived)
    return arrived()[0] - began


def _in(sides: TwoSides, partner_id: int, number: int, city: str) -> float:
    """Seconds from before the edit, which calls the webhook at once, to the committed value."""
    began = time.time()
    sides.sim.edit_contact(number, city=city)
    _wait(
        lambda: sides.query("SELECT city FROM res_partner WHERE id = %s", partner_id)[0][0] == city
    )
    return time.time() - began


def _rest(sides: TwoSides) -> None:
    """Wait until Odoo has been idle for a while."""
    sides.wait(lambda: not sides.queues(), 60, lambda: str(sides.queues()))
    sides.sim.reset_calls()
    time.sleep(random.uniform(*PAUSE_SECONDS))


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("It did not arrive within a minute.")
        time.sleep(LOOKS_EVERY_SECONDS)


def _told(times: list[float]) -> str:
    return f"{min(times):.2f} to {max(times):.2f}, {len(times)} samples"

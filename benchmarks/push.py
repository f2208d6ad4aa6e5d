"""How fast edits get to User.com: beside what the latency allows, and at a server's limit."""

from __future__ import annotations

import time

from _tooling.say import say

from .blocks import compare, timed
from .figures import Outcome
from .world import CommonWay, ConnectedOdoo, World

LATENCY_MS = 100
THREADS = 8
PAIRS = 5
EDITS = 400
COMMON_EDITS = 30
#: A server's token bucket: calls a second, which is its burst as well.
LIMIT = 20
WARM_UP_SECONDS = 20
MEASURED_SECONDS = 60


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    ours, common = world.odoo(), world.common_way()
    edits, common_edits = world.size(EDITS), world.size(COMMON_EDITS, at_least=5)
    say("push: linking contacts")
    seconds = world.seconds(WARM_UP_SECONDS) + world.seconds(MEASURED_SECONDS)
    supply = max(edits, round(LIMIT * (seconds + 1) * 1.3))
    partners = ours.make_linked(world.take_numbers(supply))
    numbers = world.take_numbers(common_edits)
    their_partners = common.make_linked(numbers)
    world.add_contacts(ours.link_template(), numbers)

    _at_latency(world, outcome, ours, partners[:edits], common, their_partners)
    _at_limit(world, outcome, ours, partners)
    return outcome


def _at_latency(
    world: World,
    outcome: Outcome,
    ours: ConnectedOdoo,
    partners: list[int],
    common: CommonWay,
    their_partners: list[int],
) -> None:
    turn = 0

    def our_way() -> float:
        nonlocal turn
        turn += 1
        ours.set_city(partners, f"Reda {turn}")
        return timed(lambda: ours.drain("usercom.change"), len(partners))

    def common_way() -> float:
        nonlocal turn
        turn += 1
        common.set_city(their_partners, f"Reda {turn}")
        return timed(common.push, len(their_partners))

    say("push: what a process does only once in its life")
    our_way()
    common_way()
    world.sim.switch(latency_ms=LATENCY_MS)
    say(f"push: {PAIRS} pairs at {LATENCY_MS} ms")
    found = compare(common_way, our_way, PAIRS, control=our_way)
    world.sim.switch(latency_ms=0)
    ideal = THREADS / (LATENCY_MS / 1000)
    rate = 1 / found.b
    outcome.put("of_ideal", rate / ideal, f"{rate:.1f} of {ideal:g} a second")
    outcome.put(
        "vs_common",
        found.ratio,
        f"common way {1 / found.a:.2f} a second; {found.remark()}",
    )


def _at_limit(world: World, outcome: Outcome, ours: ConnectedOdoo, partners: list[int]) -> None:
    ours.set_city(partners, "Hel")
    ours.forget_rate()
    world.sim.reset_calls()
    world.sim.switch(rate_limit=LIMIT, rate_burst=LIMIT, rate_retry_after=True)
    warm_up, length = world.seconds(WARM_UP_SECONDS), world.seconds(MEASURED_SECONDS)
    say(f"push: {warm_up:g} s of warm-up and {length:g} s at a limit of {LIMIT} calls a second")
    began = time.time()
    end = began + warm_up + length
    while time.time() < end:
        ours.push()
        # What rests or waits is looked for again much as Odoo's own timer does.
        time.sleep(0.05)
    left = ours.waiting("usercom.change")
    calls = [
        call
        for call in world.sim.calls()
        if began + warm_up <= call["time"] < began + warm_up + length
    ]
    world.sim.switch(rate_limit=0)
    if not left:
        raise RuntimeError("There was nothing left to send before the time was over.")
    done = sum(call["status"] == 200 for call in calls)
    refused = sum(call["status"] == 429 for call in calls)
    outcome.put("of_limit", done / (LIMIT * length), f"{done / length:.1f} of {LIMIT} a second")
    outcome.put("throttled", refused / max(len(calls), 1), f"{refused} of {len(calls)} calls")

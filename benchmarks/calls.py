"""How many API calls a contact costs; counted by the simulator, whatever they were for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from _tooling.say import say

from .figures import Outcome
from .world import CommonWay, ConnectedOdoo, World

LINKED = 10_000
EXPORTED = 10_000
OTHERS = 100
MASS_EDITED = 5_000
NEW = 20
BURST = 20
ECHOED = 100
WOKEN_EVERY_SECONDS = 1.0
SEARCH = "/users/search/"
#: The common way costs the same for each contact, so a few are enough.
COMMON = 100


def run(world: World) -> Outcome:
    """Count."""
    outcome = Outcome()
    common = _common_way(world)
    _link_existing(world, outcome)
    ours = world.odoo()
    exported = _export_new(world, outcome, ours)
    _create_one(world, outcome, ours)
    _unchanged(world, outcome, ours, exported)
    _mass_edit(world, outcome, ours, exported)
    _bursts(world, outcome, ours, exported[0])
    _echo(world, outcome, ours, exported)
    for key, number in common.items():
        said = outcome.remarks.get(key)
        outcome.remarks[key] = "; ".join(filter(None, (said, f"common way {number:g}")))
    if parked := ours.parked():
        outcome.lines.append(f"parked at the end: {parked}")
    return outcome


def _per(count: list[int], contacts: int) -> float:
    return count[0] / contacts


def _by_kind(world: World) -> str:
    counts = world.sim.call_counts().items()
    return ", ".join(f"{number} {method} {path}" for (method, path), number in counts)


# Ours


def _link_existing(world: World, outcome: Outcome) -> None:
    """Nothing but the e-mail address says who is who; User.com has no User IDs of anybody."""
    ours = world.odoo()
    size = world.size(LINKED)
    say(f"calls: linking {size} contacts that exist on both sides")
    numbers = world.take_numbers(size)
    template = ours.link_template()
    ours.make_partners(numbers)
    world.add_contacts(template, numbers)
    ours.tidy()
    world.sim.reset_calls()
    with world.counted() as count:
        with ours.account() as account:
            account.action_link_existing()
        ours.settle()
    [(state,)] = ours.query("SELECT state FROM usercom_stream WHERE direction = 'survey'")
    if state != "done":
        raise RuntimeError(f"The list of all contacts was not read to its end: {state}.")
    linked = _linked(ours) - 1  # the template
    if linked != size:
        raise RuntimeError(f"{linked} of {size} contacts were linked; parked: {ours.parked()}")
    outcome.put("link_existing", _per(count, size), f"{count[0]} calls, {size} contacts")
    outcome.lines.append(f"link_existing: {_by_kind(world)}")
    world.sim.reset()


def _export_new(world: World, outcome: Outcome, ours: ConnectedOdoo) -> list[int]:
    size, others = world.size(EXPORTED), world.size(OTHERS, at_least=5)
    say(f"calls: exporting {size} contacts to a User.com that holds {others} others")
    template = ours.link_template()
    world.add_contacts(template, world.take_numbers(others))
    there = world.sim.status()["contacts"]
    partners = ours.make_partners(world.take_numbers(size))
    ours.tidy()
    with ours.account() as account:
        account.create_in_odoo = False
    world.sim.reset_calls()
    with world.counted() as count:
        ours.switch_on("usercom", include_existing=True)
        ours.settle()
    outcome.lines.append(f"export_new: {_by_kind(world)}")
    made = world.sim.status()["contacts"] - there
    linked = len(_bound(ours, partners))
    if (made, linked) != (size, size):
        raise RuntimeError(
            f"{size} contacts were exported: {made} made, {linked} linked; parked: {ours.parked()}"
        )
    outcome.put("export_new", _per(count, size), f"{count[0]} calls, {size} contacts")
    return partners


def _create_one(world: World, outcome: Outcome, ours: ConnectedOdoo) -> None:
    """Saved one by one, each pushed before the next."""
    say("calls: new contacts in daily work")
    numbers = world.take_numbers(NEW)
    with world.counted() as count:
        for number in numbers:
            with ours.env() as env:
                env["res.partner"].create(
                    {"name": f"Jan {number}", "email": f"p{number}@people.example"}
                )
            ours.settle()
    outcome.put("create_one", _per(count, NEW))


def _unchanged(world: World, outcome: Outcome, ours: ConnectedOdoo, partners: list[int]) -> None:
    say(f"calls: syncing {len(partners)} contacts again")
    with world.counted() as count:
        ours.look_again(partners)
        ours.settle()
    outcome.put("unchanged", _per(count, len(partners)))


def _mass_edit(world: World, outcome: Outcome, ours: ConnectedOdoo, partners: list[int]) -> None:
    some = partners[: world.size(MASS_EDITED)]
    say(f"calls: the same value set on {len(some)} contacts")
    with world.counted() as count:
        with ours.env() as env:
            env["res.partner"].browse(some).write({"city": "Tczew"})
        ours.settle()
    arrived = len(world.sim.contacts(city="Tczew"))
    if arrived != len(some):
        raise RuntimeError(f"The value arrived at {arrived} of {len(some)} contacts.")
    outcome.put("mass_edit", _per(count, len(some)), f"{count[0]} calls, {len(some)} contacts")


def _bursts(world: World, outcome: Outcome, ours: ConnectedOdoo, partner: int) -> None:
    say("calls: bursts")
    with world.counted() as count:
        for turn in range(BURST):
            with ours.env() as env:
                env["res.partner"].browse(partner).city = f"Hel {turn}"
        ours.settle()
    outcome.put("burst_out", count[0])
    [(usercom_id,)] = _bound(ours, [partner])
    with ours.listening(), world.counted() as count:
        for turn in range(BURST):
            world.sim.edit_contact(int(usercom_id), city=f"Reda {turn}")
        ours.wait_webhooks()
        ours.settle()
    with ours.env() as env:
        if env["res.partner"].browse(partner).city != f"Reda {BURST - 1}":
            raise RuntimeError("The last of the edits in User.com did not come in.")
    outcome.put("burst_in", count[0])


def _echo(world: World, outcome: Outcome, ours: ConnectedOdoo, partners: list[int]) -> None:
    """Reads that our own pushes cost, by the webhook calls that they set off."""
    size = world.size(ECHOED, at_least=5)
    say(f"calls: echoes of {size} edits, creations and of one mass edit")
    numbers = world.take_numbers(size)
    some = partners[1 : size + 1]

    def edit() -> None:
        ours.set_city(some, "Gdynia")

    def create() -> None:
        with ours.env() as env:
            env["res.partner"].create(
                [{"name": f"Ewa {n}", "email": f"p{n}@people.example"} for n in numbers]
            )

    def mass_edit() -> None:
        with ours.env() as env:
            env["res.partner"].browse(some).write({"city": "Puck"})

    reads = []
    for what, work in (("edits", edit), ("creations", create), ("mass edit", mass_edit)):
        world.sim.reset_calls()
        with ours.listening():
            world.sim.reset_deliveries()
            work()
            with _pulling(ours):
                ours.drain("usercom.change")
                called = len(ours.wait_webhooks())
            ours.settle()
            ours.wait_webhooks()
            ours.settle()
        if called < size:
            raise RuntimeError(f"User.com called {called} times about {size} contacts.")
        # Looking for somebody before creating them is the push's.
        counts = world.sim.call_counts().items()
        reads.append(sum(n for (method, path), n in counts if method == "GET" and path != SEARCH))
        outcome.lines.append(f"echo of {size} {what}: {called} webhook calls, {reads[-1]} reads")
    outcome.put("echo", sum(reads) / (3 * size))


@contextlib.contextmanager
def _pulling(ours: ConnectedOdoo) -> Iterator[None]:
    """Pull meanwhile, woken once a second, as in life: some calls overtake the push's answer."""
    over = threading.Event()
    broken: list[Exception] = []

    def pull() -> None:
        try:
            while not over.wait(WOKEN_EVERY_SECONDS):
                ours.pull()
        except Exception as error:
            broken.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if broken:
        raise broken[0]


def _bound(ours: ConnectedOdoo, partners: list[int]) -> list[tuple[str]]:
    return ours.query(
        """
        SELECT usercom_id FROM usercom_binding
         WHERE partner_id = ANY(%s) AND usercom_id IS NOT NULL ORDER BY partner_id
        """,
        partners,
    )


def _linked(ours: ConnectedOdoo) -> int:
    [(count,)] = ours.query(
        """
        SELECT count(*) FROM usercom_binding
         WHERE partner_id IS NOT NULL AND usercom_id IS NOT NULL
        """
    )
    return int(count)


# The common way


def _common_way(world: World) -> dict[str, float]:
    """Count the same for the baseline."""
    common = world.common_way()
    size = world.size(COMMON, at_least=5)
    say(f"calls: the common way with {size} contacts")
    partners = common.make_partners(world.take_numbers(size))

    def pushed(work: Callable[[], object]) -> float:
        with world.counted() as count:
            work()
            common.push()
        return _per(count, size)

    found = {"export_new": pushed(lambda: _mark_dirty(common, partners))}
    found["link_existing"] = pushed(lambda: _mark_dirty(common, partners))
    found["unchanged"] = pushed(lambda: _save_again(common, partners))
    found["mass_edit"] = pushed(lambda: _set_same(common, partners))
    found["create_one"] = found["export_new"]
    with world.counted() as count:
        for turn in range(BURST):
            common.set_city(partners[:1], f"Hel {turn}")
            common.push()
    found["burst_out"] = count[0]
    # Its webhook takes the values from the body: no call, and nobody has checked them.
    found["burst_in"] = 0
    world.sim.reset()
    return found


def _mark_dirty(common: CommonWay, partners: list[int]) -> None:
    common.query("UPDATE res_partner SET common_dirty = (id = ANY(%s))", partners)


def _save_again(common: CommonWay, partners: list[int]) -> None:
    with common.env() as env:
        for partner in env["res.partner"].browse(partners):
            partner.write({"city": partner.city})


def _set_same(common: CommonWay, partners: list[int]) -> None:
    with common.env() as env:
        env["res.partner"].browse(partners).write({"city": "Tczew"})

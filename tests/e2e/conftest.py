"""Both sides as processes, once for all tests of a file, and the times that were measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from _tooling.databases import Databases

from tests.support.odoo_server import free_port
from tests.support.two_sides import TwoSides, judge_log, two_sides

#: The promise of the issue: what is done on one side is on the other within five seconds.
WITHIN = 5.0

_measured: dict[str, list[float]] = {}


def measured(what: str, seconds: float) -> None:
    """Keep how long something took, and check that it was not too long."""
    _measured.setdefault(what, []).append(seconds)
    assert seconds < WITHIN, f"{what} took {seconds:.1f} s"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how long it took."""
    if _measured:
        terminalreporter.section("from one side to the other, in seconds")
    for what, times in sorted(_measured.items()):
        shown = ", ".join(f"{seconds:.2f}" for seconds in times)
        terminalreporter.line(f"{what}: {shown}")


@pytest.fixture(scope="package", params=["threads", "workers"])
def running_sides(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TwoSides]:
    """Both sides, running, with Odoo as one process and as several."""
    arguments = []
    if request.param == "workers":
        arguments = ["--workers=2", f"--gevent-port={free_port()}"]
    with two_sides(databases, tmp_path_factory.mktemp("e2e"), arguments=arguments) as sides:
        # What a process does only once in its life is not measured.
        sides.make_linked()
        warm_up = sides.add_contact()
        sides.wait(lambda: sides.partners(warm_up["email"]))
        yield sides


@pytest.fixture
def sides(running_sides: TwoSides) -> Iterator[TwoSides]:
    """Both sides as User.com is by default; at the end nothing is left to do."""
    running_sides.sim.switch(**DEFAULTS)
    running_sides.set_webhook()
    running_sides.sim.reset_calls()
    yield running_sides
    running_sides.sim.clear_faults()
    judge_log(running_sides)


DEFAULTS: dict[str, Any] = {
    "normalise": False,
    "flatten_v2": True,
    "upsert_foreign_email": "second",
    "array_values": False,
    "search_ignores_case": False,
    "many_none": "empty",
    "with_names": False,
    "phone_format": "grouped",
    "null_lists": False,
}

"""Both sides as processes, with the example addon of the hooks installed in Odoo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _tooling.databases import Databases
from _tooling.places import CHECKOUT

from tests.support.two_sides import QUEUES, TwoSides, judge_log, two_sides

EXAMPLE = "usercom_connector_test_hooks"


@pytest.fixture(scope="package")
def running(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSides]:
    """Both sides, running."""
    arguments = [f"--addons-path={CHECKOUT},{CHECKOUT / 'tests' / 'addons'}", "-i", EXAMPLE]
    with two_sides(databases, tmp_path_factory.mktemp("hooks"), arguments=arguments) as sides:
        sides.sim.add_attribute("customer_number", "integer")
        yield sides


@pytest.fixture
def sides(running: TwoSides) -> Iterator[TwoSides]:
    """Both sides with empty queues; Odoo's log is judged after the test."""
    for table in QUEUES:
        running.query(f"DELETE FROM {table}")
    running.sim.reset_calls()
    yield running
    judge_log(running)

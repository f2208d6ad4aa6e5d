"""Both sides as processes, where Odoo's can be told to kill itself and User.com's to fail."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _tooling.databases import Databases
from _tooling.places import CHECKOUT

from tests.support.two_sides import QUEUES, TwoSides, judge_log, two_sides

ADDONS = CHECKOUT / "tests" / "addons"


class Killer:
    """Names the point at which Odoo kills itself; see ``usercom_connector_test_kill``."""

    def __init__(self, sides: TwoSides, file: Path) -> None:
        self.sides = sides
        self._file = file

    def arm(self, point: str, times: int = 1) -> None:
        """Kill Odoo when it reaches the point, or reaches it so many times."""
        self._file.write_text(f"{point} {times}")

    def disarm(self) -> None:
        """Let Odoo live."""
        self._file.unlink(missing_ok=True)

    def wait_killed(self) -> None:
        """Wait until Odoo is dead, by its own hand."""
        process = self.sides.server.process
        self.sides.wait(lambda: process.poll() is not None, 20, lambda: "Odoo lives on")
        assert process.returncode == -signal.SIGKILL
        assert not self._file.exists()


@pytest.fixture(scope="package")
def running(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TwoSides, Path]]:
    """Both sides, running, and the file that names the point of the kill."""
    folder = tmp_path_factory.mktemp("faults")
    arguments = [
        f"--addons-path={CHECKOUT},{ADDONS}",
        "--load=base,rpc,web,usercom_connector_test_kill",
    ]
    file = folder / "kill"
    with two_sides(databases, folder, arguments=arguments, USERCOM_TEST_KILL=str(file)) as sides:
        yield sides, file


@pytest.fixture
def killer(running: tuple[TwoSides, Path]) -> Iterator[Killer]:
    """Both sides in order; whatever the test before left is cleared away."""
    sides, file = running
    killer = Killer(sides, file)
    killer.disarm()
    if sides.server.process.poll() is not None:
        sides.restart_odoo()
    for table in QUEUES:
        sides.query(f"DELETE FROM {table}")
    sides.query("UPDATE usercom_stream SET rest_until = NULL, failures = 0")
    sides.query("DELETE FROM usercom_limiter")  # how slow User.com was in the test before
    sides.set_webhook()
    sides.sim.reset_calls()
    yield killer
    sides.process.start()
    sides.sim.release(go_on=False)
    sides.sim.clear_faults()
    judge_log(sides)


@pytest.fixture
def sides(killer: Killer) -> TwoSides:
    """Both sides in order."""
    return killer.sides


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Look at the log when everything else has been done."""
    items.sort(key=lambda item: item.name == "test_the_log_is_discreet")

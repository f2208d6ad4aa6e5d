"""How the tests get Odoo, databases, the simulator and a clean log. Run them by ``bin/test``.

What a test pays for is what it uses: a selection without a database starts no PostgreSQL, one
without ``HttpCase`` starts no web server in this process. The first use in a run prepares the
template database if the addon has changed, and copies it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bin"))

import hypothesis
import odoo.sql_db
import odoo.tests.common
import odoo.tools
from _tooling.databases import Databases
from _tooling.databases import databases as opened_databases
from _tooling.problem import Problem
from _tooling.runtime import Runtime, prepare

from tests.support.logs import Expectation, guard
from tests.support.odoo_server import OdooServer

if TYPE_CHECKING:
    from simulator.testing import ControlClient

pytest_plugins: list[str] = []

# What lands must not depend on luck, nor on how busy the machine is: there the examples are the
# same each time. At a desk every run looks at new ones.
slow = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("desk", deadline=None, suppress_health_check=slow)
hypothesis.settings.register_profile(
    "ci", deadline=None, suppress_health_check=slow, derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")


# What the selected tests need


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare a run without HttpCase the web server that pytest-odoo would start."""
    if not any(_is_a(item, odoo.tests.common.HttpCase) for item in session.items):
        session.config.option.odoo_http = False


def _is_a(item: pytest.Item, kind: type) -> bool:
    test_class = getattr(item, "cls", None)
    return test_class is not None and issubclass(test_class, kind)


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """Odoo, the packages and the test cluster, which need not run."""
    return prepare("test", durable=False)


@pytest.fixture(scope="session")
def databases(runtime: Runtime) -> Iterator[Databases]:
    """The running test cluster: ``databases.copy()`` names a new database with the addon."""
    with opened_databases(runtime) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def load_registry(request: pytest.FixtureRequest) -> Iterator[None]:
    """Load Odoo's registry on a copy of the template, in place of pytest-odoo's fixture."""
    threading.current_thread().testing = True  # type: ignore[attr-defined]
    kind = odoo.tests.common.TransactionCase
    if not any(_is_a(item, kind) for item in request.session.items):
        yield
        return
    try:
        name = request.getfixturevalue("databases").copy()
    except Problem as problem:
        pytest.exit(str(problem), returncode=1)
    odoo.tools.config["db_name"] = [name]
    odoo.tools.config["dbfilter"] = f"^{name}$"
    odoo.modules.registry.Registry(name)
    yield
    odoo.sql_db.close_db(name)


@pytest.fixture
def simulator() -> Iterator[ControlClient]:
    """A fresh simulator in a thread of this process; ``.url`` and control methods."""
    from simulator.testing import running_simulator

    with running_simulator() as started:
        yield started


@pytest.fixture
def odoo_server(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[Callable[..., OdooServer]]:
    """Start Odoo as its own process: ``odoo_server(USERCOM_BASE_URL=simulator.url)``.

    Each call copies the template; ``database=`` names an existing copy instead, ``arguments=``
    adds to Odoo's command line. All of them are ended, and their logs judged, after the test.
    """
    with ExitStack() as ending:

        def start(
            database: str | None = None, arguments: list[str] | None = None, **environment: str
        ) -> OdooServer:
            if database is None:
                database = databases.copy()
                ending.callback(databases.drop, database)
            log = tmp_path / f"odoo-{database}.log"
            server = OdooServer(databases.runtime, database, log, environment, arguments or [])

            def end() -> None:
                server.stop()
                for line in server.new_complaints():
                    guard.judge(line)

            ending.callback(end)
            return server

        yield start


# The log


def pytest_configure(config: pytest.Config) -> None:
    """Listen to all logs of this process."""
    config.addinivalue_line(
        "markers",
        "expected_log(pattern, optional=False): a warning or error in Odoo's log that the test "
        "provokes on purpose",
    )
    import logging

    logging.getLogger().addHandler(guard)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Begin a test with what it says it provokes."""
    guard.begin(
        [
            Expectation(pattern, optional=marker.kwargs.get("optional", False))
            for marker in item.iter_markers("expected_log")
            for pattern in marker.args
        ]
    )
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail the test for what was logged up to its end."""
    result: Any = yield
    _judge(finished=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail the test for what was logged while it was cleaned up, as by its servers."""
    result: Any = yield
    _judge(finished=True)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Do not add to the failure of a test that it did not get as far as its log lines."""
    report: Any = yield
    if not report.passed:
        guard.expectations = [replace(e, optional=True) for e in guard.expectations]
    return report


def _judge(*, finished: bool) -> None:
    if verdict := guard.verdict(finished=finished):
        pytest.fail(verdict, pytrace=False)

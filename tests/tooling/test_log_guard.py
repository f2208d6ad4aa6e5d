"""A warning in the log fails the test that was running: shown by running pytest inside pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.logs import Expectation, LogGuard

CHECKOUT = Path(__file__).parents[2]

TESTS = """
import logging, threading, unittest
import pytest
from odoo.tools import mute_logger
from tests.support.logs import expected_log

log = logging.getLogger("odoo.addons.usercom_connector.made_up")

def test_silent():
    log.info("nothing to see")

def test_warning():
    log.warning("about %s", 7)

def test_error_in_a_thread():
    thread = threading.Thread(target=log.error, args=["from afar"])
    thread.start()
    thread.join()

@pytest.fixture
def careless():
    yield
    log.warning("while cleaning up")

def test_passes_before_its_teardown_fails(careless):
    pass

def test_named_by_a_block():
    with expected_log("WARNING .*made_up: about 7"):
        log.warning("about %s", 7)

def test_named_by_a_block_but_not_logged():
    with expected_log("about 7"):
        pass

def test_logged_after_the_block():
    with expected_log("about 7"):
        log.warning("about 7")
    log.warning("about 7")

@pytest.mark.expected_log("about [0-9]")
def test_named_by_a_marker():
    log.warning("about 7")

@pytest.mark.expected_log("about 7")
def test_named_by_a_marker_passes_before_its_teardown_fails():
    pass

@pytest.mark.expected_log("about 7", optional=True)
def test_named_as_possible():
    pass

class InUnittest(unittest.TestCase):
    def test_unittest_warning(self):
        log.warning("about 7")

    def test_assert_logs(self):
        with self.assertLogs(log, "WARNING"):
            log.warning("about 7")

    @mute_logger(log.name)
    def test_muted(self):
        log.warning("about 7")

    @unittest.expectedFailure
    def test_own_failure_stays(self):
        self.fail("of its own")
"""

PASSED = {
    "test_silent",
    "test_passes_before_its_teardown_fails",
    "test_named_by_a_block",
    "test_named_by_a_marker",
    "test_named_by_a_marker_passes_before_its_teardown_fails",
    "test_named_as_possible",
    "InUnittest::test_assert_logs",
    "InUnittest::test_muted",
}
FAILED = {
    "test_warning",
    "test_error_in_a_thread",
    "test_named_by_a_block_but_not_logged",
    "test_logged_after_the_block",
    "InUnittest::test_unittest_warning",
}
FAILED_IN_TEARDOWN = {
    "test_passes_before_its_teardown_fails",
    "test_named_by_a_marker_passes_before_its_teardown_fails",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("guarded") / "test_guarded.py"
    file.write_text(TESTS)
    file.with_name("conftest.py").write_text("from tests.conftest import *\n")
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--color=no"]
    command += ["-c", str(CHECKOUT / "pyproject.toml")]
    command += [f"--rootdir={file.parent}", str(file)]
    done = subprocess.run(
        [*command, "--odoo-database=none-yet", "--odoo-log-level=warn"],
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def ended(report: str, how: str) -> set[str]:
    return set(re.findall(rf"^{how} test_guarded\.py::(\S+)", report, re.MULTILINE))


def test_what_is_named_passes(report: str) -> None:
    assert ended(report, "PASSED") == PASSED


def test_what_is_not_named_fails(report: str) -> None:
    assert ended(report, "FAILED") == FAILED


def test_what_is_logged_in_the_teardown_fails(report: str) -> None:
    assert ended(report, "ERROR") == FAILED_IN_TEARDOWN


def test_the_line_is_shown(report: str) -> None:
    assert "WARNING odoo.addons.usercom_connector.made_up: about 7" in report


def test_a_line_of_another_process_is_judged_alike() -> None:
    guard = LogGuard()
    guard.begin([Expectation("a push failed")])
    guard.judge("WARNING odoo.addons.usercom_connector: a push failed")
    assert guard.verdict(finished=True) is None
    guard.judge("ERROR odoo.sql_db: bad query")
    assert "bad query" in (guard.verdict(finished=True) or "")

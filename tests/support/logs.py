"""A WARNING or an ERROR in Odoo's log fails the test that was running, unless the test names it.

A test names what it provokes in one of four ways:

* ``with expected_log("regular expression"):`` around the code that logs it; fails when nothing
  matching was logged;
* ``@pytest.mark.expected_log("regular expression")`` for a whole test, class or module, also for
  what a separate Odoo process logged; with ``optional=True`` it need not be logged;
* unittest's ``assertLogs`` and Odoo's ``mute_logger``, which keep the record away from here.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Expectation:
    """A line that a test said would be logged."""

    pattern: str
    optional: bool = False
    seen: bool = False

    def covers(self, line: str) -> bool:
        """Tell whether the line is the one meant, and remember that it came."""
        if not re.search(self.pattern, line):
            return False
        self.seen = True
        return True


class LogGuard(logging.Handler):
    """Collects what the running test has no explanation for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.expectations: list[Expectation] = []
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of any thread of this process."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += f" ({record.exc_info[1]!r})"
        self.judge(f"{record.levelname} {record.name}: {text}")

    def judge(self, line: str) -> None:
        """Keep the line unless the test expects it."""
        if not any(expectation.covers(line) for expectation in self.expectations):
            self.unexpected.append(line)

    def begin(self, expectations: list[Expectation]) -> None:
        """Start a new test."""
        self.expectations = expectations
        self.unexpected = []

    def verdict(self, *, finished: bool) -> str | None:
        """Return why the test fails, if it does."""
        unexpected, self.unexpected = self.unexpected, []
        if unexpected:
            return "Odoo's log has lines that the test does not name:\n" + "\n".join(unexpected)
        missing = [e.pattern for e in self.expectations if not e.seen and not e.optional]
        if finished and missing:
            return f"the test expects these lines, and none was logged: {', '.join(missing)}"
        return None


guard = LogGuard()


@contextlib.contextmanager
def expected_log(pattern: str) -> Iterator[None]:
    """Expect a line `LEVEL logger: message` matching the pattern inside the block."""
    expectation = Expectation(pattern)
    guard.expectations.append(expectation)
    try:
        yield
    finally:
        guard.expectations.remove(expectation)
    if not expectation.seen:
        raise AssertionError(f"no warning or error matching {pattern!r} was logged")

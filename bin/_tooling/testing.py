"""`bin/test`: pytest with real Odoo; all arguments are pytest's."""

from __future__ import annotations

import os

from .places import CHECKOUT
from .runtime import Runtime, prepare

# The name only satisfies pytest-odoo's start; tests/conftest.py puts the real one in its place.
NO_DATABASE_YET = "none-yet"


def test(arguments: list[str]) -> int:
    """Become pytest."""
    runtime = prepare("test", durable=False)
    command = pytest_command(runtime, arguments)
    os.chdir(CHECKOUT)
    os.execve(command[0], command, runtime.variables())


def pytest_command(runtime: Runtime, arguments: list[str]) -> list[str]:
    """Return the command line that runs tests; to be run in the checkout."""
    command = [str(runtime.python), "-m", "pytest", "--odoo-http", "--odoo-log-level=warn"]
    return [*command, f"--odoo-database={NO_DATABASE_YET}", *arguments]

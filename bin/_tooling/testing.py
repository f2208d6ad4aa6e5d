"""`bin/test`: pytest with real Odoo; all arguments are pytest's."""

from __future__ import annotations

import os

from .places import CHECKOUT
from .runtime import prepare

# The name only satisfies pytest-odoo's start; tests/conftest.py puts the real one in its place.
NO_DATABASE_YET = "none-yet"


def test(arguments: list[str]) -> int:
    """Become pytest."""
    runtime = prepare("test", durable=False)
    command = [str(runtime.python), "-m", "pytest", "--odoo-http", "--odoo-log-level=warn"]
    command += [f"--odoo-database={NO_DATABASE_YET}", *arguments]
    os.chdir(CHECKOUT)
    os.execve(command[0], command, runtime.variables())

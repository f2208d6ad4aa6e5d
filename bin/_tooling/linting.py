"""`bin/lint`: what can be said about the code without running it, and Odoo's own checks of it.

Odoo's addon `test_lint` comes in two parts: its pylint checkers are run here, its test classes
(manifest, overridden signatures, routes, indexes, translations, ...) by `tests/lint`, which needs
an installed database and is the last thing that this command runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from .places import CHECKOUT
from .runtime import Runtime, prepare
from .testing import pytest_command

TYPED = ("bin/_tooling", "simulator", "usercom_connector/client", "usercom_connector/sync")
# As in Odoo's own test_pylint.
ODOO_CHECKERS = ("sql_injection", "gettext", "unlink_override")
ODOO_MESSAGES = (
    "used-before-assignment",
    "undefined-variable",
    "eval-used",
    "unreachable",
    "function-redefined",
    "sql-injection",
    "missing-gettext",
    "gettext-variable",
    "gettext-placeholders",
    "gettext-repr",
    "raise-unlink-override",
)
# House rules of the OCA, and one that takes every method without a result for a mistake.
NOT_FOR_US = (
    "consider-merging-classes-inherited",
    "manifest-required-author",
    "missing-readme",
    "missing-return",
)
WELL_FORMED = """
import sys
from lxml import etree
failed = 0
for name in sys.argv[1:]:
    try:
        etree.parse(name)
    except etree.XMLSyntaxError as error:
        failed = 1
        print(f"{name}: {error}")
sys.exit(failed)
"""


def lint(arguments: list[str]) -> int:
    """Run all checks, or those whose name contains one of the arguments; say what failed."""
    runtime = prepare("test", durable=False)
    failed = []
    for name, command, variables in _checks(runtime):
        if arguments and not any(wanted in name for wanted in arguments):
            continue
        began = time.monotonic()
        print(f"== {name}", flush=True)
        done = subprocess.run(
            command, cwd=CHECKOUT, env={**runtime.variables(), **variables}, check=False
        )
        print(f"   {'failed' if done.returncode else 'fine'} ({time.monotonic() - began:.1f} s)")
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"These checks failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _checks(runtime: Runtime) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    python = [str(runtime.python), "-m"]
    yield "ruff check", [*python, "ruff", "check", "."], {}
    yield "ruff format", [*python, "ruff", "format", "--check", "."], {}
    typed = [folder for folder in TYPED if (CHECKOUT / folder).is_dir()]
    yield "mypy", [*python, "mypy", *typed], {}
    addons = [folder.parent.name for folder in sorted(CHECKOUT.glob("*/__manifest__.py"))]
    left_out = f"--disable={','.join(NOT_FOR_US)}"
    yield "pylint-odoo", [*python, "pylint", left_out, *addons], {}
    checkers = runtime.odoo.addon("test_lint") / "tests"
    if checkers.is_dir():
        plugins = ",".join(f"_odoo_checker_{name}" for name in ODOO_CHECKERS)
        command = [*python, "pylint", f"--rcfile={os.devnull}", "--disable=all"]
        command += [f"--enable={','.join(ODOO_MESSAGES)}", f"--load-plugins={plugins}"]
        # The code switches off single messages of pylint-odoo's, which are unknown here.
        command += ["--disable=unknown-option-value", *addons]
        yield "pylint with Odoo's checkers", command, {"PYTHONPATH": str(checkers)}
    else:
        print("== pylint with Odoo's checkers: left out, this Odoo has no addon test_lint")
    files = sorted(str(file) for folder in addons for file in (CHECKOUT / folder).rglob("*.xml"))
    yield "XML", [str(runtime.python), "-c", WELL_FORMED, *files], {}
    yield "Odoo's test_lint", pytest_command(runtime, ["-q", "tests/lint"]), {}

"""The commands of bin/, by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .places import CHECKOUT, run_folder
from .problem import Problem, sentence_for
from .processes import belonging_to, end_on_signals


def odoo(arguments: list[str]) -> int:
    """Run Odoo's own command on the development cluster."""
    from .runtime import prepare, use_database_server

    runtime = prepare("dev", durable=False)
    _replace(
        use_database_server(runtime), [*runtime.odoo_command(), *arguments], runtime.variables()
    )


def env(arguments: list[str]) -> int:
    """Run any command with the virtual environment, Odoo and the development cluster at hand."""
    from .runtime import prepare, use_database_server

    runtime = prepare("dev", durable=False)
    command = arguments or [os.environ.get("SHELL", "/bin/sh")]
    _replace(use_database_server(runtime), command, runtime.variables())


def test(arguments: list[str]) -> int:
    """Run the tests."""
    from .testing import test as run_tests

    return run_tests(arguments)


def bench(arguments: list[str]) -> int:
    """Measure what the synchronisation costs."""
    from .bench import bench as run_benchmarks

    run_benchmarks(arguments)


def i18n(arguments: list[str]) -> int:
    """Bring the addon's translation files up to date."""
    from .runtime import prepare

    runtime = prepare("test", durable=False)
    variables = {**runtime.variables(), "PYTHONPATH": str(CHECKOUT / "bin")}
    _replace(None, [str(runtime.python), "-m", "_tooling.i18n", *arguments], variables)


def keep_postgres(arguments: list[str]) -> int:
    """Keep a cluster running; called by `postgres.join` only."""
    from .postgres import keep

    folder, binaries, durability, lock = arguments
    return keep(Path(folder), Path(binaries), durability == "durable", int(lock))


def _replace(lock: int | None, command: list[str], variables: dict[str, str]) -> NoReturn:
    """Become the command, which inherits the hold on the cluster."""
    if lock is not None:
        os.set_inheritable(lock, True)
    os.environ["PATH"] = variables["PATH"]
    try:
        os.execvpe(command[0], command, variables)
    except FileNotFoundError:
        raise Problem(f"There is no command {command[0]}.") from None


def demo(arguments: list[str]) -> int:
    """Run the demo."""
    from .demo import demo as run_demo

    return run_demo(arguments)


def demo_inside(arguments: list[str]) -> int:
    """Go on with the demo in the virtual environment; called by `demo` only."""
    from .demo import demo_inside as go_on

    sys.path.insert(0, str(CHECKOUT))
    return go_on(arguments)


def lint(arguments: list[str]) -> int:
    """Check the code without running it."""
    from .linting import lint as run_lint

    return run_lint(arguments)


def leftovers(arguments: list[str]) -> int:
    """Tell which processes of this checkout are running; `.ci/run` expects none."""
    found = belonging_to(run_folder("any").parent)
    for pid, command in found.items():
        print(f"still running: {pid} {command}", file=sys.stderr)
    return 1 if found else 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "bench": bench,
    "demo": demo,
    "demo-inside": demo_inside,
    "env": env,
    "i18n": i18n,
    "keep-postgres": keep_postgres,
    "leftovers": leftovers,
    "lint": lint,
    "odoo": odoo,
    "test": test,
}


def main() -> int:
    """Run the command named by the first argument and return its exit code."""
    name, *arguments = sys.argv[1:]
    try:
        end_on_signals()
        return COMMANDS[name](arguments)
    except Problem as problem:
        print(problem, file=sys.stderr)
    except OSError as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1

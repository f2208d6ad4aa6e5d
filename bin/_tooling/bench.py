"""`bin/bench`: what the synchronisation costs; see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from . import processes
from .places import CHECKOUT
from .problem import Problem

NAMES = ("calls", "push", "pull", "save", "scale", "page", "latency")


def options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description="Measure what the synchronisation costs, with real Odoo, PostgreSQL and HTTP. "
        "Prints a table and, as the last line, one JSON object with the figures. The exit status "
        "says whether the measuring worked, not whether the goals were met.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)}; none: all"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="multiply all numbers of contacts and all lengths of time (1.0); the goals are "
        "meant for 1.0",
    )
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in NAMES:
            raise Problem(f"There is no benchmark {name}: choose among {', '.join(NAMES)}.")
    if not 0 < given.scale <= 100:
        raise Problem("--scale takes a factor above 0, at most 100: 0.01 for a quick look.")
    return given


def bench(arguments: list[str]) -> NoReturn:
    """Refuse early what cannot work, fetch what is missing, and go on in the environment."""
    from .runtime import prepare

    options(arguments)
    runtime = prepare("test", durable=False)
    variables = {**runtime.variables(), "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'bin'}"}
    os.chdir(CHECKOUT)
    processes.become([str(runtime.python), "-m", "benchmarks", *arguments], variables)

"""`bin/bench`: the half that runs in the virtual environment."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

from _tooling.bench import NAMES, options
from _tooling.problem import Problem
from _tooling.processes import end_on_signals
from _tooling.say import say

from .figures import as_json, table


def main(arguments: list[str]) -> int:
    """Run what was asked for: one here, several each in a process of its own."""
    end_on_signals()
    given = options(arguments)
    names = given.names or list(NAMES)
    if len(names) > 1:
        return _run_each(names, given.scale)
    [name] = names
    from .world import World

    say(f"{name}: making both sides")
    with World(given.scale) as world:
        outcome = importlib.import_module(f"benchmarks.{name}").run(world)
    if given.scale != 1:
        outcome.lines.append(f"at {given.scale:g} of the sizes that the goals are meant for")
    load, cores = os.getloadavg()[1], os.cpu_count()
    outcome.lines.append(f"load of the machine over five minutes: {load:.1f} on {cores} cores")
    print(table(name, outcome))
    print(as_json(outcome.values), flush=True)
    return 0


def _run_each(names: list[str], scale: float) -> int:
    values: dict[str, float | None] = {}
    failed = []
    for name in names:
        command = [sys.executable, "-m", "benchmarks", name, f"--scale={scale}"]
        # What it says on the way goes to the same stderr.
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        *shown, last = done.stdout.splitlines() or [""]
        if done.returncode:
            failed.append(name)
            print(f"{name}\n  broke: see above", flush=True)
            continue
        print("\n".join(shown), flush=True)
        values |= json.loads(last)
    if failed:
        print(f"These benchmarks broke: {', '.join(failed)}.", file=sys.stderr)
    print(as_json(values), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except Problem as problem:
        raise SystemExit(str(problem)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None

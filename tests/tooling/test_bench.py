"""`bin/bench` answers with a table and one JSON object; what it measures decides no test."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from _tooling.bench import NAMES

from benchmarks.blocks import compare
from benchmarks.figures import FIGURES, Figure, Outcome, table

CHECKOUT = Path(__file__).parents[2]
#: Agreed names, which others read: see docs/benchmarks.md.
KEYS = {
    "calls": [
        "link_existing",
        "export_new",
        "create_one",
        "unchanged",
        "mass_edit",
        "burst_out",
        "burst_in",
        "echo",
    ],
    "push": ["of_ideal", "vs_common", "of_limit", "throttled"],
    "pull": ["of_orm"],
    "save": ["unmapped", "mapped", "queries_unmapped", "queries_mapped"],
    "scale": ["cost_ratio", "growth_mib"],
    "page": ["ratio", "queries"],
    "latency": ["out_s", "in_s"],
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHECKOUT / "bin" / "bench"), *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("ODOO")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_several_benchmarks_end_with_one_json_object() -> None:
    done = bench("calls", "save", "--scale=0.001")
    assert done.returncode == 0, done.stdout + done.stderr
    *shown, last = done.stdout.splitlines()
    figures = json.loads(last)
    assert list(figures) == KEYS["calls"] + KEYS["save"]
    assert all(value is None or value >= 0 for value in figures.values())
    for key in figures:
        assert any(line.split()[:1] == [key] for line in shown)
    # What is counted is the same on any machine.
    assert (figures["unchanged"], figures["burst_out"], figures["burst_in"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["calls", "speed"], "There is no benchmark speed: choose among calls, push, pull,"),
        (["--scale=0"], "--scale takes a factor above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments: list[str], sentence: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(sentence)


def test_help_names_every_benchmark() -> None:
    said = bench("--help").stdout
    assert all(name in said for name in NAMES)


def test_each_benchmark_has_the_figures_agreed_on() -> None:
    assert {name: [one.key for one in figures] for name, figures in FIGURES.items()} == KEYS
    assert tuple(KEYS) == NAMES


def test_goals_are_ceilings_or_floors() -> None:
    assert Figure("a", "", 2).is_met(2)
    assert not Figure("a", "", 2).is_met(2.1)
    assert Figure("a", "", 2, at_least=True).is_met(2)
    assert not Figure("a", "", 2, at_least=True).is_met(1.9)


def test_what_is_not_built_is_said() -> None:
    outcome = Outcome()
    outcome.put("of_orm", None)
    assert "not built" in table("pull", outcome)
    outcome.put("of_orm", 0.3, "a remark")
    shown = table("pull", outcome)
    assert "NO" in shown and "0.3" in shown and "a remark" in shown


def test_blocks_take_turns_and_the_control_shows_the_noise() -> None:
    order = []

    def block(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    found = compare(
        lambda: block("a", 3.0), lambda: block("b", 2.0), 2, control=lambda: block("control", 2.5)
    )
    assert order == ["a", "b", "control", "b", "a", "control"]
    assert (found.ratio, found.control) == (1.5, 1.25)

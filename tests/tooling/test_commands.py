"""The commands of bin/ as a person meets them: real processes, signals and sentences."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from _tooling.processes import belonging_to

CHECKOUT = Path(__file__).parents[2]
# Where the test itself found Odoo, PostgreSQL and its settings.
OURS = ("ODOO_RC", "PGHOST", "PGPORT", "PGUSER", "VIRTUAL_ENV")


class Command:
    """A started command whose progress can be waited for."""

    def __init__(self, arguments: list[str], **variables: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        self.process = subprocess.Popen(
            [str(CHECKOUT / "bin" / arguments[0]), *arguments[1:]],
            env={**inherited, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As a terminal would: a group that gets Ctrl-C together.
            start_new_session=True,
        )
        self.said = ""

    def wait_for(self, text: str) -> None:
        """Read on until a line has the text."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"{text!r} was never said:\n{self.said}")

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Wait for the end and return the exit code."""
        rest, _ = self.process.communicate(timeout=300)
        self.said += rest
        return self.process.returncode


def sentence_of(*arguments: str, **variables: str) -> str:
    """Run a command that must fail, and return the one line that it says."""
    command = Command(list(arguments), **variables)
    assert command.finish() == 1, command.said
    lines = [line for line in command.said.splitlines() if not line.startswith("[")]
    assert len(lines) == 1, command.said
    return lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for clusters and databases, apart from those of the checkout."""
    folder = tmp_path_factory.mktemp("run")
    yield folder
    assert not belonging_to(folder)


@pytest.fixture
def ports() -> list[str]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    names = ("odoo", "simulator", "page")
    return [f"--{name}-port={number}" for name, number in zip(names, numbers, strict=True)]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with ours."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


# Ctrl-C


@pytest.mark.parametrize(
    ("moment", "pause"),
    [("starting PostgreSQL", 0.0), ("starting PostgreSQL", 0.5), ("creating a database", 3.0)],
)
def test_ctrl_c_in_the_middle_of_the_set_up(
    run: Path, ports: list[str], moment: str, pause: float
) -> None:
    demo = Command(["demo", *ports], USERCOM_RUN=str(run))
    demo.wait_for(moment)
    time.sleep(pause)
    demo.press_ctrl_c()
    assert demo.finish() == 130
    assert "Traceback" not in demo.said
    assert not belonging_to(run)


def test_sigterm_ends_what_is_up_and_nothing_else(
    run: Path, ports: list[str], bystander: subprocess.Popen[bytes]
) -> None:
    demo = Command(["demo", *ports], USERCOM_RUN=str(run))
    demo.wait_for("Ctrl-C ends")
    assert len(belonging_to(run)) > 3
    demo.process.terminate()
    assert demo.finish() == 0
    assert "Traceback" not in demo.said
    assert not belonging_to(run)
    assert bystander.poll() is None


def test_second_run_checks_that_the_sides_agree(run: Path, ports: list[str]) -> None:
    demo = Command(["demo", "--check", *ports], USERCOM_RUN=str(run))
    assert demo.finish() == 0, demo.said
    assert not belonging_to(run)


def test_killed_demo_leaves_nothing(run: Path, ports: list[str]) -> None:
    demo = Command(["demo", *ports], USERCOM_RUN=str(run))
    demo.wait_for("Ctrl-C ends")
    demo.process.kill()
    demo.finish()
    deadline = time.monotonic() + 20
    while belonging_to(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not belonging_to(run)


# PostgreSQL


def test_cluster_lives_as_long_as_its_users(run: Path) -> None:
    first = Command(["env", "sh", "-c", "echo up; exec sleep 600"], USERCOM_RUN=str(run))
    first.wait_for("up")
    second = Command(["env", "psql", "-Atc", "select 6 * 7", "postgres"], USERCOM_RUN=str(run))
    assert second.finish() == 0
    assert second.said.split() == ["42"]
    assert any("postgres" in command for command in belonging_to(run).values())
    os.killpg(first.process.pid, signal.SIGKILL)
    first.finish()
    deadline = time.monotonic() + 10
    while belonging_to(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not belonging_to(run)


# One sentence


def test_taken_port(ports: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence_of("demo", *ports[1:], f"--odoo-port={port}")
    assert said == (
        f"Port {port} is taken or not allowed: end the program that listens on it, or choose "
        "another port with --odoo-port."
    )


def test_source_without_odoo(tmp_path: Path) -> None:
    said = sentence_of("odoo", ODOO_SOURCE=str(tmp_path))
    assert said.startswith(f"{tmp_path} holds no Odoo") and "branch 19.0" in said


def test_source_of_another_odoo(tmp_path: Path) -> None:
    release = tmp_path / "odoo" / "release.py"
    release.parent.mkdir()
    release.write_text("version_info = (18, 0, 0, FINAL, 0, '')\n")
    assert "another Odoo than 19.0" in sentence_of("odoo", ODOO_SOURCE=str(tmp_path))


def with_tools(folder: Path, *names: str, **scripts: str) -> str:
    """Make a folder to be all of PATH: links to tools of this machine, and made-up ones."""
    for name in names:
        where = sys.executable if name == "python3" else shutil.which(name)
        assert where
        (folder / name).write_text(f'#!/bin/sh\nexec {where} "$@"\n')
        (folder / name).chmod(0o755)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def failing_apt(error: str) -> str:
    mirror = "'http://nowhere.invalid/debian/dists/x/InRelease' f 0"
    fail = f'echo "{error}"; exit 100'
    return f'case "$*" in *--print-uris*) echo "{mirror}" ;; *) {fail} ;; esac'


def test_unfit_python(tmp_path: Path) -> None:
    old = {f"python3{suffix}": "exit 1" for suffix in ("", ".10", ".11", ".12", ".13")}
    path = with_tools(tmp_path, "sh", "dirname", **old)
    assert sentence_of("demo", PATH=path).startswith("Odoo 19 needs Python 3.10, 3.11, 3.12 or")


def test_no_apt(tmp_path: Path) -> None:
    path = with_tools(tmp_path, "python3", "sh", "dirname", "setpriv")
    said = sentence_of("odoo", PATH=path, USERCOM_CACHE=str(tmp_path / "cache"))
    assert "set ODOO_SOURCE" in said
    assert not list((tmp_path / "cache").glob("odoo-*/*"))


def test_no_network(tmp_path: Path) -> None:
    apt = failing_apt("E: Failed to fetch: Could not resolve")
    tools = ("python3", "sh", "dirname", "setpriv", "dpkg-deb")
    path = with_tools(tmp_path, *tools, **{"apt-get": apt})
    said = sentence_of("odoo", PATH=path, USERCOM_CACHE=str(tmp_path / "cache"))
    assert "check this machine's network" in said and "Could not resolve" in said


def test_full_disk(tmp_path: Path) -> None:
    apt = failing_apt("E: Write error - write (28: No space left on device)")
    tools = ("python3", "sh", "dirname", "setpriv", "dpkg-deb")
    path = with_tools(tmp_path, *tools, **{"apt-get": apt})
    said = sentence_of("odoo", PATH=path, USERCOM_CACHE=str(tmp_path / "cache"))
    assert said.startswith("The disk is full")


def test_superuser_of_a_named_server() -> None:
    assert "set PGUSER to another role" in sentence_of("odoo", PGHOST="/nowhere", PGUSER="postgres")


def test_named_server_that_is_not_there(ports: list[str], run: Path) -> None:
    said = sentence_of("demo", *ports, PGHOST="/nowhere", PGUSER="shop", USERCOM_RUN=str(run))
    assert said.startswith("The PostgreSQL server named by PGHOST lets nobody in")


def test_help_needs_nothing(tmp_path: Path) -> None:
    path = with_tools(tmp_path, "python3", "sh", "dirname")
    command = Command(["demo", "--help"], PATH=path, USERCOM_CACHE=str(tmp_path / "cache"))
    assert command.finish() == 0
    assert "--check" in command.said
    assert not (tmp_path / "cache").exists()


def test_every_option_is_explained() -> None:
    command = Command(["demo", "--help"])
    command.finish()
    for option in ("odoo-port", "simulator-port", "page-port", "reset", "check"):
        assert re.search(rf"--{option}\b", command.said)

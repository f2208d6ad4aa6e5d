"""`bin/demo`: Odoo with the addon and demo data, and a stand-in for User.com beside it.

The first half (`demo`) runs on any fit Python: it reads the options and fetches what is missing.
It then becomes the second half (`demo_inside`), which runs in the virtual environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from pathlib import Path

from . import processes
from .locks import take
from .places import ADDON, CHECKOUT, run_folder
from .problem import Problem
from .say import say

# No secret: it opens nothing but the simulator on this machine.
KEY = "DemoKey0" * 8
IN_STEP_WITHIN = 60
SERVED = {"odoo": 8069, "simulator": 8070, "page": 8071}


def options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bin/demo",
        description="Start Odoo 19 with the addon and demo data, and a stand-in for User.com. "
        "Ctrl-C ends both; the data stay for the next time.",
    )
    for what, default in SERVED.items():
        parser.add_argument(
            f"--{what}-port",
            type=int,
            default=default,
            metavar="PORT",
            help=f"where the {what} is served ({default})",
        )
    parser.add_argument("--reset", action="store_true", help="begin anew, without the old data")
    parser.add_argument(
        "--check",
        action="store_true",
        help="wait until the contacts are in step on both sides, then end everything",
    )
    return parser.parse_args(arguments)


def demo(arguments: list[str]) -> int:
    """Refuse early what cannot work, fetch what is missing, and go on in the environment."""
    from .runtime import prepare

    _check_ports(options(arguments))
    runtime = prepare("demo", durable=True)
    start = Path(__file__).parents[1] / "_start.py"
    command = [str(runtime.python), str(start), "demo-inside", *arguments]
    processes.become(command, {**os.environ})


def _check_ports(given: argparse.Namespace) -> None:
    chosen = {f"--{what}-port": getattr(given, f"{what}_port") for what in SERVED}
    if len(set(chosen.values())) < len(chosen):
        raise Problem("Two of the ports are the same: choose three different ones.")
    for option, port in chosen.items():
        processes.check_port(port, option)


def demo_inside(arguments: list[str]) -> int:
    """Start everything, wait for the end, and end everything."""
    given = options(arguments)
    lock = take(run_folder("demo") / "demo.lock", wait=False)
    if lock is None:
        raise Problem("The demo of this checkout is running already: end it first.")
    show = Demo(given)
    try:
        show.begin()
        if given.check:
            show.wait_until_in_step()
            say("the contacts are in step on both sides")
            return 0
        show.explain()
        return show.wait()
    except KeyboardInterrupt:
        return 0 if show.up and not given.check else 130
    finally:
        processes.hold_signals()
        show.end()
        os.close(lock)


class Demo:
    """What belongs to one run of the demo."""

    def __init__(self, given: argparse.Namespace) -> None:
        from .demo_page import Page
        from .runtime import prepare

        self.given = given
        self.up = False
        self.odoo_url = f"http://127.0.0.1:{given.odoo_port}"
        self.simulator_url = f"http://127.0.0.1:{given.simulator_port}"
        self.page_url = f"http://127.0.0.1:{given.page_port}"
        self.runtime = prepare("demo", durable=True)
        self.simulator_state = self.runtime.folder / "simulator.json"
        self._hold: int | None = None
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._page: Page | None = None

    def begin(self) -> None:
        """Bring everything up, one step after the other."""
        from .demo_page import Page
        from .runtime import use_database_server

        say("starting PostgreSQL")
        self._hold = use_database_server(self.runtime)
        database = self._database()
        say("starting the stand-in for User.com")
        self._start_simulator()
        say("starting Odoo")
        self._start_odoo(database)
        say("connecting the two")
        self._connect(database)
        self._page = Page(self.given.page_port, self.odoo_url, self.simulator_url)
        self.up = True

    def explain(self) -> None:
        """Print where everything is."""
        print(
            f"""
  What to try   {self.page_url}
  Odoo          {self.odoo_url}   login admin, password admin
  User.com      {self.simulator_url}   (the stand-in)

  Logs: {self.runtime.folder}
  Ctrl-C ends the demo; --reset begins anew the next time.
""",
            flush=True,
        )

    def wait(self) -> int:
        """Wait for Ctrl-C; a server that ends by itself is told."""
        while True:
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise Problem(f"{name} has ended by itself: {self._log(name)} says why.")
            time.sleep(0.5)

    def wait_until_in_step(self) -> None:
        """Wait until the demo's contacts are equal on both sides."""
        from .demo_account import out_of_step

        deadline = time.monotonic() + IN_STEP_WITHIN
        while missing := out_of_step(self._client, self.simulator_url):
            if time.monotonic() > deadline:
                raise Problem(
                    f"After {IN_STEP_WITHIN} s these contacts are not in step: "
                    f"{', '.join(missing)}; {self._log('odoo')} says why."
                )
            time.sleep(0.5)

    def end(self) -> None:
        """End everything that was started."""
        from .runtime import leave_database_server

        if self._page:
            self._page.close()
        # Odoo first: the simulator may be needed to finish what is under way.
        for child in reversed(list(self._children.values())):
            processes.stop(child)
        leave_database_server(self.runtime, self._hold)

    def _database(self) -> str:
        """Return the demo's database, made or brought up to date as needed."""
        from .databases import KeptDatabase, content_digest, dependencies

        kept = KeptDatabase(self.runtime, "demo")
        if self.given.reset:
            kept.drop()
            self.simulator_state.unlink(missing_ok=True)
        log = self.runtime.folder / "install.log"
        if not kept.exists():
            say("creating a database with demo data")
            # A database of another life has nothing in common with what the simulator kept.
            self.simulator_state.unlink(missing_ok=True)
            kept.make([*dependencies(), ADDON.name], log, content_digest(ADDON))
        elif kept.made_from() != content_digest(ADDON):
            say("updating the addon in the database")
            kept.update([ADDON.name], log, content_digest(ADDON))
        return kept.name

    def _start_simulator(self) -> None:
        command = [str(self.runtime.python), "-m", "simulator", f"--key={KEY}"]
        command += [f"--port={self.given.simulator_port}", f"--state={self.simulator_state}"]
        with self._log("simulator").open("wb") as output:
            self._children["simulator"] = child = processes.start(
                command, variables=self.runtime.variables(), folder=CHECKOUT, output=output
            )
        deadline = time.monotonic() + 20
        while not processes.listens(self.given.simulator_port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise Problem(f"The simulator did not start: {self._log('simulator')} says why.")
            time.sleep(0.05)

    def _start_odoo(self, database: str) -> None:
        from .odoo_process import OdooClient, OdooFailed, start_odoo

        self._log("odoo").unlink(missing_ok=True)
        try:
            self._children["odoo"] = start_odoo(
                self.runtime,
                database,
                self.given.odoo_port,
                self._log("odoo"),
                variables={"USERCOM_BASE_URL": self.simulator_url},
                arguments=[],
            )
            self._client = OdooClient(self.odoo_url, database)
        except OdooFailed as failure:
            raise Problem(str(failure)) from failure

    def _connect(self, database: str) -> None:
        from .demo_account import demo_setup
        from .odoo_process import OdooFailed

        try:
            demo_setup(self._client, self.odoo_url, self.simulator_url, KEY)
        except OdooFailed as failure:
            last = str(failure).strip().splitlines()[-1]
            raise Problem(
                f"The demo's account could not be set up ({last}): {self._log('odoo')} says more, "
                "--reset begins anew."
            ) from failure

    def _log(self, name: str) -> Path:
        return self.runtime.folder / f"{name}.log"

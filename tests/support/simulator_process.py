"""The simulator as a process of its own, which a test can stop and start again as it was."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import requests
from _tooling import processes
from _tooling.places import CHECKOUT

from simulator.testing import ControlClient
from tests.support.odoo_server import free_port

UP_WITHIN = 20


class SimulatorProcess:
    """``with SimulatorProcess(folder) as sim: sim.control.add_contact(...)``.

    Without ``keeps`` it forgets all when it ends, and spends no time on its state file.
    """

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        self.key = secrets.token_hex(32)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.control = ControlClient(self.url)
        self._state = folder / "simulator.json" if keeps else None
        self._log = folder / "simulator.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> SimulatorProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it with what it held when it was stopped, and wait until it answers."""
        if self._process:
            return
        command = [sys.executable, "-m", "simulator", "--port", str(self.port)]
        command += ["--key", self.key]
        if self._state:
            command += ["--state", str(self._state)]
        with self._log.open("ab") as output:
            self._process = processes.start(command, folder=CHECKOUT, output=output)
        deadline = time.monotonic() + UP_WITHIN
        while True:
            try:
                self.control.status()
                return
            except requests.ConnectionError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.stop()
                    raise AssertionError(self._log.read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it: from now on connections are refused."""
        if self._process:
            processes.stop(self._process)
            self._process = None

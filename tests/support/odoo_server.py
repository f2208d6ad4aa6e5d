"""Odoo as a process of its own, with its scheduled actions running, on a database of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg2
import requests
from _tooling.databases import connection_options
from _tooling.runtime import Runtime

UP_WITHIN = 60
STOPPED_WITHIN = 30
LOG_LINE = re.compile(
    r"^\d{4}-\d\d-\d\d [\d:,]+ \d+ (?P<level>[A-Z]+) \S+ (?P<logger>\S+): (?P<text>.*)"
)


class OdooServer:
    """A started Odoo; ``odoo_server`` makes it and ends it."""

    def __init__(
        self,
        runtime: Runtime,
        database: str,
        log: Path,
        environment: dict[str, str],
        arguments: list[str],
    ) -> None:
        self.database = database
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._runtime = runtime
        self._environment = environment
        self._arguments = arguments
        self._read_up_to = 0
        self.process = self._start()

    def kill(self) -> None:
        """End the server as a power cut would: SIGKILL, at once, children included."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server as an administrator would."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self, **environment: str) -> None:
        """Start again on the same port and database, with more environment variables if given."""
        if self.process.poll() is None:
            self.stop()
        self._environment |= environment
        self.process = self._start()

    def wait_killed(self, timeout: float = 30) -> None:
        """Wait until the process has ended by itself, as one that kills itself in a test does."""
        self.process.wait(timeout)

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a model as the administrator, over HTTP as the web client does."""
        session = requests.Session()
        login = {"db": self.database, "login": "admin", "password": "admin"}
        self._post(session, "/web/session/authenticate", login)
        parameters = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self._post(session, f"/web/dataset/call_kw/{model}/{method}", parameters)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the database past Odoo; works also while the server is down."""
        connection = psycopg2.connect(dbname=self.database, **connection_options(self._runtime))
        with contextlib.closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def new_complaints(self) -> list[str]:
        """Return the warnings and errors logged since this was last asked."""
        with self.log.open("rb") as file:
            file.seek(self._read_up_to)
            text = file.read().decode(errors="replace")
            self._read_up_to = file.tell()
        found = map(LOG_LINE.match, text.splitlines())
        return [
            f"{line['level']} {line['logger']}: {line['text']}"
            for line in found
            if line and line["level"] in ("WARNING", "ERROR", "CRITICAL")
        ]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*self._runtime.odoo_command(), "-d", self.database, f"--db-filter=^{self.database}$"]
        command += [f"--http-port={self.port}", "--max-cron-threads=2", *self._arguments]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**self._runtime.variables(), **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own, to be ended as a whole.
                start_new_session=True,
            )
        self._wait_until_up(process)
        return process

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + UP_WITHIN
        while time.monotonic() < deadline and process.poll() is None:
            # Health looks at nothing but the process; the login page needs the database as well.
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/web/login", timeout=UP_WITHIN).ok:
                    return
            time.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
        raise AssertionError(f"Odoo did not come up; the end of its log:\n{tail}")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _post(self, session: requests.Session, path: str, parameters: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters}
        answer = session.post(self.url + path, json=body, timeout=60).json()
        if "error" in answer:
            data = answer["error"].get("data") or {}
            raise AssertionError(data.get("debug") or data.get("message") or answer["error"])
        return answer.get("result")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Odoo as a process of its own, with its scheduled actions running, on a database of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import psycopg2
from _tooling import processes
from _tooling.databases import connection_options
from _tooling.odoo_process import OdooClient, start_odoo
from _tooling.runtime import Runtime

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
        processes.signal_group(self.process, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server as an administrator would."""
        processes.stop(self.process)

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
        return OdooClient(self.url, self.database).call(model, method, *args, **kwargs)

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

    def _start(self) -> subprocess.Popen[str]:
        return start_odoo(
            self._runtime,
            self.database,
            self.port,
            self.log,
            variables=self._environment,
            arguments=self._arguments,
        )


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Odoo as a running server, and calls to it as the web client makes them.

Needs requests, so it is imported only by code that runs in the virtual environment.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

from . import processes
from .runtime import Runtime

UP_WITHIN = 90


class OdooFailed(Exception):
    """Odoo did not come up, or answered a call with an error."""


def start_odoo(
    runtime: Runtime,
    database: str,
    port: int,
    log: Path,
    *,
    variables: dict[str, str],
    arguments: list[str],
) -> subprocess.Popen[str]:
    """Start a server with its scheduled actions on one database and wait until it answers."""
    command = [*runtime.odoo_command(), "-d", database, f"--db-filter=^{database}$"]
    command += [f"--http-port={port}", "--max-cron-threads=2", *arguments]
    with log.open("ab") as output:
        process = processes.start(
            command, variables={**runtime.variables(), **variables}, output=output
        )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}", log)
    except BaseException:
        processes.stop(process)
        raise
    return process


def _wait_until_up(process: subprocess.Popen[str], url: str, log: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            # The login page, for it needs the database as well.
            if requests.get(f"{url}/web/login", timeout=UP_WITHIN).ok:
                return
        time.sleep(0.1)
    raise OdooFailed(f"Odoo did not come up; {log} says why.")


class OdooClient:
    """Calls to a running Odoo, as one of its users."""

    def __init__(self, url: str, database: str, login: str = "admin") -> None:
        self.url = url
        self._session = requests.Session()
        # In the demo and in the tests the password equals the login, as in Odoo's demo data.
        user = {"db": database, "login": login, "password": login}
        self._post("/web/session/authenticate", user)

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a model; the ids of its records are the first argument."""
        parameters = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", parameters)

    def _post(self, path: str, parameters: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters}
        answer = self._session.post(self.url + path, json=body, timeout=60).json()
        if "error" in answer:
            data = answer["error"].get("data") or {}
            raise OdooFailed(data.get("debug") or data.get("message") or str(answer["error"]))
        return answer.get("result")

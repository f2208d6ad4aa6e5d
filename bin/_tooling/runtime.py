"""Odoo, packages and PostgreSQL put together into something that runs commands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .odoo_tree import OdooTree, find_odoo
from .packages import find_environment, python_of
from .places import CHECKOUT, run_folder
from .postgres import Cluster, cluster_named, join, wait_until_stopped
from .problem import Problem


@dataclass(frozen=True)
class Runtime:
    """Everything a command needs to run Odoo."""

    name: str
    odoo: OdooTree
    environment: Path
    # None where a PostgreSQL server was named by PGHOST; that one is never started or stopped.
    cluster: Cluster | None

    @property
    def python(self) -> Path:
        """Return the Python that has Odoo and the locked packages."""
        return python_of(self.environment)

    @property
    def folder(self) -> Path:
        """Return the folder for files of this runtime."""
        return run_folder(self.name)

    def variables(self) -> dict[str, str]:
        """Return the environment in which Odoo and its tools run."""
        path = [str(self.environment / "bin"), os.environ.get("PATH", os.defpath)]
        ours = {"ODOO_RC": str(self._configuration()), "VIRTUAL_ENV": str(self.environment)}
        if self.cluster:
            path.insert(1, str(self.cluster.binaries))
            ours |= self.cluster.environment()
        return {**os.environ, **ours, "PATH": os.pathsep.join(path)}

    def odoo_command(self) -> list[str]:
        """Return the start of a command line that runs Odoo."""
        return [str(self.python), "-m", "odoo"]

    def _configuration(self) -> Path:
        """Write Odoo's settings; a file of the user's own would otherwise be read instead."""
        settings = {
            "addons_path": str(CHECKOUT),
            "data_dir": str(self.folder / "odoo-data"),
            "http_interface": "127.0.0.1",
            # A limit of address space would hold for the simulators and browsers of a test run too,
            # which live in this process or are started by it.
            "limit_memory_hard": "0",
            "list_db": "False",
            "without_demo": "True",
        }
        text = "[options]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
        file = self.folder / "odoo.conf"
        if not file.is_file() or file.read_text() != text:
            aside = file.with_suffix(f".{os.getpid()}")
            aside.write_text(text)
            aside.rename(file)
        return file


def prepare(name: str, *, durable: bool) -> Runtime:
    """Fetch what is missing; the cluster is not started yet."""
    odoo = find_odoo()
    environment = find_environment(odoo)
    cluster = cluster_named(name, environment, durable=durable)
    # A process started by one of our commands finds our own cluster named there.
    if os.environ.get("PGHOST") not in (None, "", str(cluster.sockets)):
        if os.environ.get("PGUSER", "postgres") == "postgres":
            raise Problem(
                "Odoo refuses to work as the database user postgres: set PGUSER to another role "
                "that may create databases."
            )
        return Runtime(name, odoo, environment, None)
    return Runtime(name, odoo, environment, cluster)


def use_database_server(runtime: Runtime) -> int | None:
    """Have PostgreSQL run for as long as the returned descriptor is open."""
    return join(runtime.cluster) if runtime.cluster else None


def leave_database_server(runtime: Runtime, hold: int | None) -> None:
    """Let go of PostgreSQL, and wait until it has stopped if nobody else uses it."""
    if runtime.cluster and hold is not None:
        os.close(hold)
        wait_until_stopped(runtime.cluster)

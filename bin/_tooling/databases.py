"""Template databases with Odoo and the addon installed, and copies of them to be thrown away.

Needs psycopg2, so it is imported only by code that runs in the virtual environment.

Installing takes the better part of a minute, copying a fraction of a second. There are several
templates, so that a change of the addon does not install Odoo's own modules again:

* base: the modules that the addon depends on;
* addon: a copy of base with the addon installed.

For the glue addons there are two more, made when somebody first asks for them: sitebase, a copy of
base with the modules that those depend on, and site, with them and the addon.

Each name carries a digest of what went into it. An advisory lock, which PostgreSQL releases when
its holder dies, tells which databases are in use; all others of this checkout are dropped.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.sql import SQL, Identifier

from . import processes
from .locks import alone
from .places import ADDON, CHECKOUT, GLUE, LOCK_FILE, digest
from .problem import Problem
from .runtime import Runtime, leave_database_server, use_database_server
from .say import say

#: What may stand beside the addon and has a say in what it does; tested with the glue addons.
BESIDES = ["base_automation"]

PREFIX = f"usercom_{digest(str(CHECKOUT))[:6]}"


class Databases:
    """The databases of one run on one server; everything it copied is dropped by `close`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._hold = use_database_server(runtime)
        self._connection = _connect(runtime, "postgres")
        self._copies: list[str] = []
        self._templates: dict[str, str] = {}

    def close(self) -> None:
        """Drop this run's copies and let go of the server."""
        for name in list(self._copies):
            self.drop(name)
        self._connection.close()
        leave_database_server(self.runtime, self._hold)

    def copy(self, *, with_addon: bool = True, with_website: bool = False) -> str:
        """Return the name of a new database with the addon installed, or what it depends on.

        :param with_website: together with the glue addons.
        """
        template = self.template() if with_addon else self._base()
        if with_website:
            template = self._site_template()
        name = f"{PREFIX}_run_{os.getpid()}_{len(self._copies)}"
        self._lock(name)
        self._create(name, template)
        self._copies.append(name)
        return name

    def drop(self, name: str) -> None:
        """Drop a copy, whoever is connected to it."""
        self._drop(name)
        self._copies.remove(name)

    def template(self) -> str:
        """Return the database with the addon installed, made when the addon has changed."""
        return self._made("addon", self._base, "the addon", [ADDON.name])

    def _base(self) -> str:
        return self._made("base", lambda: "template0", "Odoo's own modules", dependencies())

    def _site_template(self) -> str:
        addons = [folder.name for folder in (ADDON, *GLUE)]
        return self._made("site", self._sitebase, "the addon and its glue addons", addons)

    def _sitebase(self) -> str:
        modules = [*dependencies(*GLUE), *BESIDES]
        return self._made("sitebase", self._base, "Odoo's website", modules)

    def _made(self, kind: str, origin: Callable[[], str], what: str, modules: list[str]) -> str:
        if kind in self._templates:
            return self._templates[kind]
        origin_name = origin()
        names = self._names()
        with alone(self.runtime.folder / "templates.lock", "preparing template databases"):
            self._lock(names[kind], shared=True)
            self._drop_unused(keep={*names.values(), *self._copies})
            if not self._exists(names[kind]):
                say(f"installing {what} into a template database")
                self._build(names[kind], origin_name, modules)
        self._templates[kind] = names[kind]
        return names[kind]

    def _names(self) -> dict[str, str]:
        """Return the names of the templates as the code is now."""
        base = digest(self.runtime.odoo.identity, LOCK_FILE.read_bytes(), *dependencies())
        sitebase = digest(base, *dependencies(*GLUE), *BESIDES)
        keys = {
            "base": base,
            "addon": digest(base, content_digest(ADDON)),
            "sitebase": sitebase,
            "site": digest(sitebase, *map(content_digest, (ADDON, *GLUE))),
        }
        return {kind: f"{PREFIX}_{kind}_{key}" for kind, key in keys.items()}

    def _build(self, name: str, origin: str, modules: list[str]) -> None:
        # Under another name until it is complete.
        unfinished = f"{name}_new"
        self._create(unfinished, origin)
        log = self.runtime.folder / f"{name.removeprefix(PREFIX + '_')}.log"
        install(self.runtime, unfinished, modules, log)
        ours = {folder.name for folder in (ADDON, *GLUE)}
        if ours.issuperset(modules) and (warnings := warnings_in(log)):
            raise Problem(
                f"Installing {', '.join(modules)} warns: {warnings[0]} (all of it: {log})."
            )
        self._execute(SQL("ALTER DATABASE {} RENAME TO {}"), unfinished, name)
        with contextlib.suppress(FileNotFoundError):
            files_of(self.runtime, unfinished).rename(files_of(self.runtime, name))

    def _create(self, name: str, origin: str) -> None:
        encoding = "ENCODING 'unicode' LC_COLLATE 'C'" if origin == "template0" else ""
        self._execute(SQL("CREATE DATABASE {} " + encoding + " TEMPLATE {}"), name, origin)
        if files_of(self.runtime, origin).is_dir():
            # Odoo never changes a stored file, so the copy can share it.
            shutil.copytree(
                files_of(self.runtime, origin), files_of(self.runtime, name), copy_function=os.link
            )

    def _drop(self, name: str) -> None:
        self._execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)
        shutil.rmtree(files_of(self.runtime, name), ignore_errors=True)

    def _drop_unused(self, keep: set[str]) -> None:
        for (name,) in self._query("SELECT datname FROM pg_database"):
            if not name.startswith(f"{PREFIX}_") or name in keep:
                continue
            if self._query("SELECT pg_try_advisory_lock(%s)", _lock_number(name))[0][0]:
                self._drop(name)
                self._query("SELECT pg_advisory_unlock(%s)", _lock_number(name))

    def _exists(self, name: str) -> bool:
        return bool(self._query("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def _lock(self, name: str, *, shared: bool = False) -> None:
        function = "pg_advisory_lock_shared" if shared else "pg_advisory_lock"
        self._query(f"SELECT {function}(%s)", _lock_number(name))

    def _query(self, query: str, *values: object) -> list[tuple[str]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def _execute(self, statement: SQL, *names: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement.format(*map(Identifier, names)))


class KeptDatabase:
    """A database with demo data that stays from one run to the next."""

    def __init__(self, runtime: Runtime, purpose: str) -> None:
        self.runtime = runtime
        self.name = f"usercom_{purpose}" if runtime.cluster else f"{PREFIX}_{purpose}"
        self._note = runtime.folder / "made-from"

    def exists(self) -> bool:
        """Tell whether it was made completely."""
        with _session(self.runtime, "postgres") as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.name,))
            return bool(cursor.fetchone())

    def made_from(self) -> str:
        """Return the digest of the addon that it has, or nothing if that is not known."""
        return self._note.read_text() if self._note.is_file() else ""

    def make(self, modules: list[str], log: Path, made_from: str) -> None:
        """Make it with demo data, under another name until it is complete."""
        unfinished = f"{self.name}_new"
        self.drop(unfinished)
        self._execute(
            "CREATE DATABASE {} ENCODING 'unicode' LC_COLLATE 'C' TEMPLATE template0", unfinished
        )
        install(self.runtime, unfinished, modules, log, demo_data=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(files_of(self.runtime, self.name), ignore_errors=True)
            files_of(self.runtime, unfinished).rename(files_of(self.runtime, self.name))
        self._note.write_text(made_from)
        self._execute("ALTER DATABASE {} RENAME TO {}", unfinished, self.name)

    def update(self, modules: list[str], log: Path, made_from: str) -> None:
        """Bring it up to date with changed modules."""
        install(self.runtime, self.name, modules, log, update=True)
        self._note.write_text(made_from)

    def drop(self, name: str | None = None) -> None:
        """Remove it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name or self.name)
        shutil.rmtree(files_of(self.runtime, name or self.name), ignore_errors=True)

    def _execute(self, statement: str, *names: str) -> None:
        with _session(self.runtime, "postgres") as cursor:
            cursor.execute(SQL(statement).format(*map(Identifier, names)))


@contextlib.contextmanager
def _session(runtime: Runtime, database: str) -> Iterator[Any]:
    connection = _connect(runtime, database)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def _connect(runtime: Runtime, database: str) -> Any:
    try:
        connection = psycopg2.connect(dbname=database, **connection_options(runtime))
    except psycopg2.OperationalError as error:
        if runtime.cluster:
            raise
        told = " ".join(str(error).split())
        raise Problem(
            f"The PostgreSQL server named by PGHOST lets nobody in ({told}): correct PGHOST, "
            "PGPORT, PGUSER and PGPASSWORD, or unset PGHOST to have one started."
        ) from None
    connection.autocommit = True
    return connection


def files_of(runtime: Runtime, name: str) -> Path:
    """Return where Odoo keeps the files of a database."""
    return runtime.folder / "odoo-data" / "filestore" / name


@contextlib.contextmanager
def databases(runtime: Runtime) -> Iterator[Databases]:
    """Provide the databases of one run."""
    opened = Databases(runtime)
    try:
        yield opened
    finally:
        opened.close()


def connection_options(runtime: Runtime) -> dict[str, str]:
    """Return how psycopg2 reaches the server; a named one it finds by the PG variables."""
    if runtime.cluster is None:
        return {}
    variables = runtime.cluster.environment()
    return {
        "host": variables["PGHOST"],
        "port": variables["PGPORT"],
        "user": variables["PGUSER"],
    }


def install(
    runtime: Runtime,
    name: str,
    modules: list[str],
    log: Path,
    *,
    demo_data: bool = False,
    update: bool = False,
) -> None:
    """Install or update modules in a database by Odoo's own command."""
    command = [*runtime.odoo_command(), "-d", name, "-u" if update else "-i", ",".join(modules)]
    command.append("--no-http")
    command += ["--stop-after-init", "--with-demo" if demo_data else "--without-demo"]
    with log.open("wb") as output:
        code, _ = processes.run(command, variables=runtime.variables(), output=output)
    installed = set()
    if code == 0:
        with _session(runtime, name) as cursor:
            cursor.execute("SELECT name FROM ir_module_module WHERE state = 'installed'")
            installed = {row[0] for row in cursor.fetchall()}
    if not installed.issuperset(modules):
        raise Problem(
            f"{', '.join(modules)} could not be installed: {_last_error(log)} (all of it: {log})."
        )


def dependencies(*addons: Path) -> list[str]:
    """Return the modules that the addon's manifest names, or others' besides those of ours."""
    ours = {folder.name for folder in (ADDON, *GLUE)}
    manifests = [ast.literal_eval((f / "__manifest__.py").read_text()) for f in addons or (ADDON,)]
    return sorted({name for manifest in manifests for name in manifest["depends"]} - ours)


def content_digest(folder: Path) -> str:
    """Return what stands for the content of all files in the folder."""
    seed = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            seed.update(f"{file.relative_to(folder)}\0".encode())
            seed.update(hashlib.sha256(file.read_bytes()).digest())
    return seed.hexdigest()


def warnings_in(log: Path) -> list[str]:
    """Return what Odoo warned of, or worse, in a log."""
    found = re.findall(r"^\S+ \S+ \d+ (?:WARNING|ERROR|CRITICAL) \S+ (.*)", log.read_text(), re.M)
    return [warning.rstrip(".") for warning in found]


def _last_error(log: Path) -> str:
    text = log.read_text(errors="replace")
    # As Python ends a traceback: the exception's name at the start of a line.
    errors = re.findall(r"^[\w.]+(?:Error|Exception)\b.*", text, re.MULTILINE)
    return errors[-1].rstrip(".") if errors else "Odoo says why in its log"


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)

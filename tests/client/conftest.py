"""A server that says, byte by byte, what a test tells it to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from odoo.addons.usercom_connector.client import UserCom

    from simulator.testing import ControlClient
KEY = "k3y" + "x" * 61
Script = Callable[[socket.socket], None]


@dataclass
class Request:
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Wire:
    """Answers each request with the next thing said, and remembers it."""

    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._answers: deque[bytes | Script] = deque()
        self._open: list[socket.socket] = []
        self.stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, status: int, body: Any = b"", *headers: str, cut: int = 0) -> None:
        """Answer with JSON, or with bytes as they are; `cut` leaves so many out at the end."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers, "", ""]
        self.say_raw(("\r\n".join(lines)).encode() + content[: len(content) - cut], close=bool(cut))

    def say_raw(self, content: bytes, close: bool = True) -> None:
        def script(sock: socket.socket) -> None:
            sock.sendall(content)
            if close:
                raise ConnectionError

        self._answers.append(script)

    def do(self, script: Script) -> None:
        """Answer by hand; the connection is closed afterwards."""

        def closing(sock: socket.socket) -> None:
            script(sock)
            raise ConnectionError

        self._answers.append(closing)

    def trickle(self, head: bytes, drop: bytes) -> None:
        """Answer with `head` and then with a drop every 50 ms, for as long as anybody listens."""

        def script(sock: socket.socket) -> None:
            sock.sendall(head)
            while not self.stopped.wait(0.05):
                sock.sendall(drop)

        self.do(script)

    @property
    def last(self) -> Request:
        return self.requests[-1]

    def close(self) -> None:
        self.stopped.set()
        for sock in (self._listener, *self._open):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as reader:
                while line := reader.readline():
                    method, target, _ = line.decode().split(" ", 2)
                    head = b"".join(iter(reader.readline, b"\r\n"))
                    headers = BytesParser().parsebytes(head)
                    body = reader.read(int(headers.get("Content-Length", 0)))
                    self.requests.append(Request(method, target, headers, body))
                    self._answers.popleft()(sock)
        except (OSError, IndexError, UnicodeError):
            pass


@pytest.fixture
def make_wire() -> Iterator[Callable[..., Wire]]:
    servers: list[Wire] = []

    def make(context: ssl.SSLContext | None = None) -> Wire:
        servers.append(Wire(context))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def wire(make_wire: Callable[..., Wire]) -> Wire:
    return make_wire()


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def api(wire: Wire) -> Iterator[UserCom]:
    """A client of the scripted server, with short limits."""
    # Not above: this file is loaded before Odoo knows where its addons are.
    from odoo.addons.usercom_connector.client import UserCom

    with UserCom(wire.url, KEY, timeout=(0.5, 0.6)) as client:
        yield client


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    started = time.monotonic()
    return lambda: time.monotonic() - started


@pytest.fixture(params=[True, False], ids=["flat", "listed"])
def account(request: pytest.FixtureRequest, simulator: ControlClient) -> ControlClient:
    """An account with two attributes, in each of the shapes that version 2 may have."""
    simulator.switch(flatten_v2=request.param)
    simulator.add_attribute("Email consent", "boolean")
    simulator.add_attribute("Interests", "fixed", choices=["a", "b"], allow_multiple_choices=True)
    return simulator


@pytest.fixture
def usercom(account: ControlClient) -> Iterator[UserCom]:
    """A client of that account."""
    from odoo.addons.usercom_connector.client import UserCom

    with UserCom(account.url, account.key, timeout=(1, 2)) as client:
        yield client

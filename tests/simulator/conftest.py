"""A fresh simulator for every test, callers of its API, and a receiver of its webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from simulator.testing import ControlClient, running_simulator


class Caller:
    """Calls the API of one simulator with one key and one version."""

    def __init__(self, sim: ControlClient, version: int, key: str | None = None) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False
        accept = "*/*; version=2" if version == 2 else "*/*"
        self.session.headers.update({"Authorization": f"Token {key or sim.key}", "Accept": accept})

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """``path`` is what follows ``/api/public/``, or a whole address."""
        url = path if path.startswith("http") else self.sim.api_url + path
        more = {"timeout": 10, "allow_redirects": False, **more}
        if body is not None:
            more["json"] = body
        return self.session.request(method, url, **more)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self("GET", path, params=query)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self("POST", path, body)

    def put(self, path: str, body: Any = None) -> requests.Response:
        return self("PUT", path, body)

    def delete(self, path: str) -> requests.Response:
        return self("DELETE", path)

    def user(self, number: int) -> dict[str, Any]:
        answer = self.get(f"users/{number}/")
        assert answer.status_code == 200
        return dict(answer.json())


@pytest.fixture
def sim() -> Iterator[ControlClient]:
    with running_simulator() as started:
        yield started


@pytest.fixture
def caller(sim: ControlClient) -> Callable[..., Caller]:
    return lambda version=2, key=None: Caller(sim, version, key)


@pytest.fixture
def api(caller: Callable[..., Caller]) -> Caller:
    return caller(2)


@pytest.fixture
def api_v1(caller: Callable[..., Caller]) -> Caller:
    return caller(1)


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """An address for webhooks, which remembers what came and answers a set status."""

    url: str = ""
    status: int = 200
    got: list[Received] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length).decode()
            receiver.got.append(Received(self.command, self.path, headers, body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    yield receiver
    server.shutdown()
    server.server_close()

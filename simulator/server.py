"""The HTTP server: brings a request to the API, lets faults strike, and sends the answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from .api import SCOPES, Api, Key
from .calls import Answer, Call, Entry, Log
from .faults import SWITCHED, Bucket, Fault, Faults
from .state import Account
from .store import StateFileError, Store
from .switches import Switches
from .webhooks import Webhooks

API = "/api/public"
LARGEST_BODY = 16 * 1024 * 1024


@dataclass
class Options:
    """How a simulator starts; a reset comes back to this."""

    keys: list[Key] = field(default_factory=list)
    switches: dict[str, Any] = field(default_factory=dict)
    state: Path | None = None


@dataclass
class Held:
    """A request that a *hold* keeps; releasing it says whether it goes on."""

    entry: Entry
    release: asyncio.Future[bool]


class Server:
    """One simulated account with its API, its control interface and its page."""

    def __init__(self, options: Options) -> None:
        self.options = options
        if not options.keys:
            options.keys.append(Key(secrets.token_hex(32)))
        self.account = Account()
        self.switches = Switches()
        self.api = Api(self.account, self.switches)
        self.webhooks = Webhooks(self.account, self.api.shapes)
        self.faults = Faults()
        self.bucket = Bucket(self.switches)
        self.log = Log(self.switches)
        self.held: dict[int, Held] = {}
        self.closing = asyncio.Event()
        self.store: Store | None = None
        self._start_values()
        if options.state is not None:
            self._restore(Store(options.state, self.dump))

    def _start_values(self) -> None:
        self.switch({**Switches().as_dict(), **self.options.switches})
        self.api.keys = {key.value: key for key in self.options.keys}

    def switch(self, changes: dict[str, Any]) -> None:
        self.switches.change(changes)
        self.account.clock_offset = self.switches.clock_offset
        if {"rate_limit", "rate_burst"} & changes.keys():
            self.bucket.refill()
        self.account.touch()

    async def reset(self) -> None:
        """Back to an empty account and the values of the start."""
        self.faults.remove()
        self.release(go_on=False)
        await self.webhooks.clear()
        self.log.clear()
        self.account.clear()
        self._start_values()
        self.saved()

    # The state file

    def dump(self) -> dict[str, Any]:
        return {"account": self.account.dump(), "webhooks": self.webhooks.dump()}

    def _restore(self, store: Store) -> None:
        data = store.read()
        if data is not None:
            try:
                self.account.load(data["account"])
                self.webhooks.load(data["webhooks"])
            except (AttributeError, KeyError, TypeError, ValueError):
                raise store.corrupt() from None
        store.check()
        self.store = store

    def saved(self) -> None:
        """See to it that what has changed comes into the state file."""
        if self.store is not None:
            self.store.schedule()

    # Requests of the API

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything under ``/api/public/``."""
        url = request.rel_url
        call = Call(
            method=request.method,
            raw_path=url.raw_path[len(API) :] or "/",
            query=dict(url.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            content=await request.read(),
            origin=f"{request.scheme}://{request.host}",
            query_string=url.raw_query_string,
        )
        template = self.api.template(call)
        entry = self.log.add(call, template)
        fault = self.faults.take(call, template)
        entry.fault = fault.kind if fault else None
        wait = self.switches.latency_ms / 1000 + (fault.delay if fault else 0.0)
        if wait:
            await asyncio.sleep(wait)
        if fault is not None:
            return await self._faulty(request, call, entry, fault)
        return await self._send(request, entry, self.bucket.take() or self._commit(call))

    def _commit(self, call: Call) -> Answer:
        before = self.account.revision
        answer = self.api.answer(call)
        if self.account.revision != before:
            self.saved()
        return answer

    async def _faulty(
        self, request: web.Request, call: Call, entry: Entry, fault: Fault
    ) -> web.StreamResponse:
        """Contract 7.7; each fault either takes effect before its answer is lost, or not."""
        if fault.kind in SWITCHED:
            return await self._send(request, entry, self._switched(call, SWITCHED[fault.kind]))
        real = self._commit(call) if fault.commits else None
        if fault.kind == "hold":
            if not await self._hold(entry):
                return cut(request)
            return await self._send(request, entry, real or self._commit(call))
        if fault.kind == "timeout":
            await self._until_gone(request, fault.seconds)
            return cut(request)
        if fault.kind == "drop":
            return cut(request)
        answer = fault.answer(real)
        if fault.kind == "half":
            self.log.answered(entry, answer.status)
            return await send_half(request, answer)
        return await self._send(request, entry, answer)

    def _switched(self, call: Call, switch: str) -> Answer:
        """Answer one call with a switch on. Nothing else can run meanwhile."""
        before = getattr(self.switches, switch)
        setattr(self.switches, switch, True)
        try:
            return self._commit(call)
        finally:
            setattr(self.switches, switch, before)

    async def _hold(self, entry: Entry) -> bool:
        """Wait for the release; true when the request goes on."""
        released: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.held[entry.number] = Held(entry, released)
        try:
            return await released
        finally:
            del self.held[entry.number]

    def release(self, number: int | None = None, go_on: bool = True) -> int:
        """Let held requests go on, or cut them off; how many they were."""
        chosen = [item for key, item in self.held.items() if number in (None, key)]
        for item in chosen:
            if not item.release.done():
                item.release.set_result(go_on)
        return len(chosen)

    async def _until_gone(self, request: web.Request, at_most: float) -> None:
        """Wait until the caller gives up, the fault is over or the server stops."""
        end = asyncio.get_running_loop().time() + at_most
        while asyncio.get_running_loop().time() < end and not self.closing.is_set():
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(0.02)

    async def _send(self, request: web.Request, entry: Entry, answer: Answer) -> web.StreamResponse:
        self.log.answered(entry, answer.status)
        headers = dict(answer.headers)
        if self.switches.clock_offset:
            headers["Date"] = format_datetime(self.account.now(), usegmt=True)
        if answer.empty:
            return web.Response(status=answer.status, headers=headers)
        return web.Response(
            status=answer.status,
            body=answer.payload(),
            headers=headers,
            content_type=answer.content_type(),
            charset="utf-8" if answer.html is not None else None,
        )

    # Start and end

    async def on_shutdown(self, app: web.Application) -> None:
        self.closing.set()
        self.release(go_on=False)

    async def on_cleanup(self, app: web.Application) -> None:
        if self.store is not None:
            self.store.write()
        await self.webhooks.close()


def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection; the answer that is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def send_half(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close."""
    body = answer.payload()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type()
    response.content_length = len(body) or 100
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


Middleware = Callable[
    [web.Request, Callable[[web.Request], Awaitable[web.StreamResponse]]],
    Awaitable[web.StreamResponse],
]


@web.middleware
async def same_origin(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The control interface and the page have no key, so no other web page may call them."""
    origin = request.headers.get("Origin")
    foreign = origin not in (None, f"{request.scheme}://{request.host}")
    if foreign and request.method != "GET" and not request.path.startswith(API):
        raise web.HTTPForbidden(text="This address is not open to other pages.")
    return await handler(request)


def build_app(server: Server) -> web.Application:
    """The whole application: API, control interface, page."""
    from . import control, page

    app = web.Application(middlewares=[same_origin], client_max_size=LARGEST_BODY)
    app.router.add_route("*", API + "{tail:(/.*)?}", server.handle)
    control.add_routes(app, server)
    page.add_routes(app, server)
    app.on_shutdown.append(server.on_shutdown)
    app.on_cleanup.append(server.on_cleanup)
    return app


async def start(server: Server, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Listen; gives the address, with the real port where 0 was asked for."""
    runner = web.AppRunner(
        build_app(server), handle_signals=False, access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    real = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return runner, f"http://{shown}:{real}"


__all__ = ["SCOPES", "Key", "Options", "Server", "StateFileError", "build_app", "start"]

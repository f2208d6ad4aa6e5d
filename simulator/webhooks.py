"""Outbound calls: the "API call" module of an automation (section 3, contract 7.8)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import timezone
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import aiohttp

from .shapes import Shapes
from .state import Account, User

EVENTS = ("new_user", "attribute_change")
CHOICES = {
    "encoding": ("json", "form", "get"),
    "nested": ("json", "brackets"),
    "booleans": ("json", "True", "true", "1"),
}
FALSE = {"True": "False", "true": "false", "1": "0"}
TAG = re.compile(r"\{\{\s*user\.(\w+)\s*\}\}")
KEPT_DELIVERIES = 5_000


@dataclass
class Webhook:
    """One automation that calls an address."""

    url: str
    name: str = "main"
    on: list[str] = field(default_factory=lambda: list(EVENTS))
    headers: dict[str, str] = field(default_factory=dict)
    #: Extra data; ``{{ user.id }}`` in a string is a snippet tag.
    extra: dict[str, Any] = field(default_factory=dict)
    #: The attributes whose change fires it; none named means all.
    watch: list[str] = field(default_factory=list)
    exclude_user: bool = False
    exclude_api_changes: bool = False
    #: JSON or form in the body, or GET with all in the query.
    encoding: str = "json"
    #: How forms and queries write ``user`` and ``extra``: as JSON text, or as ``user[id]=7``.
    nested: str = "json"
    #: How booleans are written: as such, or as strings.
    booleans: str = "json"
    duplicate: bool = False
    out_of_order: bool = False
    #: How long one call waits for the next, to be overtaken by it.
    out_of_order_wait: float = 1.0
    #: Seconds by which the call is late.
    delay: float = 0.0
    #: How many calls are lost; -1 for all.
    lost: int = 0
    retries: int = 0
    retry_wait: float = 0.2
    timeout: float = 10.0
    #: The automation's number.
    path: int = 6

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Webhook:
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown or not isinstance(data.get("url"), str):
            raise ValueError(f"A webhook takes {', '.join(sorted(known))}; not {unknown}.")
        hook = cls(**data)
        for name, choices in CHOICES.items():
            if getattr(hook, name) not in choices:
                raise ValueError(f"{name!r} takes one of {', '.join(choices)}.")
        hook.on = list(hook.on)
        if not set(hook.on) <= set(EVENTS):
            raise ValueError(f"'on' takes some of {', '.join(EVENTS)}.")
        if urlsplit(hook.url).scheme not in ("http", "https"):
            raise ValueError("'url' must begin with http:// or https://.")
        return hook

    def wants(self, event: str, names: set[str], source: str) -> bool:
        if event not in self.on or (self.exclude_api_changes and source == "api"):
            return False
        return event == "new_user" or not self.watch or bool(names & set(self.watch))


@dataclass
class Delivery:
    """One outbound call, in the log."""

    number: int
    webhook: str
    event: str
    user_id: int | None
    time: float
    method: str
    url: str
    body: str
    #: pending, sent, failed or lost.
    outcome: str = "pending"
    #: The status of the last try; null without an answer.
    status: int | None = None
    error: str | None = None
    tries: int = 0


@dataclass
class Parcel:
    """A delivery on its way."""

    hook: Webhook
    log: Delivery
    headers: dict[str, str]
    due: float


class Webhooks:
    """All automations of the account and what they sent."""

    def __init__(self, account: Account, shapes: Shapes) -> None:
        self.account = account
        self.shapes = shapes
        self.hooks: dict[str, Webhook] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self.total = 0
        self.pending = 0
        self._queues: dict[str, asyncio.Queue[Parcel]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._parked: dict[str, Parcel] = {}
        self._session: aiohttp.ClientSession | None = None
        account.listeners.append(self.on_event)

    # What fires

    def on_event(self, event: str, user: User, names: set[str], source: str) -> None:
        for hook in self.hooks.values():
            if hook.wants(event, names, source):
                self.fire(hook, event, user)

    def fire(
        self, hook: Webhook, event: str, user: User | None, payload: dict[str, Any] | None = None
    ) -> None:
        """Put a call on its way, with the values of this moment; never waits."""
        tags = self._tags(user) if user else {}
        if payload is None:
            payload = self._payload(hook, user, tags)
        for _ in range(2 if hook.duplicate else 1):
            self._dispatch(self._parcel(hook, event, user, tags, payload))

    def _tags(self, user: User) -> dict[str, Any]:
        return {**user.attributes, **user.fields, **self.shapes.webhook_user(user)}

    def _payload(self, hook: Webhook, user: User | None, tags: dict[str, Any]) -> dict[str, Any]:
        """The body of section 3; the user can be left out."""
        moment = self.account.now().astimezone(timezone.utc)
        payload: dict[str, Any] = {
            "path": hook.path,
            "timestamp": moment.isoformat(),
            "extra": _filled(hook.extra, tags, hook.booleans),
        }
        if user is not None and not hook.exclude_user:
            payload["user"] = _booleans(self.shapes.webhook_user(user), hook.booleans)
        return payload

    def _parcel(
        self,
        hook: Webhook,
        event: str,
        user: User | None,
        tags: dict[str, Any],
        payload: dict[str, Any],
    ) -> Parcel:
        method, url, body, kind = "POST", hook.url, "", None
        if hook.encoding == "json":
            body, kind = json.dumps(payload, ensure_ascii=False), "application/json"
        elif hook.encoding == "form":
            body = urlencode(list(_pairs(payload, hook)))
            kind = "application/x-www-form-urlencoded"
        else:
            filled = _fill(hook.url, tags, hook.booleans, in_url=True)
            method, url = "GET", _with_query(filled, payload, hook)
        headers = {name.lower(): value for name, value in hook.headers.items()}
        if kind:
            headers.setdefault("content-type", kind)
        self.total += 1
        delivery = Delivery(
            number=self.total,
            webhook=hook.name,
            event=event,
            user_id=user.id if user else None,
            time=time.time(),
            method=method,
            url=url,
            body=body,
        )
        self.deliveries.append(delivery)
        return Parcel(hook, delivery, headers, time.monotonic() + hook.delay)

    def _dispatch(self, parcel: Parcel) -> None:
        hook = parcel.hook
        if hook.lost:
            hook.lost -= 1 if hook.lost > 0 else 0
            parcel.log.outcome = "lost"
            return
        self.pending += 1
        if not hook.out_of_order:
            self._queue(parcel)
            return
        parked = self._parked.pop(hook.name, None)
        if parked is None:
            self._parked[hook.name] = parcel
            loop = asyncio.get_running_loop()
            loop.call_later(hook.out_of_order_wait, self._unpark, parcel)
        else:
            self._queue(parcel)
            self._queue(parked)

    def _unpark(self, parcel: Parcel) -> None:
        if self._parked.get(parcel.hook.name) is parcel:
            self._queue(self._parked.pop(parcel.hook.name))

    def _queue(self, parcel: Parcel) -> None:
        queue = self._queues.get(parcel.hook.name)
        if queue is None:
            queue = self._queues[parcel.hook.name] = asyncio.Queue()
            self._workers.append(asyncio.get_running_loop().create_task(self._work(queue)))
        queue.put_nowait(parcel)

    # What sends

    async def _work(self, queue: asyncio.Queue[Parcel]) -> None:
        while True:
            parcel = await queue.get()
            await asyncio.sleep(max(0.0, parcel.due - time.monotonic()))
            try:
                await self._deliver(parcel)
            finally:
                self.pending -= 1

    async def _deliver(self, parcel: Parcel) -> None:
        log = parcel.log
        while True:
            log.tries += 1
            await self._try(parcel)
            if log.status is not None and 200 <= log.status < 300:
                log.outcome = "sent"
                return
            if log.tries > parcel.hook.retries:
                log.outcome = "failed"
                return
            await asyncio.sleep(parcel.hook.retry_wait)

    async def _try(self, parcel: Parcel) -> None:
        log = parcel.log
        log.status, log.error = None, None
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.request(
                log.method,
                log.url,
                data=log.body.encode() if log.method == "POST" else None,
                headers=parcel.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=parcel.hook.timeout),
            ) as answer:
                log.status = answer.status
                await answer.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            log.error = f"{type(error).__name__}: {error}"

    async def wait(self, timeout: float) -> bool:
        """Whether nothing is on its way any more, at the latest after the time given."""
        end = time.monotonic() + timeout
        while self.pending and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return not self.pending

    async def clear(self) -> None:
        """Forget the automations, what is on its way, and the log."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        self._queues.clear()
        self._parked.clear()
        self.hooks.clear()
        self.deliveries.clear()
        self.pending = 0

    async def close(self) -> None:
        await self.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # Keeping and restoring

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(hook) for hook in self.hooks.values()]

    def load(self, data: list[dict[str, Any]]) -> None:
        hooks = [Webhook.from_json(entry) for entry in data]
        self.hooks = {hook.name: hook for hook in hooks}


# Writing values


def _word(value: Any, booleans: str) -> str:
    """A value as a snippet tag renders it: always a string (section 3)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        style = "True" if booleans == "json" else booleans
        return style if value else FALSE[style]
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def _fill(text: str, tags: dict[str, Any], booleans: str, in_url: bool = False) -> str:
    def fill(match: re.Match[str]) -> str:
        word = _word(tags.get(match[1]), booleans)
        return quote(word, safe="") if in_url else word

    return TAG.sub(fill, text)


def _filled(value: Any, tags: dict[str, Any], booleans: str) -> Any:
    if isinstance(value, str):
        return _fill(value, tags, booleans)
    if isinstance(value, dict):
        return {name: _filled(item, tags, booleans) for name, item in value.items()}
    return [_filled(item, tags, booleans) for item in value] if isinstance(value, list) else value


def _booleans(value: Any, style: str) -> Any:
    if isinstance(value, bool) and style != "json":
        return _word(value, style)
    if isinstance(value, dict):
        return {name: _booleans(item, style) for name, item in value.items()}
    return [_booleans(item, style) for item in value] if isinstance(value, list) else value


def _pairs(payload: dict[str, Any], hook: Webhook) -> Iterator[tuple[str, str]]:
    """The payload as the pairs of a form or a query; how it nests is not known, so a switch."""
    for name, value in payload.items():
        if hook.nested == "brackets":
            yield from _bracketed(name, value, hook.booleans)
        else:
            nests = isinstance(value, (dict, list))
            yield name, json.dumps(value) if nests else _word(value, hook.booleans)


def _bracketed(name: str, value: Any, style: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _bracketed(f"{name}[{key}]", item, style)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _bracketed(f"{name}[{place}]", item, style)
    else:
        yield name, _word(value, style)


def _with_query(url: str, payload: dict[str, Any], hook: Webhook) -> str:
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *_pairs(payload, hook)]
    return urlunsplit(parts._replace(query=urlencode(pairs)))

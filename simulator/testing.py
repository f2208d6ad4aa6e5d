"""For tests: a simulator in this process, and a client of the control interface of any simulator.

::

    with running_simulator(page_size=2) as sim:
        sim.add_contact(email="jan@example.com", attributes={"email_consent": True})
        sim.fault("429", retry_after=1, method="PUT")
        ...
        assert sim.calls.count("PUT", "/users/:id/") == 1
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from .api import Key
from .server import Options, Server, start

Record = dict[str, Any]

#: How many contacts go in one request of `add_contacts`: far from the largest body.
LOADED_AT_ONCE = 2000


class ControlError(Exception):
    """The control interface refused something; the message says what."""


class Calls:
    """The log of the API calls: ``sim.calls()`` and ``sim.calls.count("PUT", "/users/:id/")``."""

    def __init__(self, read: Callable[[], list[Record]]) -> None:
        self._read = read

    def __call__(self, method: str | None = None, path: str | None = None) -> list[Record]:
        """The calls in their order, of one method and path (template or real) if given.

        Each has ``number, time, method, path, raw_path, query, version, body, status, fault``.
        """
        return [
            call
            for call in self._read()
            if method in (None, call["method"]) and path in (None, call["path"], call["raw_path"])
        ]

    def count(self, method: str | None = None, path: str | None = None) -> int:
        return len(self(method, path))


class ControlClient:
    """Drives a simulator at ``url`` through its control interface. Safe in several threads."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.api_url = f"{self.url}/api/public/"
        self.timeout = timeout
        self.calls = Calls(lambda: self._list("GET", "calls"))

    # Keys and switches

    @property
    def key(self) -> str:
        """The first key of the account."""
        return str(self.api_keys()[0]["value"])

    def api_keys(self) -> list[Record]:
        return self._list("GET", "keys")

    def add_key(self, scope: str = "all", value: str | None = None) -> str:
        return str(self._object("POST", "keys", {"scope": scope, "value": value})["value"])

    def remove_key(self, value: str) -> None:
        self._object("DELETE", f"keys/{value}")

    def switch(self, **switches: Any) -> Record:
        """Set switches by name; gives all of them."""
        return self._object("PATCH", "switches", switches)

    def switches(self) -> Record:
        return self._object("GET", "switches")

    def reset(self) -> None:
        """Back to the empty account, the keys and the switches of the start."""
        self._object("POST", "reset")

    def status(self) -> Record:
        return self._object("GET", "status")

    # Faults

    def fault(
        self,
        kind: str | int,
        *,
        times: int | None = 1,
        after: int = 0,
        method: str | None = None,
        path: str | None = None,
        path_regex: str | None = None,
        commit: bool | None = None,
        **more: Any,
    ) -> Record:
        """Let a fault strike ``times`` calls (None: all), ``after`` so many that pass."""
        matching = {"method": method, "path": path, "path_regex": path_regex, "commit": commit}
        body = {"kind": str(kind), "times": times, "after": after, **matching, **more}
        return self._object("POST", "faults", body)

    def faults(self) -> list[Record]:
        """The faults that still wait for a call."""
        return self._list("GET", "faults")

    def clear_faults(self) -> None:
        self._object("DELETE", "faults")

    def held(self) -> list[Record]:
        """The requests that a *hold* keeps now."""
        return self._list("GET", "held")

    def wait_held(self, count: int = 1, timeout: float = 10.0) -> list[Record]:
        """Wait until so many requests are held."""
        return self.until(self.held, lambda held: len(held) >= count, timeout, "held requests")

    def release(self, number: int | None = None, go_on: bool = True) -> int:
        """Let held requests go on, or (``go_on=False``) cut them off without effect."""
        return int(self._object("POST", "release", {"number": number, "go_on": go_on})["released"])

    # Calls

    def call_counts(self, status: int | None = None) -> dict[tuple[str, str], int]:
        """How many calls there were of each method and template, or how many got this status.

        All since the last reset are counted, also those that the log holds no more, and nothing
        else is transferred::

            sim.call_counts()["PUT", "/users/:id/"]
        """
        counts: dict[tuple[str, str], int] = {}
        for row in self._list("GET", "calls/counts"):
            count = row["count"] if status is None else row["statuses"].get(str(status), 0)
            if count:
                counts[row["method"], row["path"]] = count
        return counts

    def reset_calls(self) -> None:
        self._object("DELETE", "calls")

    def wait_call(
        self, method: str, path: str, count: int = 1, timeout: float = 10.0
    ) -> list[Record]:
        """Wait until so many calls of that kind have been answered."""
        return self.until(
            lambda: [call for call in self.calls(method, path) if call["status"] is not None],
            lambda calls: len(calls) >= count,
            timeout,
            f"calls {method} {path}",
        )

    # Contacts, as a person in User.com sees and changes them

    def contacts(self, **values: Any) -> list[Record]:
        """All contacts, or those whose fields have these values."""
        return [
            contact
            for contact in self._list("GET", "contacts")
            if all(contact[name] == value for name, value in values.items())
        ]

    def contact(self, number: int) -> Record:
        return self._object("GET", f"contacts/{number}")

    def add_contact(self, **values: Any) -> Record:
        """A new contact; ``attributes={…}`` makes missing attributes of the value's type.

        ``raw=True`` stores the values unchecked, and ``updated_at`` and its like can be given.
        """
        return self._object("POST", "contacts", values)

    def add_contacts(self, contacts: Sequence[Record]) -> list[int]:
        """Many contacts at once, each as the values of `add_contact`; gives their numbers."""
        numbers: list[int] = []
        for place in range(0, len(contacts), LOADED_AT_ONCE):
            body = {"contacts": list(contacts[place : place + LOADED_AT_ONCE])}
            numbers += self._call("POST", "contacts/many", body)
        return numbers

    def edit_contact(self, number: int, **values: Any) -> Record:
        return self._object("PATCH", f"contacts/{number}", values)

    def delete_contact(self, number: int) -> None:
        self._object("DELETE", f"contacts/{number}")

    def page_view(self, number: int) -> Record:
        return self._object("POST", f"contacts/{number}/page_view")

    def companies(self) -> list[Record]:
        return self._list("GET", "companies")

    def attributes(self) -> list[Record]:
        return self._list("GET", "attributes")

    def add_attribute(self, name: str, value_type: str = "string", **more: Any) -> Record:
        return self._object("POST", "attributes", {"name": name, "value_type": value_type, **more})

    def edit_attribute(self, number: int, **values: Any) -> Record:
        """Another ``name`` (and with it ``name_std``), ``value_type``, ``choices`` and so on."""
        return self._object("PATCH", f"attributes/{number}", values)

    def delete_attribute(self, number: int) -> None:
        self._object("DELETE", f"attributes/{number}")

    # Webhooks

    def set_webhook(
        self,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        on: Sequence[str] = ("new_user", "attribute_change"),
        name: str = "main",
        **more: Any,
    ) -> Record:
        """Make or replace an automation; ``more`` are the fields of ``webhooks.Webhook``."""
        body = {"url": url, "headers": headers or {}, "on": list(on), "name": name, **more}
        return self._object("PUT", "webhooks", body)

    def webhooks(self) -> list[Record]:
        return self._list("GET", "webhooks")

    def remove_webhook(self, name: str = "main") -> None:
        self._object("DELETE", f"webhooks?name={name}")

    def fire_webhook(
        self,
        user_id: int | None = None,
        *,
        event: str = "attribute_change",
        name: str = "main",
        payload: Record | None = None,
    ) -> None:
        """Fire by hand for a contact, or with a payload of your own."""
        body = {"user_id": user_id, "event": event, "name": name, "payload": payload}
        self._object("POST", "webhooks/fire", body)

    def wait_webhooks(self, timeout: float = 10.0) -> list[Record]:
        """Wait until nothing is on its way; gives the log of deliveries."""
        answer = self._object("POST", "webhooks/wait", {"timeout": timeout})
        if not answer["done"]:
            raise TimeoutError(f"{answer['pending']} webhooks are still on their way.")
        return self.deliveries()

    def deliveries(self) -> list[Record]:
        return self._list("GET", "deliveries")

    def reset_deliveries(self) -> None:
        self._object("DELETE", "deliveries")

    # The wire

    def _call(self, method: str, path: str, body: Record | None = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, f"{self.url}/control/{path}", json=body, timeout=self.timeout
            )
        data = answer.json() if answer.content else {}
        if answer.status_code >= 400:
            raise ControlError(str(data.get("error", answer.status_code)))
        return data

    def _object(self, method: str, path: str, body: Record | None = None) -> Record:
        data = self._call(method, path, body)
        assert isinstance(data, dict)  # noqa: S101
        return data

    def _list(self, method: str, path: str) -> list[Record]:
        data = self._call(method, path)
        assert isinstance(data, list)  # noqa: S101
        return data

    @staticmethod
    def until(
        read: Callable[[], list[Record]],
        enough: Callable[[list[Record]], bool] = bool,
        timeout: float = 10.0,
        what: str = "entries",
    ) -> list[Record]:
        """Read again and again until it is enough."""
        end = time.monotonic() + timeout
        while True:
            found = read()
            if enough(found):
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"After {timeout} s there were {len(found)} {what}.")
            time.sleep(0.01)


@contextmanager
def running_simulator(
    *,
    key: str | None = None,
    keys: Sequence[tuple[str, str]] = (),
    state: Path | str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    **switches: Any,
) -> Iterator[ControlClient]:
    """A simulator in a thread of this process; ``keys`` are pairs of key and scope."""
    all_keys = [Key(key)] if key else []
    all_keys += [Key(value, scope) for value, scope in keys]
    options = Options(all_keys, switches, Path(state) if state else None)
    ready: list[str] = []
    failed: list[BaseException] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            runner, url = await start(Server(options), host, port)
            ready.append(url)
        except BaseException as error:
            failed.append(error)
            return
        finally:
            started.set()
        await stop.wait()
        await runner.cleanup()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run())
        finally:
            # What still waits (a slow answer whose caller has gone) would complain when collected.
            for task in (pending := asyncio.all_tasks(loop)):
                task.cancel()
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.close()

    thread = threading.Thread(target=work, name="simulator", daemon=True)
    thread.start()
    started.wait()
    if failed:
        thread.join()
        raise failed[0]
    try:
        yield ControlClient(ready[0])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)

"""The control interface under ``/control/``: JSON, without a key, meant for loopback only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from .api import SCOPES, Key
from .faults import Fault
from .people import People
from .server import Server
from .validation import RefusedError
from .webhooks import Webhook

#: What of an attribute can become another; the rest says which one it is.
EDITABLE = {"name", "name_std", "value_type", "choices", "allow_multiple_choices", "description"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Handlers of the control interface."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.people = People(server)

    async def _json(self, request: web.Request) -> dict[str, Any]:
        if not request.can_read_body:
            return {}
        if request.content_type != "application/json":
            raise ValueError("The control interface takes application/json.")
        data = json.loads(await request.read())
        if not isinstance(data, dict):
            raise ValueError("The control interface takes a JSON object.")
        return data

    def _number(self, request: web.Request) -> int:
        return int(request.match_info["id"])

    # Status, switches, keys

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "revision": self.server.account.revision,
                "calls": self.server.log.total,
                "contacts": len(self.server.account.users),
                "pending_webhooks": self.server.webhooks.pending,
            }
        )

    async def reset(self, request: web.Request) -> web.Response:
        await self.server.reset()
        return web.json_response({})

    async def read_switches(self, request: web.Request) -> web.Response:
        return web.json_response(self.server.switches.as_dict())

    async def set_switches(self, request: web.Request) -> web.Response:
        self.server.switch(await self._json(request))
        return await self.read_switches(request)

    async def read_keys(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(key) for key in self.server.api.keys.values()])

    async def add_key(self, request: web.Request) -> web.Response:
        data = await self._json(request)
        key = Key(str(data.get("value") or secrets.token_hex(32)), data.get("scope", "all"))
        if key.scope not in SCOPES:
            raise ValueError(f"A key's scope is one of {', '.join(SCOPES)}.")
        self.server.api.keys[key.value] = key
        return web.json_response(asdict(key), status=201)

    async def remove_key(self, request: web.Request) -> web.Response:
        del self.server.api.keys[request.match_info["value"]]
        return web.json_response({})

    # Faults and held requests

    async def read_faults(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self.server.faults.waiting])

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = self.server.faults.add(Fault.from_json(await self._json(request)))
        return web.json_response(asdict(fault), status=201)

    async def remove_faults(self, request: web.Request) -> web.Response:
        number = request.query.get("number")
        self.server.faults.remove(int(number) if number else None)
        return web.json_response({})

    async def read_held(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(held.entry) for held in self.server.held.values()])

    async def release(self, request: web.Request) -> web.Response:
        data = await self._json(request)
        count = self.server.release(data.get("number"), bool(data.get("go_on", True)))
        return web.json_response({"released": count})

    # Calls

    async def read_calls(self, request: web.Request) -> web.Response:
        return web.json_response(self.server.log.as_list())

    async def count_calls(self, request: web.Request) -> web.Response:
        return web.json_response(self.server.log.counts())

    async def clear_calls(self, request: web.Request) -> web.Response:
        self.server.log.clear()
        return web.json_response({})

    # Contacts, companies, attributes

    async def read_contacts(self, request: web.Request) -> web.Response:
        users = self.server.account.sorted_users()
        return web.json_response([self.people.shape(user) for user in users])

    async def read_contact(self, request: web.Request) -> web.Response:
        return web.json_response(self.people.shape(self.people.get(self._number(request))))

    async def add_contact(self, request: web.Request) -> web.Response:
        user = self.people.add(await self._json(request))
        return web.json_response(self.people.shape(user), status=201)

    async def add_contacts(self, request: web.Request) -> web.Response:
        numbers = self.people.add_many((await self._json(request))["contacts"])
        return web.json_response(numbers, status=201)

    async def edit_contact(self, request: web.Request) -> web.Response:
        user = self.people.edit(self._number(request), await self._json(request))
        return web.json_response(self.people.shape(user))

    async def delete_contact(self, request: web.Request) -> web.Response:
        self.people.delete(self._number(request))
        return web.json_response({})

    async def view_page(self, request: web.Request) -> web.Response:
        user = self.people.view_page(self._number(request))
        return web.json_response(self.people.shape(user))

    async def read_companies(self, request: web.Request) -> web.Response:
        companies = self.server.account.companies.values()
        return web.json_response(
            [
                {**asdict(company), "employees": self.server.account.employees(company)}
                for company in companies
            ]
        )

    async def read_attributes(self, request: web.Request) -> web.Response:
        attributes = self.server.account.attributes.values()
        return web.json_response([asdict(attribute) for attribute in attributes])

    async def add_attribute(self, request: web.Request) -> web.Response:
        data = {"content_type": "clientuser", **await self._json(request)}
        checked = self.server.api.validator.attribute(data)
        attribute = self.server.account.create_attribute(**checked)
        self.server.saved()
        return web.json_response(asdict(attribute), status=201)

    async def edit_attribute(self, request: web.Request) -> web.Response:
        attribute = self.server.account.attributes[self._number(request)]
        values = await self._json(request)
        if unknown := values.keys() - EDITABLE:
            raise ValueError(f"An attribute's {', '.join(sorted(unknown))} cannot be edited.")
        self.server.account.edit_attribute(attribute, **values)
        self.server.saved()
        return web.json_response(asdict(attribute))

    async def delete_attribute(self, request: web.Request) -> web.Response:
        self.server.account.delete_attribute(self.server.account.attributes[self._number(request)])
        self.server.saved()
        return web.json_response({})

    # Webhooks

    async def read_webhooks(self, request: web.Request) -> web.Response:
        return web.json_response(self.server.webhooks.dump())

    async def set_webhook(self, request: web.Request) -> web.Response:
        hook = Webhook.from_json(await self._json(request))
        self.server.webhooks.hooks[hook.name] = hook
        self.server.saved()
        return web.json_response(asdict(hook))

    async def remove_webhooks(self, request: web.Request) -> web.Response:
        name = request.query.get("name")
        hooks = self.server.webhooks.hooks
        self.server.webhooks.hooks = {key: hooks[key] for key in hooks if name not in (None, key)}
        self.server.saved()
        return web.json_response({})

    async def fire_webhook(self, request: web.Request) -> web.Response:
        """Fire by hand: for a contact, or with a payload of the caller's own."""
        data = await self._json(request)
        user = self.people.get(data["user_id"]) if data.get("user_id") is not None else None
        hook = self.server.webhooks.hooks[data.get("name", "main")]
        event = data.get("event", "attribute_change")
        self.server.webhooks.fire(hook, event, user, data.get("payload"))
        return web.json_response({})

    async def wait_webhooks(self, request: web.Request) -> web.Response:
        data = await self._json(request)
        done = await self.server.webhooks.wait(float(data.get("timeout", 5)))
        return web.json_response({"done": done, "pending": self.server.webhooks.pending})

    async def read_deliveries(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(item) for item in self.server.webhooks.deliveries])

    async def clear_deliveries(self, request: web.Request) -> web.Response:
        self.server.webhooks.deliveries.clear()
        return web.json_response({})


def _answering(handler: Handler) -> Handler:
    """Errors of the caller as JSON with one sentence."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except KeyError as error:
            return web.json_response({"error": f"There is no {error}."}, status=404)
        except RefusedError as refused:
            message = f"Refused: {refused.errors}."
            return web.json_response({"error": message, "errors": refused.errors}, status=400)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return wrapped


def add_routes(app: web.Application, server: Server) -> None:
    control = Control(server)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "status", control.status),
        ("POST", "reset", control.reset),
        ("GET", "switches", control.read_switches),
        ("PATCH", "switches", control.set_switches),
        ("GET", "keys", control.read_keys),
        ("POST", "keys", control.add_key),
        ("DELETE", "keys/{value}", control.remove_key),
        ("GET", "faults", control.read_faults),
        ("POST", "faults", control.add_fault),
        ("DELETE", "faults", control.remove_faults),
        ("GET", "held", control.read_held),
        ("POST", "release", control.release),
        ("GET", "calls", control.read_calls),
        ("GET", "calls/counts", control.count_calls),
        ("DELETE", "calls", control.clear_calls),
        ("GET", "contacts", control.read_contacts),
        ("POST", "contacts", control.add_contact),
        ("POST", "contacts/many", control.add_contacts),
        ("GET", r"contacts/{id:\d+}", control.read_contact),
        ("PATCH", r"contacts/{id:\d+}", control.edit_contact),
        ("DELETE", r"contacts/{id:\d+}", control.delete_contact),
        ("POST", r"contacts/{id:\d+}/page_view", control.view_page),
        ("GET", "companies", control.read_companies),
        ("GET", "attributes", control.read_attributes),
        ("POST", "attributes", control.add_attribute),
        ("PATCH", r"attributes/{id:\d+}", control.edit_attribute),
        ("DELETE", r"attributes/{id:\d+}", control.delete_attribute),
        ("GET", "webhooks", control.read_webhooks),
        ("PUT", "webhooks", control.set_webhook),
        ("DELETE", "webhooks", control.remove_webhooks),
        ("POST", "webhooks/fire", control.fire_webhook),
        ("POST", "webhooks/wait", control.wait_webhooks),
        ("GET", "deliveries", control.read_deliveries),
        ("DELETE", "deliveries", control.clear_deliveries),
    ]
    for method, path, handler in table:
        app.router.add_route(method, f"/control/{path}", _answering(handler))

"""The page at ``/``: the contacts and what has gone to and fro, to watch and to edit by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from multidict import MultiDictProxy

from .people import People
from .server import Server
from .state import USER, Attribute, User
from .validation import GENDERS, STATUSES, RefusedError

HERE = Path(__file__).parent
SHOWN_CALLS = 12
SHOWN_CONTACTS = 500
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
}
#: The standard fields of the form, with their labels.
FIELDS = {
    "first_name": "First name",
    "last_name": "Last name",
    "email": "E-mail",
    "phone_number": "Phone",
    "city": "City",
    "country": "Country",
    "custom_id": "User ID",
    "status": "Status",
    "gender": "Gender",
    "unsubscribed": "Unsubscribed from e-mails",
}
#: The columns of the list between the e-mail and the consents.
COLUMNS = ("phone_number", "city", "country", "custom_id")
YES_NO = [("true", "yes"), ("false", "no")]
OPTIONS: dict[str, list[tuple[str, str]]] = {
    "status": [(word, word) for word in STATUSES.values()],
    "gender": [(word, word) for word in GENDERS.values()],
    "unsubscribed": YES_NO,
}
INPUTS = {"integer": "number", "float": "number", "date": "date"}


class FormError(Exception):
    """A value in the form that cannot be read."""


def options_of(attribute: Attribute) -> list[tuple[str, str]] | None:
    """What a list offers for this attribute; nothing for free text."""
    if attribute.value_type == "boolean":
        return [("", "not set"), *YES_NO]
    if attribute.value_type == "fixed" and not attribute.allow_multiple_choices:
        return [("", "not set"), *[(choice, choice) for choice in attribute.choices]]
    return None


def as_word(value: Any) -> str:
    """A value as the form writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_word(attribute: Attribute, word: str) -> Any:
    """A value as the form holds it, for the check that every write goes through."""
    if word == "":
        return None
    several = attribute.value_type == "fixed" and attribute.allow_multiple_choices
    if several or attribute.value_type == "json":
        try:
            return json.loads(word)
        except ValueError:
            raise FormError("This is no JSON.") from None
    return word


class Page:
    """Handlers of the page."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.account = server.account
        self.people = People(server)
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["clock"] = clock

    def _html(self, template: str, status: int = 200, **values: Any) -> web.Response:
        text = self.templates.get_template(template).render(**values)
        return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)

    # The list

    def _revision(self) -> str:
        deliveries = list(self.server.webhooks.deliveries)[-SHOWN_CALLS:]
        done = sum(item.tries + (item.outcome != "pending") for item in deliveries)
        answered = sum(entry.status is not None for entry in self._last(self.server.log.entries))
        parts = (self.account.revision, self.server.log.total, answered, len(deliveries), done)
        return "-".join(str(part) for part in (*parts, self.server.webhooks.total))

    @staticmethod
    def _last(items: Iterable[Any]) -> list[Any]:
        return list(islice(reversed(list(items)), SHOWN_CALLS))

    def _consents(self) -> list[Attribute]:
        return [
            attribute
            for attribute in self.account.attributes.values()
            if attribute.content_type == USER and "consent" in attribute.name_std
        ]

    def _live(self, request: web.Request) -> dict[str, Any]:
        words = request.query.get("q", "").strip()
        found = [user for user in self.account.sorted_users() if matches(user, words)]
        return {
            "q": words,
            "users": found[:SHOWN_CONTACTS],
            "found": len(found),
            "all": len(self.account.users),
            "columns": {name: FIELDS[name] for name in COLUMNS},
            "consents": self._consents(),
            "calls": self._last(self.server.log.entries),
            "deliveries": self._last(self.server.webhooks.deliveries),
            "revision": self._revision(),
        }

    async def index(self, request: web.Request) -> web.Response:
        return self._html("index.html", **self._live(request))

    async def live(self, request: web.Request) -> web.Response:
        """The part of the list that the script renews."""
        return self._html("live.html", **self._live(request))

    async def revision(self, request: web.Request) -> web.Response:
        return web.json_response({"revision": self._revision()}, headers=HEADERS)

    # One contact

    def _user(self, request: web.Request) -> User:
        user = self.account.users.get(int(request.match_info["id"]))
        if user is None:
            raise web.HTTPNotFound(text="There is no such contact.")
        return user

    def _fields(self, user: User | None) -> list[dict[str, Any]]:
        """What the form shows: standard fields, then every custom attribute."""
        shape: dict[str, Any] = {"status": "user", "gender": "unknown", "attributes": {}}
        if user is not None:
            shape = self.people.shape(user)
        held = shape["attributes"]
        shown: list[dict[str, Any]] = []
        for name, label in FIELDS.items():
            value = as_word(shape.get(name, False if name == "unsubscribed" else None))
            options = OPTIONS.get(name)
            shown.append(field(name, label, value, options, "text"))
        for item in self.account.attributes.values():
            if item.content_type == USER:
                value = as_word(held.get(item.name_std))
                kind = INPUTS.get(item.value_type, "text")
                shown.append(
                    field(f"custom.{item.name_std}", item.name, value, options_of(item), kind)
                )
        return shown

    def _form(
        self,
        user: User | None,
        given: MultiDictProxy[Any] | None = None,
        errors: dict[str, list[str]] | None = None,
    ) -> web.Response:
        fields = self._fields(user)
        for shown in fields:
            if given is not None:
                shown["value"] = str(given.get(shown["name"], ""))
                shown["was"] = str(given.get(f"was.{shown['name']}", shown["was"]))
            shown["errors"] = (errors or {}).get(shown["name"].removeprefix("custom."), [])
        return self._html("contact.html", 400 if errors else 200, user=user, fields=fields)

    def _read(self, given: MultiDictProxy[Any]) -> dict[str, Any]:
        """The fields whose value is another than when the form was opened."""
        values: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for name in FIELDS:
            if name in given and given[name] != given.get(f"was.{name}"):
                values[name] = given[name]
        for item in self.account.attributes.values():
            name = f"custom.{item.name_std}"
            if item.content_type == USER and given.get(name) != given.get(f"was.{name}"):
                try:
                    attributes[item.name_std] = from_word(item, str(given.get(name, "")))
                except FormError as error:
                    errors[item.name_std] = [str(error)]
        if errors:
            raise RefusedError(errors)
        return {**values, "attributes": attributes}

    async def show(self, request: web.Request) -> web.Response:
        return self._form(self._user(request))

    async def show_new(self, request: web.Request) -> web.Response:
        return self._form(None)

    async def save(self, request: web.Request) -> web.Response:
        user = self._user(request)
        given = await request.post()
        try:
            self.people.edit(user.id, self._read(given))
        except RefusedError as refused:
            return self._form(user, given, refused.errors)
        raise web.HTTPSeeOther("/")

    async def save_new(self, request: web.Request) -> web.Response:
        given = await request.post()
        try:
            self.people.add(self._read(given))
        except RefusedError as refused:
            return self._form(None, given, refused.errors)
        raise web.HTTPSeeOther("/")

    async def delete(self, request: web.Request) -> web.Response:
        self.people.delete(self._user(request).id)
        raise web.HTTPSeeOther("/")

    async def view_page(self, request: web.Request) -> web.Response:
        self.people.view_page(self._user(request).id)
        raise web.HTTPSeeOther("/")


def field(
    name: str, label: str, value: str, options: list[tuple[str, str]] | None, kind: str
) -> dict[str, Any]:
    if options is not None and value not in [word for word, _ in options]:
        options = [(value, value or "not set"), *options]
    return {
        "name": name,
        "label": label,
        "value": value,
        "was": value,
        "options": options,
        "kind": kind,
        "errors": [],
    }


def matches(user: User, words: str) -> bool:
    """Whether all words are somewhere in what the list shows."""
    held = [str(user.fields[name] or "") for name in ("email", *COLUMNS)]
    text = " ".join([str(user.id), user.name, *held])
    return all(word in text.lower() for word in words.lower().split())


def clock(moment: float | str) -> str:
    """A time of day, with the date when it is not today's."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    local = datetime.fromtimestamp(moment, timezone.utc).astimezone()
    today = datetime.now().astimezone().date() == local.date()
    return local.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def add_routes(app: web.Application, server: Server) -> None:
    page = Page(server)
    app.router.add_get("/", page.index)
    app.router.add_get("/page/live", page.live)
    app.router.add_get("/page/revision", page.revision)
    app.router.add_static("/page/static", HERE / "static")
    app.router.add_get("/contacts/new", page.show_new)
    app.router.add_post("/contacts/new", page.save_new)
    app.router.add_get(r"/contacts/{id:\d+}", page.show)
    app.router.add_post(r"/contacts/{id:\d+}", page.save)
    app.router.add_post(r"/contacts/{id:\d+}/delete", page.delete)
    app.router.add_post(r"/contacts/{id:\d+}/page_view", page.view_page)

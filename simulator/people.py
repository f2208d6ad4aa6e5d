"""Contacts as a person in User.com works with them: for the control interface and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .shapes import user_write_names
from .state import USER, USER_FACTS, USER_FIELDS, Changes, User, standard_name
from .validation import GENDERS, STATUSES, RefusedError

if TYPE_CHECKING:
    from .server import Server

#: Facts that only a test may set, and only as they are (see ``raw``).
FACTS = ("created_at", "updated_at", "first_seen", "last_seen", "key", "lists", *USER_FACTS)


class People:
    """Reads and changes contacts; a change fires webhooks as a person's does."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.account = server.account

    def get(self, number: int) -> User:
        user = self.account.users.get(int(number))
        if user is None:
            raise KeyError(f"contact {number}")
        return user

    def shape(self, user: User) -> dict[str, Any]:
        """Everything about a contact, under version 2 names and with the names."""
        return {
            "id": user.id,
            "key": user.key,
            "name": user.name,
            **user.fields,
            "gender": GENDERS[user.fields["gender"]],
            "status": STATUSES[user.fields["status"]],
            **user.facts,
            "attributes": {
                attribute.name_std: user.attributes.get(attribute.name_std)
                for attribute in self.account.attributes.values()
                if attribute.content_type == USER
            },
            "tags": user.tags,
            "lists": user.lists,
            "companies": list(user.companies),
            "first_seen": user.first_seen,
            "last_seen": user.last_seen,
            "created_at": user.created_at,
            "updated_at": user.updated_at,
        }

    def add(self, data: dict[str, Any]) -> User:
        """A new contact; a person's are users and not visitors, unless the data says so."""
        changes, facts = self._changes({"status": "user", **data}, None)
        user = self.account.create_user(changes, "person")
        self.account.overwrite(user, facts)
        self.server.saved()
        return user

    def add_many(self, contacts: list[dict[str, Any]]) -> list[int]:
        """New contacts, and their numbers. The first that is refused ends it; those before stay."""
        numbers = []
        for place, data in enumerate(contacts):
            try:
                numbers.append(self.add(data).id)
            except RefusedError as refused:
                named = {f"{place}.{name}": texts for name, texts in refused.errors.items()}
                raise RefusedError(named) from None
        return numbers

    def edit(self, number: int, data: dict[str, Any]) -> User:
        user = self.get(number)
        changes, facts = self._changes(data, user)
        if changes != Changes():
            self.account.update_user(user, changes, "person")
        self.account.overwrite(user, facts)
        self.server.saved()
        return user

    def delete(self, number: int) -> None:
        self.account.delete_user(self.get(number))
        self.server.saved()

    def view_page(self, number: int) -> User:
        user = self.get(number)
        self.account.view_page(user)
        self.server.saved()
        return user

    def _changes(self, data: dict[str, Any], user: User | None) -> tuple[Changes, dict[str, Any]]:
        """Split a body into a checked write and facts; ``raw`` true skips every check."""
        data = dict(data)
        raw = bool(data.pop("raw", False))
        attributes = dict(data.pop("attributes", None) or {})
        facts = {name: data.pop(name) for name in FACTS if name in data}
        known = USER_FIELDS if raw else user_write_names(2)
        unknown = [name for name in data if name not in known and name != "tags"]
        if unknown:
            raise RefusedError({name: ["A contact has no such field."] for name in unknown})
        self._declare(attributes)
        if raw:
            named = {standard_name(name): value for name, value in attributes.items()}
            tags = data.pop("tags", [])
            return Changes(fields=self._raw(data), attributes=named, tags=tags), facts
        body = {**data, **attributes}
        return self.server.api.validator.write(body, user_write_names(2), USER, user), facts

    @staticmethod
    def _raw(fields: dict[str, Any]) -> dict[str, Any]:
        words = {"gender": GENDERS, "status": STATUSES}
        for name, numbers in words.items():
            for number, word in numbers.items():
                if fields.get(name) == word:
                    fields[name] = number
        return fields

    def _declare(self, attributes: dict[str, Any]) -> None:
        """An attribute that is not there yet is made, of the type of its value."""
        for name, value in attributes.items():
            if self.account.attribute(name, USER) is not None:
                continue
            types = {bool: "boolean", int: "integer", float: "float", dict: "json"}
            if isinstance(value, list):
                self.account.create_attribute(name, "fixed", USER, value, True)
            else:
                self.account.create_attribute(name, types.get(type(value), "string"), USER)

"""The calls under ``/api/public/`` (contract 7.1 and 7.3). Works on data only."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from . import listing
from .calls import (
    MISSING_PAGE,
    Answer,
    Call,
    CallError,
    Handler,
    Routes,
    bad_request,
    not_found,
)
from .shapes import Shapes, company_write_names, user_write_names
from .state import COMPANY, USER, Account, Attribute, Changes, Company, Record, User
from .switches import Switches
from .validation import MASS_FIELDS, InvalidError, RefusedError, Validator, as_integer

SCOPES = ("read", "write", "all")
READING = ("GET", "HEAD", "OPTIONS")
EMPTY = Answer(200, empty=True)


@dataclass
class Key:
    """A REST key with its scope (section 1.1)."""

    value: str
    scope: str = "all"

    def allows(self, method: str) -> bool:
        return self.scope == "all" or self.scope == ("read" if method in READING else "write")


class Api:
    """Answers calls. One instance serves one account."""

    def __init__(self, account: Account, switches: Switches) -> None:
        self.account = account
        self.switches = switches
        self.keys: dict[str, Key] = {}
        self.shapes = Shapes(account, switches)
        self.validator = Validator(account, switches)
        self.filters = listing.Filters(account)
        self.routes = Routes()
        self._add_routes()

    # Frame (contract 7.1)

    def template(self, call: Call) -> str:
        """The path with its ids replaced, for the log; an unknown path stays as it is."""
        call.route = self.routes.find(call.raw_path)
        return call.route[0] if call.route else call.raw_path

    def answer(self, call: Call) -> Answer:
        """Answer a call: path, key, scope, method and body are judged in this order."""
        found = call.route or self.routes.find(call.raw_path)
        if found is None:
            return Answer(404, html=MISSING_PAGE)
        _, call.params, handlers = found
        try:
            self._authorise(call)
            return self._handler(call, handlers)(call)
        except CallError as fail:
            return fail.answer
        except RefusedError as refused:
            return bad_request(refused.errors).answer

    def _authorise(self, call: Call) -> None:
        kind, _, value = call.headers.get("authorization", "").partition(" ")
        detail = ""
        if kind.lower() != "token":
            detail = "Authentication credentials were not provided."
        key = self._key(value.strip())
        if not detail and key is None:
            detail = "Invalid token."
        if detail or key is None:
            raise CallError(Answer(401, {"detail": detail}, headers={"WWW-Authenticate": "Token"}))
        if self.switches.refuse_address or not key.allows(call.method):
            detail = "You do not have permission to perform this action."
            raise CallError(Answer(403, {"detail": detail}))

    def _key(self, value: str) -> Key | None:
        for key in self.keys.values():
            if hmac.compare_digest(key.value.encode(), value.encode()):
                return key
        return None

    @staticmethod
    def _handler(call: Call, handlers: dict[str, Handler]) -> Handler:
        if call.method not in handlers:
            detail = f'Method "{call.method}" not allowed.'
            headers = {"Allow": ", ".join([*handlers, "OPTIONS"])}
            raise CallError(Answer(405, {"detail": detail}, headers=headers))
        return handlers[call.method]

    def _add_routes(self) -> None:
        add = self.routes.add
        add("/users/", GET=self.list_users, POST=self.create_user)
        add("/users/search/", GET=self.search_users)
        add("/users/update_or_create/", POST=self.upsert_user)
        add("/users/merge/", POST=self.merge_users)
        for tree in ("/users/", "/users-by-id/"):
            add(f"{tree}mass_update_standard_attributes/", PUT=self.mass_update_standard)
            add(f"{tree}mass_update_custom_attributes/", PUT=self.mass_update_custom)
        for tree in ("/users/:id/", "/users-by-id/:custom_id/"):
            add(
                tree,
                GET=self.read_user,
                PUT=self.update_user,
                PATCH=self.update_user,
                DELETE=self.delete_user,
            )
            add(f"{tree}set_attribute/", POST=self.set_user_attribute)
            add(f"{tree}set_multiple_attributes/", POST=self.set_user_attributes)
        add("/companies/", GET=self.list_companies, POST=self.create_company)
        for tree in ("/companies/:id/", "/companies-by-id/:custom_id/"):
            add(
                tree,
                GET=self.read_company,
                PUT=self.update_company,
                DELETE=self.delete_company,
            )
            add(f"{tree}add_member/", POST=self.add_member)
            add(f"{tree}remove_member/", POST=self.remove_member)
            add(f"{tree}set_attribute/", POST=self.set_company_attribute)
            add(f"{tree}set_multiple_attributes/", POST=self.set_company_attributes)
        add("/attributes/", GET=self.list_attributes, POST=self.create_attribute)
        add("/attributes/:id/", GET=self.read_attribute, DELETE=self.delete_attribute)

    # Users

    def _user(self, call: Call) -> User:
        if "id" in call.params:
            user = self.account.users.get(int(call.params["id"]))
        else:
            user = self.account.user_by_custom_id(call.params["custom_id"])
        if user is None:
            raise not_found()
        return user

    def _user_changes(self, call: Call, user: User | None) -> Changes:
        return self.validator.write(call.json(), user_write_names(call.version), USER, user)

    def list_users(self, call: Call) -> Answer:
        users = self.filters.pick(call.query)
        return self._user_page(call, users)

    def _user_page(self, call: Call, users: list[User]) -> Answer:
        return listing.page(
            call, users, lambda user: self.shapes.user(user, call.version), self.switches
        )

    def create_user(self, call: Call) -> Answer:
        user = self.account.create_user(self._user_changes(call, None), "api")
        return Answer(201, self.shapes.user(user, call.version))

    def read_user(self, call: Call) -> Answer:
        return Answer(200, self.shapes.user(self._user(call), call.version))

    def update_user(self, call: Call) -> Answer:
        """PUT and PATCH both keep what the body does not name (section 1.3)."""
        user = self._user(call)
        self.account.update_user(user, self._user_changes(call, user), "api")
        return Answer(200, self.shapes.user(user, call.version))

    def delete_user(self, call: Call) -> Answer:
        self.account.delete_user(self._user(call))
        return Answer(204, empty=True)

    def upsert_user(self, call: Call) -> Answer:
        """Keyed on the custom id; what a foreign e-mail does is a switch (section 8, point 6)."""
        body = call.json()
        key = "custom_id" if call.version == 2 else "user_id"
        custom_id = self._stored("custom_id", body.get(key))
        user = self.account.user_by_custom_id(custom_id) if custom_id else None
        owner = self._other_owner(self._stored("email", body.get("email")), user)
        if owner is not None and self.switches.upsert_foreign_email == "refuse":
            raise bad_request({"email": ["Another user has this e-mail."]})
        if user is None and owner is not None and self.switches.upsert_foreign_email == "owner":
            user = owner
        changes = self._user_changes(call, user)
        if user is None:
            created = self.account.create_user(changes, "api")
            return Answer(200, {"created": True, "id": created.id})
        self.account.update_user(user, changes, "api")
        return Answer(200, {"created": False, "id": user.id})

    def _stored(self, name: str, value: Any) -> str | None:
        """A value as it would be stored; nothing when it would be refused."""
        try:
            checked = self.validator.standard(name, value)
        except InvalidError:
            return None
        return None if checked is None else str(checked)

    def _other_owner(self, email: str | None, user: User | None) -> User | None:
        if email is None:
            return None
        owners = self.account.users_by_email(email, self.switches.search_ignores_case)
        return None if user in owners else next(iter(owners), None)

    def search_users(self, call: Call) -> Answer:
        """By e-mail, key or phone one user; by time or field a page (contract 7.3)."""
        query = call.query
        if "email" in query:
            return self._search_email(call)
        if "key" in query:
            user = self.account.user_by_key(query["key"])
            return Answer(200, self.shapes.user(listing.one(user), call.version))
        if "phone_number" in query:
            return self._search_phone(call)
        if not query:
            raise bad_request({"search": ["This field is required."]})
        return self._user_page(call, self.filters.pick(query))

    def _search_email(self, call: Call) -> Answer:
        found = self.account.users_by_email(call.query["email"], self.switches.search_ignores_case)
        if call.query.get("many", "").lower() == "true":
            if not found and self.switches.many_none == "404":
                raise not_found()
            return Answer(200, [self.shapes.user(user, call.version) for user in found])
        # Of several, the lowest id (contract 7.3).
        user = listing.one(next(iter(found), None))
        return Answer(200, self.shapes.user(user, call.version))

    def _search_phone(self, call: Call) -> Answer:
        """Version 1 answers one user, version 2 a page."""
        found = self.account.users_by_phone(call.query["phone_number"])
        if call.version == 2:
            return self._user_page(call, found)
        return Answer(200, self.shapes.user(listing.one(next(iter(found), None)), 1))

    def set_user_attribute(self, call: Call) -> Answer:
        user = self._user(call)
        return self._store_user(user, self._one_attribute(call))

    def set_user_attributes(self, call: Call) -> Answer:
        user = self._user(call)
        return self._store_user(user, call.json())

    def _store_user(self, user: User, values: dict[str, Any]) -> Answer:
        """The answer is an empty 200 (section 1.3)."""
        changes = Changes(attributes=self.validator.custom_values(values, USER))
        self.account.update_user(user, changes, "api")
        return EMPTY

    @staticmethod
    def _one_attribute(call: Call) -> dict[str, Any]:
        body = call.json()
        name = body.get("attribute")
        errors = {}
        if not isinstance(name, str) or not 1 <= len(name) <= 255:
            errors["attribute"] = ["A name of 1 to 255 characters is required."]
        if "value" not in body:
            errors["value"] = ["This field is required."]
        if errors:
            raise bad_request(errors)
        return {str(name): body["value"]}

    def _mass_users(self, call: Call) -> list[User]:
        """The users of ``ids``; an id that nobody has is passed over."""
        ids = call.json().get("ids")
        kind = str if call.raw_path.startswith("/users-by-id/") else int
        if not isinstance(ids, list) or not ids or not all(type(item) is kind for item in ids):
            raise bad_request({"ids": ["A list of ids is required."]})
        if kind is int:
            found = [self.account.users.get(item) for item in ids]
        else:
            found = [self.account.user_by_custom_id(item) for item in ids]
        return [user for user in found if user is not None]

    def mass_update_standard(self, call: Call) -> Answer:
        users = self._mass_users(call)
        ((name, value),) = self._one_attribute(call).items()
        if name not in MASS_FIELDS:
            raise bad_request({"attribute": [f'"{name}" is not a valid choice.']})
        if name == "custom_id" and len(users) > 1 and value not in (None, ""):
            raise bad_request({"value": ["This field must be unique."]})
        only = users[0] if len(users) == 1 else None
        try:
            changes = self.validator.write({name: value}, {name: name}, USER, only)
        except RefusedError as refused:
            raise bad_request({"value": refused.errors[name]}) from None
        return self._store_many(users, changes)

    def mass_update_custom(self, call: Call) -> Answer:
        users = self._mass_users(call)
        values = self._one_attribute(call)
        return self._store_many(
            users, Changes(attributes=self.validator.custom_values(values, USER))
        )

    def _store_many(self, users: list[User], changes: Changes) -> Answer:
        for user in users:
            self.account.update_user(user, changes, "api")
        return Answer(200, {"status": "ok"})

    def merge_users(self, call: Call) -> Answer:
        body = call.json()
        parent_id, others = body.get("parent"), body.get("users_list")
        errors = {}
        if type(parent_id) is not int:
            errors["parent"] = ["A valid integer is required."]
        if not isinstance(others, list) or not others or any(type(i) is not int for i in others):
            errors["users_list"] = ["A list of ids is required."]
        elif parent_id in others or len(set(others)) < len(others):
            errors["users_list"] = ["Every user may be named once."]
        if errors or type(parent_id) is not int or not isinstance(others, list):
            raise bad_request(errors)
        found = [self.account.users.get(number) for number in (parent_id, *others)]
        known = [user for user in found if user is not None]
        if len(known) < len(found):
            raise not_found()
        self.account.merge(known[0], known[1:], "api")
        return Answer(200, {"success": True})

    # Companies (section 1.5)

    def _company(self, call: Call) -> Company:
        if "id" in call.params:
            company = self.account.companies.get(int(call.params["id"]))
        else:
            company = self.account.company_by_custom_id(call.params["custom_id"])
        if company is None:
            raise not_found()
        return company

    def _company_changes(self, call: Call, company: Company | None) -> Changes:
        names = company_write_names(call.version)
        return self.validator.write(call.json(), names, COMPANY, company)

    def list_companies(self, call: Call) -> Answer:
        companies = [self.account.companies[number] for number in sorted(self.account.companies)]
        return listing.page(
            call, companies, lambda item: self.shapes.company(item, call.version), self.switches
        )

    def create_company(self, call: Call) -> Answer:
        if "name" not in call.json():
            raise bad_request({"name": ["This field is required."]})
        company = self.account.create_company(self._company_changes(call, None))
        return Answer(201, self.shapes.company(company, call.version))

    def read_company(self, call: Call) -> Answer:
        return Answer(200, self.shapes.company(self._company(call), call.version))

    def update_company(self, call: Call) -> Answer:
        company = self._company(call)
        self.account.update_company(company, self._company_changes(call, company))
        return Answer(200, self.shapes.company(company, call.version))

    def delete_company(self, call: Call) -> Answer:
        self.account.delete_company(self._company(call))
        return Answer(204, empty=True)

    def add_member(self, call: Call) -> Answer:
        return self._set_member(call, True)

    def remove_member(self, call: Call) -> Answer:
        return self._set_member(call, False)

    def _set_member(self, call: Call, member: bool) -> Answer:
        company = self._company(call)
        body = call.json()
        if body.get("user_id") is not None:
            try:
                user = self.account.users.get(as_integer(body["user_id"]))
            except InvalidError as error:
                raise bad_request({"user_id": [str(error)]}) from None
        elif body.get("user_custom_id"):
            user = self.account.user_by_custom_id(str(body["user_custom_id"]))
        else:
            raise bad_request({"user_id": ["This field is required."]})
        if user is None:
            raise not_found()
        self.account.set_member(company, user, member)
        return Answer(200, self.shapes.company(company, call.version))

    def set_company_attribute(self, call: Call) -> Answer:
        company = self._company(call)
        return self._store_company(company, self._one_attribute(call))

    def set_company_attributes(self, call: Call) -> Answer:
        company = self._company(call)
        return self._store_company(company, call.json())

    def _store_company(self, company: Company, values: dict[str, Any]) -> Answer:
        changes = Changes(attributes=self.validator.custom_values(values, COMPANY))
        self.account.update_company(company, changes)
        return EMPTY

    # Attributes (section 1.7)

    def _attribute(self, call: Call) -> Attribute:
        attribute = self.account.attributes.get(int(call.params["id"]))
        if attribute is None:
            raise not_found()
        return attribute

    def list_attributes(self, call: Call) -> Answer:
        attributes = [self.account.attributes[key] for key in sorted(self.account.attributes)]
        return listing.page(call, attributes, self.shapes.attribute, self.switches)

    def create_attribute(self, call: Call) -> Answer:
        attribute = self.account.create_attribute(**self.validator.attribute(call.json()))
        return Answer(201, self.shapes.attribute(attribute))

    def read_attribute(self, call: Call) -> Answer:
        return Answer(200, self.shapes.attribute(self._attribute(call)))

    def delete_attribute(self, call: Call) -> Answer:
        self.account.delete_attribute(self._attribute(call))
        return Answer(204, empty=True)


__all__ = ["SCOPES", "Api", "Key", "Record"]

"""What the account holds: users, companies, attributes and tags (contract 7.2). No HTTP in here."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from .index import Index

#: Standard fields of a user that can be written, by their version 2 name, with the value of a
#: new user (section 1.4). ``tags`` and the company are kept apart.
USER_FIELDS: dict[str, Any] = {
    "custom_id": None,
    "email": None,
    "first_name": None,
    "last_name": None,
    "phone_number": None,
    "gender": 1,
    "status": 1,
    "city": None,
    "region": None,
    "country": None,
    "timezone": None,
    "score": 0,
    "assigned_to": None,
    "unsubscribed": False,
    "notifications": True,
    "facebook_url": None,
    "linkedin_url": None,
    "twitter_url": None,
    "google_url": None,
    "gravatar_url": None,
}

#: Facts about a user that only the service itself writes (section 1.4).
USER_FACTS: dict[str, Any] = {
    "page_views": 0,
    "last_ip": None,
    "browser_language": None,
    "browser": None,
    "os_type": None,
    "resolution": None,
    "last_contacted": None,
    "web_push_subscription": False,
    "most_active_time": None,
}

#: Fields of a company that can be written (section 1.5).
COMPANY_FIELDS: dict[str, Any] = {
    "custom_id": None,
    "name": None,
    "email": None,
    "description": None,
    "address": None,
    "city": None,
    "region": None,
    "country": None,
    "postal_code": None,
    "phone_numbers": None,
    "category": None,
    "size": None,
    "founded": None,
}

USER = "clientuser"
COMPANY = "company"


@dataclass
class Attribute:
    """A custom attribute (section 1.7)."""

    id: int
    name: str
    name_std: str
    value_type: str
    content_type: str
    description: str = ""
    choices: list[str] = field(default_factory=list)
    allow_multiple_choices: bool = False


@dataclass
class Record:
    """What users and companies have in common."""

    id: int
    created_at: str
    updated_at: str
    fields: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass
class User(Record):
    """A contact (section 1.4)."""

    key: str = ""
    first_seen: str = ""
    last_seen: str = ""
    facts: dict[str, Any] = field(default_factory=lambda: dict(USER_FACTS))
    lists: list[dict[str, Any]] = field(default_factory=list)
    #: Company id to the time since when.
    companies: dict[int, str] = field(default_factory=dict)

    @staticmethod
    def readable() -> set[str]:
        """The names of the fields and facts."""
        return {*USER_FIELDS, *USER_FACTS}

    @property
    def name(self) -> str:
        """First and last name, or the e-mail if both are empty (contract 7.6)."""
        parts = [self.fields["first_name"], self.fields["last_name"]]
        return " ".join(part for part in parts if part) or self.fields["email"] or ""


@dataclass
class Company(Record):
    """A company (section 1.5)."""


@dataclass
class Changes:
    """A checked write: what to store."""

    fields: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    #: The company that the user joins.
    company: int | None = None


#: Called with "new_user" or "attribute_change", the user, the names changed, and who did it.
Listener = Callable[[str, User, set[str], str], None]


def standard_name(name: str) -> str:
    """The lower-case form with underscores of an attribute's name (section 1.7)."""
    plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("Ł", "L"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"\W+", "_", plain.lower()).strip("_")


def stamp(moment: datetime) -> str:
    """A time as the API writes it, such as ``2018-02-09T10:42:13.956452Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """A time as the API writes it, in seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Account:
    """One account of the service, in memory. Every change goes through a method of this class."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.clock_offset = 0.0
        self.revision = 0
        self._empty()

    def _empty(self) -> None:
        self.users: dict[int, User] = {}
        self.companies: dict[int, Company] = {}
        self.attributes: dict[int, Attribute] = {}
        self.tags: dict[str, int] = {}
        #: By the field whose value is looked up.
        self.user_index: dict[str, Index[User]] = {
            "custom_id": Index(),
            "email": Index(ignore_case=True),
            "phone_number": Index(),
        }
        self.key_index: Index[User] = Index()
        self.company_index: dict[str, Index[Company]] = {"custom_id": Index()}
        #: The users of each company.
        self.members: dict[int, set[int]] = {}
        self._sorted_users: list[User] | None = []
        self._attribute_names: dict[tuple[str, str], Attribute] | None = None
        #: The numbers given last; different for each kind so that mixing them up shows.
        self.last_ids = {"user": 1000, "company": 500, "attribute": 40, "tag": 0}

    # Time and numbers

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.clock_offset)

    def _next_id(self, kind: str) -> int:
        self.last_ids[kind] += 1
        return self.last_ids[kind]

    def touch(self) -> None:
        """Note that something has changed, for the page and for the state file."""
        self.revision += 1

    def _fire(self, event: str, user: User, names: set[str], source: str) -> None:
        for listener in self.listeners:
            listener(event, user, names, source)

    # Users

    def user_by_custom_id(self, custom_id: str) -> User | None:
        return self.user_index["custom_id"].first(custom_id)

    def user_by_key(self, key: str) -> User | None:
        return self.key_index.first(key)

    def users_by_email(self, email: str, ignore_case: bool) -> list[User]:
        """All users with that e-mail, the lowest id first: e-mails are not unique (1.4)."""
        found = self.user_index["email"].find(email)
        return [user for user in found if ignore_case or user.fields["email"] == email]

    def users_by_phone(self, phone: str) -> list[User]:
        return self.user_index["phone_number"].find(phone)

    def sorted_users(self) -> list[User]:
        """All users by their ids. The list is the caller's to read, not to change."""
        if self._sorted_users is None:
            self._sorted_users = [self.users[user_id] for user_id in sorted(self.users)]
        return self._sorted_users

    def _enter(self, user: User) -> None:
        """Hold a user, and whatever it is looked up by."""
        self.users[user.id] = user
        self._sorted_users = None
        self.key_index.add(user.key, user)
        for name, index in self.user_index.items():
            index.add(user.fields[name], user)
        for number in user.companies:
            self.members.setdefault(number, set()).add(user.id)

    def _leave(self, user: User) -> None:
        del self.users[user.id]
        self._sorted_users = None
        self.key_index.discard(user.key, user)
        for name, index in self.user_index.items():
            index.discard(user.fields[name], user)
        for number in user.companies:
            self.members[number].discard(user.id)

    def create_user(self, changes: Changes, source: str) -> User:
        now = stamp(self.now())
        alphabet = string.ascii_letters + string.digits
        user = User(
            id=self._next_id("user"),
            key="".join(secrets.choice(alphabet) for _ in range(12)),
            created_at=now,
            updated_at=now,
            first_seen=now,
            last_seen=now,
            fields=dict(USER_FIELDS),
        )
        if changes.fields.get("email"):
            user.fields["status"] = 2
        self._enter(user)
        self._apply(user, changes)
        self._join(user, changes)
        self.touch()
        self._fire("new_user", user, set(), source)
        return user

    def update_user(self, user: User, changes: Changes, source: str) -> None:
        changed = self._apply(user, changes)
        self._join(user, changes)
        self._user_changed(user, changed, source)

    def _user_changed(self, user: User, changed: set[str], source: str) -> None:
        user.updated_at = stamp(self.now())
        self.touch()
        if changed:
            self._fire("attribute_change", user, changed, source)

    def _join(self, user: User, changes: Changes) -> None:
        if changes.company is not None:
            self._tie(user, changes.company, stamp(self.now()))

    def _tie(self, user: User, number: int, since: str) -> None:
        user.companies.setdefault(number, since)
        self.members.setdefault(number, set()).add(user.id)

    def delete_user(self, user: User) -> None:
        self._leave(user)
        self.touch()

    def view_page(self, user: User) -> None:
        """A page view moves ``last_seen``, ``page_views`` and ``updated_at`` (contract 7.6)."""
        user.last_seen = stamp(self.now())
        user.facts["page_views"] += 1
        user.updated_at = stamp(self.now() + timedelta(milliseconds=5))
        self.touch()

    def merge(self, parent: User, others: Iterable[User], source: str) -> None:
        """Fill the parent's empty fields, from the lowest id first; the others go (1.3)."""
        gone = sorted(others, key=lambda user: user.id)
        for user in gone:
            self._leave(user)
        changed: set[str] = set()
        for user in gone:
            missing = Changes(
                fields={
                    name: value
                    for name, value in user.fields.items()
                    if parent.fields[name] in (None, "")
                },
                attributes={
                    name: value
                    for name, value in user.attributes.items()
                    if parent.attributes.get(name) in (None, "")
                },
                tags=user.tags,
            )
            changed |= self._apply(parent, missing)
            for number, since in user.companies.items():
                self._tie(parent, number, since)
            parent.lists += [entry for entry in user.lists if entry not in parent.lists]
        self._user_changed(parent, changed, source)

    def overwrite(self, user: User, values: dict[str, Any]) -> None:
        """Put facts that nobody can write, such as ``updated_at``, for a test's sake."""
        for name, value in values.items():
            if name in user.facts:
                user.facts[name] = value
            elif name == "key":
                self.key_index.discard(user.key, user)
                self.key_index.add(value, user)
                user.key = value
            elif name in ("created_at", "updated_at", "first_seen", "last_seen", "lists"):
                setattr(user, name, value)
            else:
                raise ValueError(f"A contact has no {name!r}.")
        self.touch()

    # Companies

    def company_by_custom_id(self, custom_id: str) -> Company | None:
        return self.company_index["custom_id"].first(custom_id)

    def create_company(self, changes: Changes) -> Company:
        now = stamp(self.now())
        number = self._next_id("company")
        company = Company(number, created_at=now, updated_at=now, fields=dict(COMPANY_FIELDS))
        self.companies[number] = company
        self._apply(company, changes)
        self.touch()
        return company

    def update_company(self, company: Company, changes: Changes) -> None:
        self._apply(company, changes)
        company.updated_at = stamp(self.now())
        self.touch()

    def delete_company(self, company: Company) -> None:
        del self.companies[company.id]
        for name, index in self.company_index.items():
            index.discard(company.fields[name], company)
        for number in self.members.pop(company.id, ()):
            del self.users[number].companies[company.id]
        self.touch()

    def employees(self, company: Company) -> list[int]:
        return sorted(self.members.get(company.id, ()))

    def set_member(self, company: Company, user: User, member: bool) -> None:
        if member:
            self._tie(user, company.id, stamp(self.now()))
        elif company.id in user.companies:
            del user.companies[company.id]
            self.members[company.id].discard(user.id)
        user.updated_at = company.updated_at = stamp(self.now())
        self.touch()

    # Attributes

    def attribute(self, name: str, content_type: str) -> Attribute | None:
        """An attribute by its standard name or by its name."""
        if self._attribute_names is None:
            held = list(self.attributes.values())[::-1]  # of two, the first one is found
            self._attribute_names = {
                **{(item.content_type, item.name): item for item in held},
                **{(item.content_type, item.name_std): item for item in held},
            }
        return self._attribute_names.get((content_type, name))

    def create_attribute(
        self,
        name: str,
        value_type: str,
        content_type: str = USER,
        choices: Iterable[str] = (),
        allow_multiple_choices: bool = False,
        description: str = "",
    ) -> Attribute:
        attribute = Attribute(
            id=self._next_id("attribute"),
            name=name,
            name_std=standard_name(name),
            value_type=value_type,
            content_type=content_type,
            description=description,
            choices=list(choices),
            allow_multiple_choices=allow_multiple_choices,
        )
        self.attributes[attribute.id] = attribute
        self._attribute_names = None
        self.touch()
        return attribute

    def edit_attribute(self, attribute: Attribute, **values: Any) -> None:
        """A new name, type or list of choices, as a person in User.com gives it.

        The key follows the name unless it is given; what contacts hold goes along, and loses
        nothing by another type.
        """
        key = attribute.name_std
        if "name" in values:
            values = {"name_std": standard_name(str(values["name"])), **values}
        for name, value in values.items():
            setattr(attribute, name, value)
        self._attribute_names = None
        holders: list[Record] = [*self.users.values(), *self.companies.values()]
        for record in holders:
            of_kind = isinstance(record, Company) == (attribute.content_type == COMPANY)
            if of_kind and key in record.attributes:
                record.attributes[attribute.name_std] = record.attributes.pop(key)
        self.touch()

    def delete_attribute(self, attribute: Attribute) -> None:
        del self.attributes[attribute.id]
        self._attribute_names = None
        holders: list[Record] = [*self.users.values(), *self.companies.values()]
        for record in holders:
            if isinstance(record, Company) == (attribute.content_type == COMPANY):
                record.attributes.pop(attribute.name_std, None)
        self.touch()

    # Both

    def _apply(self, record: Record, changes: Changes) -> set[str]:
        """Store a checked write and name what is different now. Tags only add (contract 7.6)."""
        changed: set[str] = set()
        self._reindex(record, changes.fields)
        for held, given in (
            (record.fields, changes.fields),
            (record.attributes, changes.attributes),
        ):
            for name, value in given.items():
                if held.get(name) != value or type(held.get(name)) is not type(value):
                    changed.add(name)
                held[name] = value
        for tag in changes.tags:
            if tag not in self.tags:
                self.tags[tag] = self._next_id("tag")
            if tag not in record.tags:
                record.tags.append(tag)
        return changed

    def _reindex(self, record: Record, fields: dict[str, Any]) -> None:
        """Follow what a write makes of the fields that records are looked up by."""
        indexes: dict[str, Index[Any]] = {}
        if isinstance(record, User):
            indexes.update(self.user_index)
        else:
            indexes.update(self.company_index)
        for name, index in indexes.items():
            if name in fields:
                index.discard(record.fields[name], record)
                index.add(fields[name], record)

    # Keeping and restoring

    def clear(self) -> None:
        self._empty()
        self.touch()

    def dump(self) -> dict[str, Any]:
        return {
            "users": [asdict(user) for user in self.users.values()],
            "companies": [asdict(company) for company in self.companies.values()],
            "attributes": [asdict(attribute) for attribute in self.attributes.values()],
            "tags": self.tags,
            "last_ids": self.last_ids,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`dump` gave; raises when it is of another shape."""
        self._empty()
        for entry in data["users"]:
            companies = {int(number): since for number, since in entry.pop("companies").items()}
            self._enter(User(**entry, companies=companies))
        for entry in data["companies"]:
            company = self.companies[entry["id"]] = Company(**entry)
            for name, index in self.company_index.items():
                index.add(company.fields[name], company)
        for entry in data["attributes"]:
            self.attributes[entry["id"]] = Attribute(**entry)
        self.tags = dict(data["tags"])
        self.last_ids.update(data["last_ids"])
        self.touch()

"""What User.com's answers hold, in one shape for both versions of the API.

Version 1 and version 2 name some things differently and hand out custom attributes as a list or as
keys beside the standard ones; which of the two version 2 does is not settled (usercom-api.md 1.2).
So both are read, always, and the names given are those of version 2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from .errors import AgainLater, Kind

_STATUSES = {"user": "user", "visitor": "visitor", 2: "user", 1: "visitor"}


@dataclass(frozen=True)
class _Names:
    """The standard fields of a kind of object; every other key is a custom attribute of it."""

    version_1: Mapping[str, str]
    """What version 1 calls otherwise, to the name in version 2 (usercom-api.md 1.2)."""
    texts: frozenset[str]
    lists: frozenset[str]
    others: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.texts | self.lists | self.others


# usercom-api.md 1.4
_CONTACT = _Names(
    version_1={"user_id": "custom_id", "key": "user_key"},
    texts=frozenset(
        {
            *("custom_id", "user_key", "email", "name", "first_name", "last_name", "phone_number"),
            *("city", "region", "country", "timezone", "browser_language", "gravatar_url"),
            *("facebook_url", "linkedin_url", "twitter_url", "google_url"),
        }
    ),
    lists=frozenset({"companies", "lists", "tags"}),
    others=frozenset(
        {
            *("id", "attributes", "gender", "status", "first_seen", "last_seen", "last_contacted"),
            *("created_at", "updated_at", "page_views", "last_ip", "browser", "os_type"),
            *("resolution", "score", "unsubscribed", "notifications", "web_push_subscription"),
            *("most_active_time", "assigned_to", "company_id", "company_custom_id"),
        }
    ),
)
# usercom-api.md 1.5; "member_since" is there in a contact's tie to a company (1.4)
_COMPANY = _Names(
    version_1={"company_id": "custom_id"},
    texts=frozenset(
        {
            *("custom_id", "name", "email", "description", "address", "city", "region", "country"),
            "postal_code",
        }
    ),
    lists=frozenset({"employees", "phone_numbers", "tags"}),
    others=frozenset(
        {
            *("id", "attributes", "category", "size", "approx_employees", "founded"),
            *("created_at", "updated_at", "member_since"),
        }
    ),
)

#: The fields that every contact, and every company, has.
CONTACT_FIELDS = _CONTACT.all
COMPANY_FIELDS = _COMPANY.all


def _object(source: object, what: str) -> dict[str, Any]:
    """Give the source if it is a JSON object with an id, else raise the error of a bad answer."""
    if isinstance(source, dict) and _is_id(source.get("id")):
        return source
    raise AgainLater(Kind.NOT_JSON, sentence=f"User.com's answer held no {what} with an id.")


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _text(source: Mapping[str, Any], name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Attribute:
    """A custom attribute that the account knows (usercom-api.md 1.7)."""

    id: int
    name: str
    name_std: str
    """The name under which values are read and written."""
    value_type: str
    """boolean, date, datetime, fixed, float, integer, json or string."""
    content_type: str
    """What it belongs to: clientuser (a contact), company, deal, ..."""
    choices: tuple[str, ...] = ()
    """For value type fixed, where the answer tells them."""
    multiple: bool | None = None
    """Whether several choices may be taken; None where the answer does not tell."""

    @classmethod
    def from_json(cls, source: object) -> "Attribute":
        """Read one attribute; raises AgainLater, kind not_json, if it has no id or no name."""
        attribute = _object(source, "attribute")
        name_std = _text(attribute, "name_std")
        if not name_std:
            raise AgainLater(Kind.NOT_JSON, sentence="User.com's answer held a nameless attribute.")
        content_type = _text(attribute, "content_type") or ""
        choices, multiple = attribute.get("choices"), attribute.get("allow_multiple_choices")
        return cls(
            id=attribute["id"],
            name=_text(attribute, "name") or name_std,
            name_std=name_std,
            value_type=_text(attribute, "value_type") or "",
            # Older answers say "user" for what has to be written as "clientuser".
            content_type="clientuser" if content_type == "user" else content_type,
            choices=tuple(c for c in choices if isinstance(c, str))
            if isinstance(choices, list)
            else (),
            multiple=multiple if isinstance(multiple, bool) else None,
        )


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


@dataclass(frozen=True)
class _Record:
    """What a contact and a company have in common (usercom-api.md 1.4 and 1.5).

    `standard` and `attributes` hold what the answer had, null as None; what it did not have is in
    neither, and so is a standard field whose value is of a type it cannot be of: it must not be
    taken for a blank. Its repr shows the id alone, so that no log line shows a person.
    """

    id: int
    standard: Mapping[str, Any] = field(repr=False)
    """Standard fields by their version 2 name; lists are lists, null among them as empty ones."""
    attributes: Mapping[str, Any] = field(repr=False)
    """Custom attributes by name_std: bool, number, text, None, or a list for a multiple choice."""
    read_at: datetime = field(default_factory=_now, kw_only=True, compare=False, repr=False)
    """When the answer had come, in UTC without zone: what happens later it does not show."""

    def has(self, name: str) -> bool:
        """Tell whether the answer held this standard field or custom attribute, null included."""
        return name in self.standard or name in self.attributes

    def get(self, name: str) -> Any:
        """Give a standard field's or else a custom attribute's value; None if null or absent."""
        return self.standard[name] if name in self.standard else self.attributes.get(name)

    @property
    def custom_id(self) -> str | None:
        """The User ID or Company ID: the id that we, or another integration, gave it."""
        return _text(self.standard, "custom_id")

    @property
    def email(self) -> str | None:
        """Not unique among contacts (usercom-api.md 1.4)."""
        return _text(self.standard, "email")

    @property
    def name(self) -> str | None:
        """A contact's first and last name in one, or its e-mail without these; a company's name.

        Reads of a contact give no first_name and last_name (usercom-api.md 1.4); should one do so,
        `get` has them.
        """
        return _text(self.standard, "name")

    @property
    def updated_at(self) -> datetime | None:
        """When it last changed, in UTC. Moves with mere browsing too (usercom-api.md 1.4)."""
        value = str(self.standard.get("updated_at"))
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
            if moment.tzinfo is None:
                return moment.replace(tzinfo=timezone.utc)
            return moment.astimezone(timezone.utc)
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class Company(_Record):
    """A company, or what a contact's tie to one shows: its number, its name and since when."""

    @classmethod
    def from_json(cls, source: object) -> "Company":
        """Read one company in either version's shape (usercom-api.md 1.5).

        Raises AgainLater, kind not_json, if it is not an object with a whole, positive id.
        """
        company = _object(source, "company")
        return cls(company["id"], *_read(company, _COMPANY))

    @property
    def employees(self) -> tuple[int, ...]:
        """User.com's numbers of the members; `has("employees")` says whether they were told."""
        listed = self.standard.get("employees", ())
        return tuple(number for number in listed if _is_id(number))


@dataclass(frozen=True)
class Contact(_Record):
    """A person in User.com as one answer showed them (usercom-api.md 1.4).

    The standard field "status" is user or visitor.
    """

    companies: tuple[Company, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, source: object) -> "Contact":
        """Read one contact in either version's shape.

        Raises AgainLater, kind not_json, if it is not an object with a whole, positive id.
        """
        contact = _object(source, "contact")
        standard, attributes = _read(contact, _CONTACT)
        companies = tuple(
            Company.from_json(item)
            for item in standard.get("companies", ())
            if isinstance(item, dict) and _is_id(item.get("id"))
        )
        return cls(contact["id"], standard, attributes, companies)

    @classmethod
    def from_webhook(cls, source: object) -> "Contact | None":
        """Read the `user` of a webhook call (usercom-api.md 3), or give None if it is none.

        For comparing only: nobody vouches for what it says. Where automations write numbers and
        yes or no as texts, the id, the score and the standard flags are read all the same. Custom
        values stay as they came: whoever compares them knows the types of the attributes.
        """
        if not isinstance(source, dict):
            return None
        user = {name: _untexted(name, value) for name, value in source.items()}
        # The opposite of "unsubscribed", and none of the contact's own (usercom-api.md 2).
        user.pop("emails_enabled", None)
        try:
            return cls.from_json(user)
        except AgainLater:
            return None

    @property
    def user_key(self) -> str | None:
        """The browser's key, the value of the widget's cookie."""
        return _text(self.standard, "user_key")

    @property
    def phone_number(self) -> str | None:
        """As stored there: not surely in the international form (usercom-api.md 1.4)."""
        return _text(self.standard, "phone_number")

    @property
    def status(self) -> str | None:
        """ "user" or "visitor"; None where the answer does not tell."""
        return _text(self.standard, "status")

    @property
    def is_user(self) -> bool:
        """Whether this is a known person and not a mere visitor; False where it is not told."""
        return self.status == "user"

    @property
    def unsubscribed(self) -> bool | None:
        """True: do not mail. False is the default and says nothing (usercom-api.md 2)."""
        value: bool | None = self.standard.get("unsubscribed")
        return value


def _read(source: Mapping[str, Any], names: _Names) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Sort an object's keys into standard fields and custom attributes, flat or listed."""
    standard: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    known = names.all
    for key, value in source.items():
        name = names.version_1.get(key, key)
        if name != key and name in source:
            # Version 2 has its own key for this: the old one is an attribute of that name.
            custom[key] = value
        elif name not in known:
            custom[name] = value
        elif name != "attributes":
            _read_standard(standard, name, value, names)
    listed = source.get("attributes")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and _text(item, "name_std") and "value" in item:
            custom[item["name_std"]] = item["value"]
    return MappingProxyType(standard), MappingProxyType(custom)


def _read_standard(standard: dict[str, Any], name: str, value: Any, names: _Names) -> None:
    """Take a standard value over in its proper form, or leave it out if it has none."""
    if name in names.lists:
        if value is None or isinstance(value, list):  # null for an empty list (usercom-api.md 1.4)
            standard[name] = value or []
    elif value is None:
        standard[name] = None
    elif name == "status":
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in _STATUSES:
            standard[name] = _STATUSES[value]
    elif name in names.texts:
        if isinstance(value, str):
            standard[name] = value
    elif name != "unsubscribed" or isinstance(value, bool):
        standard[name] = value


_FLAGS = {"unsubscribed", "notifications", "web_push_subscription"}
_NUMBERS = {"id", "score", "status"}


def _untexted(name: str, value: Any) -> Any:
    """Undo what a template does to the standard fields that are no texts (usercom-api.md 3)."""
    if name in _FLAGS and isinstance(value, (str, int)):
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower(), value)
    if name in _NUMBERS and isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        return int(value)
    return value

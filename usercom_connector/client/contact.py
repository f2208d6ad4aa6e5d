"""What User.com's answers hold, in one shape for both versions of the API.

Version 1 and version 2 name some things differently and hand out custom attributes as a list or as
keys beside the standard ones; which of the two version 2 does is not settled (usercom-api.md 1.2).
So both are read, always, and the names given are those of version 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from .errors import AgainLater, Kind

# usercom-api.md 1.2
_V1_NAMES = {"user_id": "custom_id", "key": "user_key"}
_STATUSES = {"user": "user", "visitor": "visitor", 2: "user", 1: "visitor"}

# Every other top-level key is taken for a custom attribute (usercom-api.md 1.4).
_TEXTS = {
    *("custom_id", "user_key", "email", "name", "first_name", "last_name", "phone_number"),
    *("city", "region", "country", "timezone", "browser_language", "gravatar_url"),
    *("facebook_url", "linkedin_url", "twitter_url", "google_url"),
}
_LISTS = {"companies", "lists", "tags"}
_OTHERS = {
    *("id", "attributes", "gender", "status", "first_seen", "last_seen", "last_contacted"),
    *("created_at", "updated_at", "page_views", "last_ip", "browser", "os_type", "resolution"),
    *("score", "unsubscribed", "notifications", "web_push_subscription", "most_active_time"),
    *("assigned_to", "company_id", "company_custom_id"),
}
_STANDARD = _TEXTS | _LISTS | _OTHERS


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
class Company:
    """A company, or a contact's tie to one: its number and its name."""

    id: int
    name: str | None = field(default=None, repr=False)
    custom_id: str | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, source: object) -> "Company":
        """Read one company (usercom-api.md 1.5); raises AgainLater, kind not_json."""
        company = _object(source, "company")
        # "company_id" is version 1's name for the company's own custom id (usercom-api.md 1.2).
        custom_id = _text(company, "custom_id") or _text(company, "company_id")
        return cls(company["id"], _text(company, "name"), custom_id)


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
    multiple: bool = False

    @classmethod
    def from_json(cls, source: object) -> "Attribute":
        """Read one attribute; raises AgainLater, kind not_json, if it has no id or no name."""
        attribute = _object(source, "attribute")
        name_std = _text(attribute, "name_std")
        if not name_std:
            raise AgainLater(Kind.NOT_JSON, sentence="User.com's answer held a nameless attribute.")
        content_type = _text(attribute, "content_type") or ""
        choices = attribute.get("choices")
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
            multiple=attribute.get("allow_multiple_choices") is True,
        )


@dataclass(frozen=True)
class Contact:
    """A person in User.com as one answer showed them (usercom-api.md 1.4).

    `standard` and `attributes` hold what the answer had, null as None; what it did not have is in
    neither, and so is a standard field whose value is of a type it cannot be of: it must not be
    taken for a blank. Its repr shows the id alone, so that no log line shows a person.
    """

    id: int
    standard: Mapping[str, Any] = field(repr=False)
    """Standard fields by their version 2 name; "status" is user or visitor, lists are lists."""
    attributes: Mapping[str, Any] = field(repr=False)
    """Custom attributes by name_std: bool, number, text, None, or a list for a multiple choice."""
    companies: tuple[Company, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, source: object) -> "Contact":
        """Read one contact in either version's shape.

        Raises AgainLater, kind not_json, if it is not an object with a whole, positive id.
        """
        contact = _object(source, "contact")
        standard: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        for key, value in contact.items():
            name = _V1_NAMES.get(key, key)
            if name != key and name in contact:
                # Version 2 has its own key for this: the old one is an attribute of that name.
                custom[key] = value
            elif name not in _STANDARD:
                custom[name] = value
            elif name != "attributes":
                _read_standard(standard, name, value)
        listed = contact.get("attributes")
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict) and _text(item, "name_std") and "value" in item:
                custom[item["name_std"]] = item["value"]
        companies = tuple(
            Company.from_json(item)
            for item in standard.get("companies", ())
            if isinstance(item, dict) and _is_id(item.get("id"))
        )
        return cls(contact["id"], MappingProxyType(standard), MappingProxyType(custom), companies)

    def has(self, name: str) -> bool:
        """Tell whether the answer held this standard field or custom attribute, null included."""
        return name in self.standard or name in self.attributes

    def get(self, name: str) -> Any:
        """Give a standard field's or else a custom attribute's value; None if null or absent."""
        return self.standard[name] if name in self.standard else self.attributes.get(name)

    @property
    def custom_id(self) -> str | None:
        """The User ID: the id that we, or another integration, gave it."""
        return _text(self.standard, "custom_id")

    @property
    def user_key(self) -> str | None:
        """The browser's key, the value of the widget's cookie."""
        return _text(self.standard, "user_key")

    @property
    def email(self) -> str | None:
        """Not unique among contacts (usercom-api.md 1.4)."""
        return _text(self.standard, "email")

    @property
    def name(self) -> str | None:
        """First and last name in one, or the e-mail if there are none (usercom-api.md 1.4).

        Reads give no first_name and last_name; should one do so, `get` has them.
        """
        return _text(self.standard, "name")

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


def _read_standard(standard: dict[str, Any], name: str, value: Any) -> None:
    """Take a standard value over in its proper form, or leave it out if it has none."""
    if name in _LISTS:
        if value is None or isinstance(value, list):  # null for an empty list (usercom-api.md 1.4)
            standard[name] = value or []
    elif value is None:
        standard[name] = None
    elif name == "status":
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in _STATUSES:
            standard[name] = _STATUSES[value]
    elif name in _TEXTS:
        if isinstance(value, str):
            standard[name] = value
    elif name != "unsubscribed" or isinstance(value, bool):
        standard[name] = value

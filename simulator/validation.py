"""What a write may hold (contract 7.4, sections 1.4, 1.5 and 1.7), and the *normalise* switch."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from .state import COMPANY, USER, USER_FIELDS, Account, Attribute, Changes, standard_name
from .switches import Switches

GENDERS = {1: "unknown", 2: "male", 3: "female"}
STATUSES = {1: "visitor", 2: "user"}

#: The longest value of a string; everything else is 255 (sections 1.4 and 1.7).
LENGTHS = {"first_name": 40, "last_name": 40, "city": 64, "phone_number": 64, "email": 254}
LONGEST = 255
ATTRIBUTE_NAME_LENGTH = 32

VALUE_TYPES = ("boolean", "date", "datetime", "fixed", "float", "integer", "json", "string")
CONTENT_TYPES = ("activity", "clientuser", "company", "deal", "product", "ticket")

#: Standard fields that ``mass_update_standard_attributes`` takes (section 1.3).
MASS_FIELDS = frozenset({*USER_FIELDS, "company_id"})

TRUE_WORDS = ("true", "1", "t", "yes")
FALSE_WORDS = ("false", "0", "f", "no")
EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]+)"
)

#: Country codes of three digits; 1 and 7 have one, all others two.
THREE_DIGIT_CODE = re.compile(r"2[1-689]|3[578]|42|5[09]|6[7-9]|8[05-8]|9[679]")

Errors = dict[str, list[str]]


class InvalidError(Exception):
    """A value that is refused, with the message of the answer."""


class RefusedError(Exception):
    """A write that is refused with 400 ``{"errors": {field: [message]}}``."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(str(errors))
        self.errors = errors


# Single values


def as_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidError("Not a valid string.")
    return str(value)


def as_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int)) and str(value).lower() in TRUE_WORDS:
        return True
    if isinstance(value, (str, int)) and str(value).lower() in FALSE_WORDS:
        return False
    raise InvalidError("Must be a valid boolean.")


def as_integer(value: Any) -> int:
    if not isinstance(value, bool):
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
            return int(value)
    raise InvalidError("A valid integer is required.")


def as_number(value: Any) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise InvalidError("A valid number is required.")


def as_date(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise InvalidError("Date has wrong format. Use YYYY-MM-DD.") from None


def as_datetime(value: Any) -> str:
    try:
        datetime.fromisoformat(re.sub(r"Z$", "+00:00", value))
    except (TypeError, ValueError):
        raise InvalidError("Datetime has wrong format. Use ISO 8601.") from None
    return str(value)


def as_email(value: Any) -> str:
    text = as_text(value)
    local, _, domain = text.rpartition("@")
    try:
        plain = f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        plain = ""
    if not EMAIL.fullmatch(plain):
        raise InvalidError("Enter a valid email address.")
    return text


def choice_of(words: dict[int, str]) -> Callable[[Any], int]:
    """Gender and status: the number or the word (contract 7.4)."""

    def pick(value: Any) -> int:
        for number, word in words.items():
            if not isinstance(value, bool) and value in (number, str(number), word):
                return number
        raise InvalidError(f'"{value}" is not a valid choice.')

    return pick


def as_phone_numbers(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise InvalidError("Expected a list of items.")
    return [as_text(item) for item in value]


def short_enough(text: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidError(f"Ensure this field has no more than {limit} characters.")
    return text


STANDARD: dict[str, Callable[[Any], Any]] = {
    "email": as_email,
    "gender": choice_of(GENDERS),
    "status": choice_of(STATUSES),
    "score": as_integer,
    "assigned_to": as_integer,
    "unsubscribed": as_boolean,
    "notifications": as_boolean,
    "phone_numbers": as_phone_numbers,
    "size": as_integer,
}
NEVER_NULL = ("gender", "status", "score", "unsubscribed", "notifications")


def as_fixed(attribute: Attribute, value: Any) -> Any:
    """One of the choices, or several where the attribute allows it (section 1.7)."""
    values = value if isinstance(value, list) else [value]
    if len(values) > 1 and not attribute.allow_multiple_choices:
        raise InvalidError("Only one choice is allowed.")
    for item in values:
        if item not in attribute.choices:
            raise InvalidError(f'"{item}" is not a valid choice.')
    if attribute.allow_multiple_choices:
        return values
    return values[0] if values else None


def as_json(value: Any) -> Any:
    return value


CUSTOM: dict[str, Callable[[Any], Any]] = {
    "boolean": as_boolean,
    "date": as_date,
    "datetime": as_datetime,
    "float": as_number,
    "integer": as_integer,
    "json": as_json,
}


# Normalising


def grouped_phone(text: str, style: str) -> str:
    """A phone number in groups of three after the country's code, or its digits only."""
    digits = re.sub(r"\D", "", text)
    if not digits or not re.fullmatch(r"[\d\s()+./-]+", text.strip()):
        return text
    if style == "digits":
        return digits
    if not text.strip().startswith("+"):
        return " ".join(re.findall(r"\d{1,3}", digits))
    code = 1 if digits[0] in "17" else 3 if THREE_DIGIT_CODE.match(digits) else 2
    return f"+{digits[:code]} {' '.join(re.findall(r'[0-9]{1,3}', digits[code:]))}".strip()


def normalised(name: str, value: Any, limit: int, phone_format: str) -> Any:
    """What an account with the switch *normalise* makes of a value."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if name == "email":
        value = value.lower()
    elif name == "phone_number":
        value = grouped_phone(value, phone_format)
    return value[:limit].rstrip()


# Whole writes


class Validator:
    """Checks the body of a write against the account and its switches."""

    def __init__(self, account: Account, switches: Switches) -> None:
        self.account = account
        self.switches = switches

    def standard(self, name: str, value: Any) -> Any:
        """One standard field. An empty string is stored as null."""
        limit = LENGTHS.get(name, LONGEST)
        if self.switches.normalise:
            value = normalised(name, value, limit, self.switches.phone_format)
        if name in NEVER_NULL and value in (None, ""):
            raise InvalidError("This field may not be null.")
        if value is None or value == "":
            return None
        convert: Callable[[Any], Any] = STANDARD.get(name, as_text)
        checked = convert(value)
        return short_enough(checked, limit) if isinstance(checked, str) else checked

    def custom(self, attribute: Attribute, value: Any) -> Any:
        """One custom attribute's value, converted to its type where that can be done."""
        if value is None:
            return None
        if attribute.value_type == "fixed":
            return as_fixed(attribute, value)
        if attribute.value_type != "string":
            return CUSTOM[attribute.value_type](value)
        if self.switches.normalise:
            value = normalised("", value, LONGEST, self.switches.phone_format)
        return short_enough(as_text(value), LONGEST)

    def write(
        self,
        body: dict[str, Any],
        fields: dict[str, str],
        content_type: str,
        record: Any = None,
    ) -> Changes:
        """Check a whole write; ``fields`` maps the names in the body to the names in the state."""
        changes = Changes()
        errors: Errors = {}
        unknown: dict[str, Any] = {}
        for key, value in body.items():
            try:
                if key in fields:
                    self._standard_into(changes, fields[key], value, record, content_type)
                else:
                    unknown[key] = value
            except InvalidError as error:
                errors[key] = [str(error)]
        try:
            changes.attributes = self.custom_values(unknown, content_type, dry=bool(errors))
        except RefusedError as error:
            errors.update(error.errors)
        if errors:
            raise RefusedError(errors)
        return changes

    def _standard_into(
        self, changes: Changes, name: str, value: Any, record: Any, content_type: str
    ) -> None:
        if name == "tags":
            if value is None:
                return
            if not isinstance(value, list):
                raise InvalidError("Expected a list of items.")
            changes.tags = [as_text(tag) for tag in value]
        elif name in ("company_id", "company_custom_id"):
            changes.company = self._company(name, value)
        else:
            checked = self.standard(name, value)
            if name == "custom_id" and checked is not None:
                self._unique(checked, record, content_type)
            if name == "name" and content_type == COMPANY and checked is None:
                raise InvalidError("This field may not be blank.")
            changes.fields[name] = checked

    def _company(self, name: str, value: Any) -> int | None:
        if value in (None, ""):
            return None
        if name == "company_id":
            company = self.account.companies.get(as_integer(value))
        else:
            company = self.account.company_by_custom_id(as_text(value))
        if company is None:
            raise InvalidError("There is no such company.")
        return company.id

    def _unique(self, custom_id: str, record: Any, content_type: str) -> None:
        owner: Any
        if content_type == USER:
            owner = self.account.user_by_custom_id(custom_id)
        else:
            owner = self.account.company_by_custom_id(custom_id)
        if owner is not None and owner is not record:
            raise InvalidError("This field must be unique.")

    def custom_values(
        self, values: dict[str, Any], content_type: str, dry: bool = False
    ) -> dict[str, Any]:
        """Check custom attributes by name; unknown ones as the switch says (contract 7.3).

        A dry run creates no attribute, because the write is refused for another reason.
        """
        errors: Errors = {}
        found: dict[str, Any] = {}
        missing: dict[str, Any] = {}
        for name, value in values.items():
            attribute = self.account.attribute(name, content_type)
            if attribute is None:
                missing[name] = value
                continue
            try:
                found[attribute.name_std] = self.custom(attribute, value)
            except InvalidError as error:
                if self.switches.wrong_type == "refuse":
                    errors[name] = [str(error)]
        if self.switches.unknown_attribute == "strict":
            errors.update({name: ["There is no such attribute."] for name in missing})
        if errors:
            raise RefusedError(errors)
        if self.switches.unknown_attribute == "legacy" and not dry:
            for name, value in missing.items():
                found.update(self._legacy(name, value, content_type))
        return found

    def _legacy(self, name: str, value: Any, content_type: str) -> dict[str, Any]:
        """An unknown attribute becomes a string attribute, whatever it held (section 1.4)."""
        name = name[:ATTRIBUTE_NAME_LENGTH]
        if not standard_name(name):
            return {}
        attribute = self.account.attribute(standard_name(name), content_type)
        if attribute is None:
            attribute = self.account.create_attribute(name, "string", content_type)
        return {attribute.name_std: None if value is None else str(value)[:LONGEST]}

    def attribute(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of ``POST /attributes/`` (section 1.7)."""
        errors: Errors = {}
        name = body.get("name")
        content_type = body.get("content_type")
        if not isinstance(name, str) or not standard_name(name):
            errors["name"] = ["This field is required."]
        elif len(name) > ATTRIBUTE_NAME_LENGTH:
            message = f"Ensure this field has no more than {ATTRIBUTE_NAME_LENGTH} characters."
            errors["name"] = [message]
        if content_type not in CONTENT_TYPES:
            errors["content_type"] = [f'"{content_type}" is not a valid choice.']
        elif not errors and self.account.attribute(standard_name(str(name)), content_type):
            errors["name"] = ["An attribute of that name exists."]
        if body.get("value_type") not in VALUE_TYPES:
            errors["value_type"] = [f'"{body.get("value_type")}" is not a valid choice.']
        choices = body.get("choices", [])
        if not isinstance(choices, list) or not all(isinstance(item, str) for item in choices):
            errors["choices"] = ["Expected a list of strings."]
        elif body.get("value_type") == "fixed" and not choices:
            errors["choices"] = ["This field is required."]
        if errors:
            raise RefusedError(errors)
        return {
            "name": name,
            "value_type": body["value_type"],
            "content_type": content_type,
            "choices": choices,
            "allow_multiple_choices": bool(body.get("allow_multiple_choices", False)),
            "description": str(body.get("description") or ""),
        }

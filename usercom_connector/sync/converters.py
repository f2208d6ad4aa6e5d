"""Values on their way between Odoo, the canonical form and User.com (docs/mapping.md).

Canonical is what both sides' values are compared in, and what the bases keep as JSON: ``None`` for
nothing, text that PostgreSQL takes, yes or no, a number, a date or a moment in UTC as ISO text, a
sorted list of texts, a country as its code, a state as "CC-SS", a phone number in E.164, a choice
as User.com's word.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from . import values
from .attributes import GENDERS
from .mapping import CUT, SKIP, FieldRule

_INTEGER_MAX = 2**31 - 1  # of Odoo's column
_NUMBER = re.compile(r"[-+0-9.eE]+")
_SHOWN = 64  # characters of a value in a notice
_EXACT_MAX = 2**53  # up to here each whole number is a float of its own
_TEXTUAL = frozenset({"string", "name", "email", "phone", "country", "region"})
_LISTED = frozenset({"list", "phones"})
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.S | re.I)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.I)
_TAG = re.compile(r"</?[a-z!][^<>]*>", re.I)


@dataclass(frozen=True)
class Context:
    """What converting one contact's values needs to know besides the values.

    ``phone`` gives a number, read as one of a country, in E.164; ``country_codes`` case-folded
    names and codes of countries to their codes, ``country_names`` codes to the names that User.com
    is to hold; ``states`` a country's code and a case-folded name or code to "CC-SS",
    ``state_names`` that to the name; ``country`` is the contact's. ``selections`` holds, for the
    Odoo fields that take no others, each value they take and what is written for it.
    """

    email: Callable[[str], str | None]
    phone: Callable[[str, str | None], str | None]
    country_codes: Mapping[str, str]
    country_names: Mapping[str, str]
    states: Mapping[tuple[str, str], str]
    state_names: Mapping[str, str]
    country: str | None
    timezone: str
    selections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class CannotTravel(Exception):  # noqa: N818 (named for what it means, not for being an error)
    """A value that stays where it is: a code and its facts for ``usercom.sentence``."""

    def __init__(self, code: str, **args: Any) -> None:
        super().__init__(code)
        self.code = code
        self.args_ = args


class TravelsInPart(CannotTravel):
    """A list of which only a part, which may be nothing, is what the other side knows."""

    def __init__(self, rest: list[str] | None, code: str, **args: Any) -> None:
        super().__init__(code, **args)
        self.rest = rest


Conversion = Callable[[FieldRule, Any, Context], Any]


@dataclass(frozen=True)
class Converter:
    """The ways of a value to canonical, from either side, and back.

    ``read`` gets Odoo's plain value or, ``there``, any JSON that User.com shows, and gives the
    canonical value or raises :class:`CannotTravel`. ``None`` never reaches ``to_wire``. ``may_cut``
    says whether a part of the text is still of use.
    """

    read: Callable[[FieldRule, Any, Context, bool], Any]
    to_wire: Conversion = lambda rule, value, context: value
    to_odoo: Conversion = lambda rule, value, context: False if value is None else value
    may_cut: bool = False


def canonical(rule: FieldRule, raw: Any, context: Context) -> Any:
    """Odoo's plain value in canonical form.

    :param raw: as Odoo gives it; for relations a list of names, a country's code or "CC-SS".
    :raises CannotTravel: where User.com cannot take it.
    """
    converter = CONVERTERS[rule.converter]
    value = converter.read(rule, raw, context, False)
    if rule.limit is None or value is None or (rule.too_long == CUT and converter.may_cut):
        return value
    if any(len(part) > rule.limit for part in _parts(rule, value, context)):
        code = "name_too_long" if rule.converter == "name" else "too_long"
        raise CannotTravel(code, attribute=rule.attribute, limit=rule.limit)
    return value


def from_wire(rule: FieldRule, value: Any, context: Context) -> Any:
    """A value read in User.com, whatever JSON it is, in canonical form.

    :raises CannotTravel: where it is no value of this attribute.
    """
    return CONVERTERS[rule.converter].read(rule, value, context, True)


def to_odoo(rule: FieldRule, value: Any, context: Context) -> Any:
    """A canonical value as Odoo's plain value, relations as :func:`canonical` takes them."""
    return CONVERTERS[rule.converter].to_odoo(rule, value, context)


def is_blank(rule: FieldRule, value: Any) -> bool:
    """Whether this canonical value may be one that nobody has entered.

    It wipes and replaces nothing while there is no base (design.md, promise 7): an unticked box
    and a number of zero too, which are values like others once there is one.
    """
    return not value


def payload(
    rules: Iterable[FieldRule], outgoing: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """What to write to User.com for these attributes.

    :param outgoing: attribute to canonical value; what no rule is about is not written.
    """
    body: dict[str, Any] = {}
    for rule in rules:
        if rule.attribute not in outgoing:
            continue
        value = outgoing[rule.attribute]
        if rule.converter == "name":
            first, last = _parts(rule, value or "", context)
            body["first_name"], body["last_name"] = _fit(rule, first), _fit(rule, last)
        else:
            body[rule.attribute] = _to_wire(rule, value, context)
    return body


def canonical_of_contact(
    rules: Iterable[FieldRule],
    get: Callable[[str], Any],
    has: Callable[[str], bool],
    context: Context,
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """A read of User.com in canonical form.

    Phone numbers and regions are read as those of the country that the read itself shows.

    :param get: gives the value of an attribute, ``has`` says whether the read shows it.
    :return: attribute to value, without what the read did not show and what is no value, and the
        notices about the latter where Odoo was to take it.
    """
    shown, email = get("country"), get("email")
    if isinstance(shown, str):
        code = context.country_codes.get((values.text(shown) or "").casefold())
        context = replace(context, country=code or context.country)
    theirs: dict[str, Any] = {}
    notices: list[tuple[str, dict[str, Any]]] = []
    for rule in rules:
        if not has(rule.attribute):
            continue
        try:
            value = from_wire(rule, get(rule.attribute), context)
        except CannotTravel as error:
            if rule.into:
                notices.append((error.code, error.args_))
            if not isinstance(error, TravelsInPart):
                continue
            value = error.rest
        if rule.converter == "name" and isinstance(email, str):
            value = values.person_name(value, email)
        theirs[rule.attribute] = value
    return theirs, notices


# === What is written ===


def _to_wire(rule: FieldRule, value: Any, context: Context) -> Any:
    several = rule.multiple or rule.value_type in _LISTED
    if value is None:
        if rule.value_type == "gender":
            return GENDERS["unknown"]  # it cannot be null (usercom-api.md, 7.4)
        return [] if several else "" if rule.value_type in _TEXTUAL else None
    wire = CONVERTERS[rule.converter].to_wire(rule, value, context)
    if rule.value_type == "gender":
        wire = GENDERS.get(wire, wire)
    if CONVERTERS[rule.converter].may_cut:
        wire = _fit(rule, wire)
    return [wire] if several and not isinstance(wire, list) else wire


def _parts(rule: FieldRule, value: Any, context: Context) -> list[str]:
    """The texts that a value is on the wire, for their length."""
    if rule.converter == "name":
        return list(values.split_name(value, rule.limit or values.NAME_LIMIT))
    wire = CONVERTERS[rule.converter].to_wire(rule, value, context)
    return [part for part in (wire if isinstance(wire, list) else [wire]) if isinstance(part, str)]


def _fit(rule: FieldRule, text: str) -> str:
    if rule.limit is None or len(text) <= rule.limit:
        return text
    return text[: rule.limit - 1].rstrip() + "…"


# === What is read ===


def _wrong_type(rule: FieldRule) -> CannotTravel:
    return CannotTravel("wrong_type_there", attribute=rule.attribute)


def _single(rule: FieldRule, value: Any) -> Any:
    """The one value of a list (usercom-api.md, 1.7: "v" or ["v"])."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise CannotTravel("several_values_there", attribute=rule.attribute)
    return value[0] if value else None


def _plain(rule: FieldRule, raw: Any, there: bool) -> Any:
    """Odoo's value as it is, or what a read shows as text."""
    if not there:
        return raw
    value = _single(rule, raw)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(rule)
    # Longer numbers than these cannot be written out in digits.
    if not -_EXACT_MAX < value < _EXACT_MAX:  # nor is NaN in there
        raise _wrong_type(rule)
    return str(value)


# === Texts with a meaning ===


def _text(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    return values.text(_plain(rule, raw, there))


def _lines(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    return values.lines(_plain(rule, raw, there))


def _html_text(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    if there:
        return _lines(rule, raw, context, there)
    text = _BREAK.sub("\n", _HIDDEN.sub(" ", str(raw or "")))
    return values.lines(html.unescape(_TAG.sub("", text)))


def _name(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    return values.person_name(_plain(rule, raw, there), None)


def _known(text: str | None, found: Any, code: str, there: bool, **args: Any) -> Any:
    """What was found for a text, which is to be something unless there is no text."""
    if text is not None and not found:
        raise CannotTravel(f"{code}_there" if there else code, **args)
    return found or None


def _email(rule: FieldRule, raw: Any, context: Context, there: bool) -> Any:
    text = _text(rule, raw, context, there)
    return _known(text, text and values.text(context.email(text)), "not_an_email", there)


def _phone(rule: FieldRule, raw: Any, context: Context, there: bool) -> Any:
    text = _text(rule, raw, context, there)
    number = text and values.text(context.phone(text, context.country))
    return _known(text, number, "not_a_phone", there)


def _country(rule: FieldRule, raw: Any, context: Context, there: bool) -> Any:
    text = _text(rule, raw, context, there)
    if text is None or not there:
        return text and text.upper()
    code = context.country_codes.get(text.casefold())
    return _known(text, code, "unknown_country", False, value=text[:_SHOWN])


def _state(rule: FieldRule, raw: Any, context: Context, there: bool) -> Any:
    text = _text(rule, raw, context, there)
    if text is None or not there:
        return text
    state = context.states.get((context.country or "", text.casefold()))
    return _known(text, state, "unknown_region", False, value=text[:_SHOWN])


def _write_country(rule: FieldRule, value: Any, context: Context) -> str:
    return context.country_names.get(value, value)


def _write_state(rule: FieldRule, value: Any, context: Context) -> str:
    return context.state_names.get(value) or value.partition("-")[2] or value


# === Choices and lists ===


def _word(rule: FieldRule, key: str) -> str:
    """User.com's word for an Odoo value. Without a table they are the same."""
    words = [word for known, word in rule.choices if known == key]
    if any(words):
        return next(filter(None, words))
    # Kept as it is, a value that is another one's word would come back as the other one.
    is_anothers = any(key == word for _known, word in rule.choices)
    if words or (rule.choices and (rule.unknown == SKIP or is_anothers)):
        raise CannotTravel("unknown_choice", attribute=rule.attribute, value=key[:_SHOWN])
    return key


def _key(rule: FieldRule, word: str) -> str:
    return next((key for key, known in rule.choices if known == word), word)


def _says_nothing(rule: FieldRule, word: str) -> bool:
    # It is also what a read shows after nothing was written, so it is no value on either side.
    return rule.value_type == "gender" and word == "unknown"


def _read_word(rule: FieldRule, text: str, context: Context) -> str | None:
    """A word as it was read; of two that mean the same value, the one that is written."""
    words = [word for _key, word in rule.choices]
    # A choice may have spaces that a clean text has not.
    word = text if text in words else values.text(text)
    if word is None or _says_nothing(rule, word):
        return None
    key = _key(rule, word)
    is_unknown = word not in words and bool(rule.choices) and rule.unknown == SKIP
    taken = context.selections.get(rule.odoo_field)
    if is_unknown or (taken is not None and rule.into and key not in taken):
        raise CannotTravel("unknown_choice_there", attribute=rule.attribute, value=word[:_SHOWN])
    return word if word not in words else _word(rule, key)


def _choice(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    text = _plain(rule, raw, there) or None
    if text is not None and there:
        return _read_word(rule, text, context)
    key = text if text in dict(rule.choices) else values.text(text)
    word = None if key is None else _word(rule, key)
    return None if word is None or _says_nothing(rule, word) else word


def _choose(rule: FieldRule, value: Any, context: Context) -> Any:
    return False if value is None else _key(rule, value)


def _names(rule: FieldRule, raw: Any, context: Context, there: bool) -> list[str] | None:
    items = raw if isinstance(raw, list) else [raw] if there else raw or ()
    if there and rule.value_type == "list":  # tags are objects with a name (usercom-api.md, 1.4)
        items = [item.get("name") if isinstance(item, dict) else item for item in items]
    names: set[str | None] = set()
    unknown: list[CannotTravel] = []
    for item in items:
        try:
            names.add(_choice(rule, item, context, there))
        except CannotTravel as error:
            if error.code != "unknown_choice_there":
                raise
            unknown.append(error)
    found = sorted(name for name in names if name is not None) or None
    if not unknown:
        return found
    words = ", ".join(sorted({each.args_["value"] for each in unknown}))
    raise TravelsInPart(
        found, "unknown_choice_there", attribute=rule.attribute, value=words[:_SHOWN]
    )


def _choose_names(rule: FieldRule, value: Any, context: Context) -> list[str]:
    return sorted({_key(rule, word) for word in value or ()})


def _joined(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    if there:
        return _text(rule, raw, context, there)
    return ", ".join(_names(replace(rule, choices=()), raw, context, there) or ()) or None


# === Yes and no, numbers ===


def _boolean(rule: FieldRule, raw: Any, context: Context, there: bool) -> bool | None:
    if not there:
        return bool(raw)
    value = _single(rule, raw)
    if value is None or (isinstance(value, str) and values.text(value) is None):
        return None
    read = values.boolean(value)
    if read is None:
        raise _wrong_type(rule)
    return read


def _write_yes_no(rule: FieldRule, value: Any, context: Context) -> str:
    word = "yes" if value else "no"
    words = [known for key, known in rule.choices if key == word]
    return next(filter(None, words), "") if words else word


def _yes_no(rule: FieldRule, raw: Any, context: Context, there: bool) -> bool | None:
    value = _single(rule, raw)
    for answer in (True, False):
        word = _write_yes_no(rule, answer, context)
        if there and isinstance(value, str) and value.strip().casefold() == word.strip().casefold():
            return answer if word else None
    read = _boolean(rule, value, context, there)
    if not there and not _write_yes_no(rule, read, context):
        word = "yes" if read else "no"
        raise CannotTravel("unknown_choice", attribute=rule.attribute, value=word)
    return read


def _float(rule: FieldRule, raw: Any, context: Context, there: bool) -> float | None:
    value = _single(rule, raw) if there else raw or 0
    if isinstance(value, str):
        value = values.text(value)
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise _wrong_type(rule)
    try:
        number = float(value) + 0.0  # no negative zero
    except (ValueError, OverflowError):
        raise _wrong_type(rule) from None
    if not math.isfinite(number):
        raise _wrong_type(rule) if there else CannotTravel("not_a_number", attribute=rule.attribute)
    return number


def _integer(rule: FieldRule, raw: Any, context: Context, there: bool) -> int | None:
    number = _float(rule, raw, context, there)
    if number is None:
        return None
    if not number.is_integer() or abs(number) > _INTEGER_MAX:
        raise _wrong_type(rule)
    return int(number)


def _write_number(rule: FieldRule, value: Any, context: Context) -> Any:
    if rule.value_type != "string":
        return value
    is_whole = abs(value) < _EXACT_MAX and value == int(value)
    return str(int(value)) if is_whole else repr(value)


# === Dates and moments ===


def _zone(context: Context) -> tzinfo:
    try:
        return ZoneInfo(context.timezone)
    except (KeyError, ValueError, OSError):  # unknown on this machine
        return timezone.utc


def _shifted(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # on the first or the last day there is
        return moment.replace(tzinfo=zone)


def _moment(rule: FieldRule, raw: Any, there: bool) -> date | None:
    """A date, or a moment (a ``datetime``) with its time zone, UTC where none is named."""
    if there:
        raw = _single(rule, raw)
        raw = values.text(raw) if isinstance(raw, str) else raw
        raw = None if raw is None else _parsed(rule, raw)
    if isinstance(raw, datetime):
        return raw.replace(microsecond=0, tzinfo=raw.tzinfo or timezone.utc)
    return raw or None


def _parsed(rule: FieldRule, text: Any) -> date:
    try:
        if len(text) <= len("2016-08-03"):
            return date.fromisoformat(text)
        # Python 3.10 reads neither "Z" nor all fractions of a second, which Odoo does not keep.
        plain = re.sub(r"[.,][0-9]+", "", text)
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", plain))
    except (TypeError, ValueError):
        raise _wrong_type(rule) from None


def _date(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    return _iso_day(_moment(rule, raw, there))


def _iso_day(read: date | None) -> str | None:
    return (read.date() if isinstance(read, datetime) else read).isoformat() if read else None


def _day(rule: FieldRule, value: Any, context: Context) -> Any:
    return date.fromisoformat(value) if value else False


def _datetime(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    read = _moment(rule, raw, there)
    if read is not None and not isinstance(read, datetime):
        read = datetime.combine(read, time(), timezone.utc)
    return None if read is None else _shifted(read, timezone.utc).isoformat()


def _naive(rule: FieldRule, value: Any, context: Context) -> Any:
    return datetime.fromisoformat(value).replace(tzinfo=None) if value else False


def _local_date(rule: FieldRule, raw: Any, context: Context, there: bool) -> str | None:
    read = _moment(rule, raw, there)
    if isinstance(read, datetime) and not (there and rule.value_type == "date"):
        read = _shifted(read, _zone(context))
    return _iso_day(read)


def _write_local_date(rule: FieldRule, value: Any, context: Context) -> str:
    if rule.value_type == "date":
        return str(value)
    midnight = datetime.combine(date.fromisoformat(value), time(), _zone(context))
    return _shifted(midnight, timezone.utc).isoformat()


#: By name; an addon may put its own beside these.
CONVERTERS: dict[str, Converter] = {
    "text": Converter(_text, may_cut=True),
    "lines": Converter(_lines, may_cut=True),
    "html_text": Converter(_html_text, may_cut=True),
    "name": Converter(_name, may_cut=True),
    "email": Converter(_email),
    "phone": Converter(_phone),
    "country": Converter(_country, _write_country),
    "state": Converter(_state, _write_state),
    "choice": Converter(_choice, to_odoo=_choose),
    "list": Converter(_names, to_odoo=_choose_names),
    "joined": Converter(_joined, may_cut=True),
    "boolean": Converter(_boolean, to_odoo=lambda rule, value, context: bool(value)),
    "yes_no": Converter(_yes_no, _write_yes_no, lambda rule, value, context: bool(value)),
    "integer": Converter(_integer, _write_number, lambda rule, value, context: value or 0),
    "float": Converter(_float, _write_number, lambda rule, value, context: value or 0.0),
    "date": Converter(_date, to_odoo=_day),
    "datetime": Converter(_datetime, to_odoo=_naive),
    "date_in_timezone": Converter(_local_date, _write_local_date, _day),
}

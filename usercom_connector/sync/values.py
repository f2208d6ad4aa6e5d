"""One canonical form for the values of both sides.

Canonical is: text without spaces around it and without control characters, ``None`` for nothing,
a country as its two-letter code, a phone number in E.164, an e-mail address in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from . import mapping

# PostgreSQL refuses NUL in text, and halves of an emoji that was cut in two (JSON can hold them);
# the other control characters have no place in a field.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_CUT_MARK = re.compile(r"\.\.\.|…")

#: The longest first and the longest last name (usercom-api.md, section 1.4).
NAME_LIMIT = 40


def text(value: object) -> str | None:
    """Any value as one line of text, or ``None`` when nothing is left."""
    if value is None or value is False:
        return None
    return " ".join(_CONTROL.sub(" ", str(value)).split()) or None


def boolean(value: object) -> bool | None:
    """A yes or no as User.com may spell it, ``None`` for everything else.

    Values that went through an automation's snippets arrive as text (usercom-api.md, section 3).
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return None


def moment(value: object) -> datetime | None:
    """A moment as User.com writes it, in UTC without zone; ``None`` for what is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(timezone.utc).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


def lines(value: object) -> str | None:
    """Like :func:`text`, but the lines of a text and the spaces within them stay."""
    if value is None or value is False:
        return None
    parts = re.split(r"\r\n|\r|\n", str(value))
    return "\n".join(_CONTROL.sub(" ", part).rstrip() for part in parts).strip() or None


def split_name(name: str, limit: int = NAME_LIMIT) -> tuple[str, str]:
    """Odoo's one name as User.com's first and last name: the first word, and the rest.

    Where the rest is too long, as many words as it takes go to the first name. Either way a read
    shows the name as it was (usercom-api.md, section 1.4).
    """
    for space in re.finditer(" ", name[: limit + 1]):
        first, last = name[: space.start()], name[space.end() :]
        if len(last) <= limit:
            return first, last
    first, _, last = name.partition(" ")
    return first, last


def person_name(name: object, email: object) -> str | None:
    """A person's name, or ``None`` where an e-mail address stands in for it.

    User.com shows the address as ``name`` of a contact without names (usercom-api.md, section
    1.4), and Odoo names a contact after its address when it knows no better.
    """
    clean = text(name)
    if clean is None or clean.casefold() == (text(email) or "").casefold():
        return None
    if "@" in clean and " " not in clean:
        return None
    return clean


def too_long(rule: mapping.FieldRule, value: str) -> bool:
    """Whether User.com would refuse this value for its length."""
    if rule.limit is None:
        return False
    parts = split_name(value) if rule is mapping.NAME else (value,)
    return any(len(part) > rule.limit for part in parts)


def payload(outgoing: Mapping[str, object], country_names: Mapping[str, str]) -> dict[str, object]:
    """What to write to User.com for these attributes: names in two parts, nothing as empty text.

    :param outgoing: attribute to canonical value, as :func:`merge.outgoing` gives them.
    :param country_names: country code to the name that User.com is to hold.
    """
    body: dict[str, object] = {}
    for attribute, value in outgoing.items():
        if attribute == mapping.NAME.attribute:
            body["first_name"], body["last_name"] = split_name(str(value or ""))
        elif attribute == mapping.COUNTRY.attribute and value is not None:
            body[attribute] = country_names.get(str(value), str(value))
        else:
            body[attribute] = "" if value is None else value
    return body


def attribute_of(written: str) -> str:
    """The attribute that a key of a written body belongs to; the reverse of :func:`payload`."""
    return mapping.NAME.attribute if written in ("first_name", "last_name") else written


def _is_cut(ours: str, theirs: str) -> bool:
    """Whether a text may be ours cut short; a name is in both of its parts, each with a mark."""
    pieces = [piece.strip() for piece in _CUT_MARK.split(theirs)]
    if sum(map(len, pieces)) < 16 or not pieces[0] or not ours.startswith(pieces[0]):
        return False
    end = 0
    for piece in pieces:
        start = ours.find(piece, end)
        if start < 0:
            return False
        end = start + len(piece)
    return True


def alike(sent: object, read: object) -> bool:
    """Whether what is read may be what was sent, stored by a server with habits of its own.

    Habits that count: other letter case, other spaces, a text cut short, a phone number written
    in another way. Used only where the answer to a write did not show what was stored.
    """
    ours, theirs = text(sent), text(read)
    if ours is None or theirs is None:
        return ours == theirs
    ours, theirs = ours.casefold(), theirs.casefold()
    if ours == theirs:
        return True
    if _is_cut(ours, theirs):
        return True
    digits, their_digits = re.sub(r"\D", "", ours), re.sub(r"\D", "", theirs)
    is_number = not re.search(r"[^\W\d_]", ours) and not re.search(r"[^\W\d_]", theirs)
    return is_number and bool(digits) and digits == their_digits

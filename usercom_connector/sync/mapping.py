"""Which Odoo field meets which attribute of a User.com contact or company, and by which rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: What the two sides can be about.
CONTACT, COMPANY = "contact", "company"

#: Who is right when both sides changed a value (design.md, section 5).
ODOO_WINS, USERCOM_WINS, ASK = "odoo", "usercom", "ask"

#: What happens to a text that is longer than User.com takes.
CUT, PARK = "cut", "park"

#: What happens to a value that a choice list does not know: it does not travel, or as it is.
SKIP, KEEP = "skip", "keep"


@dataclass(frozen=True)
class FieldRule:
    """A pair of an Odoo field and an attribute.

    ``attribute`` is the key under which a read shows the value, ``odoo_field`` a path from the
    contact. ``out`` and ``into`` (into Odoo) say in which directions values travel, ``winner`` who
    is right when both sides changed, ``removals`` whether a value that somebody emptied empties
    the other side's. ``limit`` is the longest text that User.com takes (usercom-api.md, section
    1.4), ``too_long`` what happens to a longer one. ``choices`` pairs Odoo's values with those of
    User.com's choice list (an empty text: the value does not travel), ``unknown`` says what happens
    to a value that is in none of the pairs. ``on_web`` says whether the widget on web pages gives
    the value.
    """

    attribute: str
    odoo_field: str
    odoo_type: str = "char"
    value_type: str = "string"
    converter: str = "text"
    out: bool = True
    into: bool = True
    winner: str = ODOO_WINS
    removals: bool = True
    limit: int | None = None
    too_long: str = CUT
    choices: tuple[tuple[str, str], ...] = ()
    unknown: str = SKIP
    multiple: bool = False
    on_web: bool = False
    line_id: int = 0

    @property
    def head(self) -> str:
        """The first field of the path: the one of the contact itself."""
        return self.odoo_field.partition(".")[0]

    @property
    def reads_first(self) -> bool:
        """Whether the attribute is read before it is written (design.md, section 5)."""
        return self.winner != ODOO_WINS


#: Odoo copies these between a company and its people.
ADDRESS_FIELDS = frozenset({"street", "street2", "city", "zip", "state_id", "country_id"})


def rules_for(rules: tuple[FieldRule, ...], *, has_parent: bool) -> tuple[FieldRule, ...]:
    """The rules for one contact.

    Odoo copies an address between a company and its people, so the address of a contact that
    has a parent only goes out: written into one contact it would change the others.
    """
    if not has_parent:
        return rules
    return tuple(
        replace(rule, into=False) if rule.into and rule.head in ADDRESS_FIELDS else rule
        for rule in rules
    )


#: Names travel as two parts of at most 40 characters but are read as one.
NAME = FieldRule("name", "name", limit=40, removals=False, converter="name", too_long=PARK)
EMAIL = FieldRule("email", "email", limit=254, converter="email", too_long=PARK)
PHONE = FieldRule("phone_number", "phone", limit=64, converter="phone", too_long=PARK)
CITY = FieldRule("city", "city", limit=64, too_long=PARK)
COUNTRY = FieldRule("country", "country_id", odoo_type="many2one", converter="country")

FIXED_MAPPING = (NAME, EMAIL, PHONE, CITY, COUNTRY)

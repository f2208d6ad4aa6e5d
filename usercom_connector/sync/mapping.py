"""Which Odoo field meets which attribute of a User.com contact, and by which rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: The custom boolean that carries the consent to e-mail marketing (usercom-api.md, section 2.3).
EMAIL_CONSENT = "email_consent"


@dataclass(frozen=True)
class FieldRule:
    """A pair of an Odoo field and an attribute.

    ``attribute`` is the key under which a read shows the value. ``out`` and ``into`` (into Odoo)
    say in which directions values travel, ``odoo_wins`` who is right when both sides changed,
    and ``removal_into`` whether a value that somebody emptied in User.com empties Odoo's.
    ``limit`` is the longest text that User.com takes (usercom-api.md, section 1.4).
    """

    attribute: str
    odoo_field: str
    limit: int | None = None
    out: bool = True
    into: bool = True
    odoo_wins: bool = True
    removal_into: bool = True


#: Names travel as two parts of at most 40 characters but are read as one.
NAME = FieldRule("name", "name", limit=40, removal_into=False)
EMAIL = FieldRule("email", "email", limit=254)
PHONE = FieldRule("phone_number", "phone", limit=64)
CITY = FieldRule("city", "city", limit=64)
COUNTRY = FieldRule("country", "country_id")

FIXED_MAPPING = (NAME, EMAIL, PHONE, CITY, COUNTRY)
ADDRESS_ATTRIBUTES = frozenset({CITY.attribute, COUNTRY.attribute})


def rules_for(*, has_parent: bool) -> tuple[FieldRule, ...]:
    """The rules for one contact.

    Odoo copies an address between a company and its people, so the address of a contact that
    has a parent only goes out: written into one contact it would change the others.
    """
    if not has_parent:
        return FIXED_MAPPING
    return tuple(
        replace(rule, into=False) if rule.attribute in ADDRESS_ATTRIBUTES else rule
        for rule in FIXED_MAPPING
    )

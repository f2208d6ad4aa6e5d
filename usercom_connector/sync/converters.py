"""Stub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import values


@dataclass(frozen=True)
class Context:
    email: Callable[[str], str | None]
    phone: Callable[[str, str | None], str | None]
    country_codes: Mapping[str, str]
    country_names: Mapping[str, str]
    states: Mapping[tuple[str, str], str]
    state_names: Mapping[str, str]
    country: str | None
    timezone: str


class CannotTravel(Exception):
    def __init__(self, code, **args):
        super().__init__(code)
        self.code = code
        self.args_ = args


def canonical(rule, raw, context):
    value = values.text(raw)
    if rule.converter == "email" and value:
        value = context.email(value)
        if not value:
            raise CannotTravel("not_an_email")
    if rule.converter == "phone" and value:
        value = context.phone(value, context.country)
        if not value:
            raise CannotTravel("not_a_phone")
    if value and values.too_long(rule, value):
        code = "name_too_long" if rule.converter == "name" else "too_long"
        raise CannotTravel(code, attribute=rule.attribute, limit=rule.limit)
    return value


def payload(rules, outgoing, context):
    return values.payload(outgoing, context.country_names)


def to_odoo(rule, value, context):
    return value or False


def canonical_of_contact(rules, get, has, context):
    theirs, notices = {}, []
    for rule in rules:
        if not has(rule.attribute):
            continue
        v = values.text(get(rule.attribute))
        if v and rule.converter == "email":
            v = context.email(v)
            if not v:
                notices.append(("not_an_email_there", {}))
                continue
        if v and rule.converter == "name":
            v = values.person_name(get("name"), get("email"))
        if v and rule.converter == "country":
            code = context.country_codes.get(v.casefold())
            if not code:
                notices.append(("unknown_country", {"value": v}))
                continue
            v = code
        theirs[rule.attribute] = v
    for rule in rules:
        if rule.converter == "phone" and theirs.get(rule.attribute):
            v = context.phone(theirs[rule.attribute], theirs.get("country") or context.country)
            if v:
                theirs[rule.attribute] = v
            else:
                del theirs[rule.attribute]
                notices.append(("not_a_phone_there", {}))
    return theirs, notices

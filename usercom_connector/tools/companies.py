"""The calls about companies and who belongs to them. Runs in threads: no ORM in here."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from .. import client
from ..sync import companies, mapping
from . import exchange
from .exchange import PushJob

#: So many companies that may be the one are looked at; more are too many to tell apart anyway.
LOOKED_AT = 10


@dataclass(frozen=True)
class MemberJob:
    """Which company a contact is to be put into, and which taken out of, by User.com's numbers."""

    partner_id: int
    row_ids: tuple[int, ...]
    binding_id: int
    usercom_id: str
    into: str | None
    out_of: str | None


class CompanyGone(Exception):  # noqa: N818 (an outcome like those of the exchange)
    """The company that a contact was to be put into is not in User.com any more."""


def page(usercom: client.UserCom, cursor: str | None) -> tuple[list[client.Company], str | None]:
    """One page of all companies, and what to give for the next; ``None`` at the end.

    One that is broken does not cost the others.
    """
    found, following = usercom.page(cursor, "/companies/")
    read = []
    for item in found.results:
        with contextlib.suppress(client.AgainLater):
            read.append(client.Company.from_json(item))
    return read, following


def look_up(usercom: client.UserCom, job: PushJob) -> list[client.Company]:
    """Those of the candidates that are still there, and still like this company."""
    read = {}
    for number in job.candidates[:LOOKED_AT]:
        with contextlib.suppress(client.Gone):
            read[number] = usercom.company(number)
    known = [companies.Known(number, one.email, one.name) for number, one in read.items()]
    numbers = companies.Index(known).candidates(job.email, job.name)
    return [read[number] for number in numbers]


def look_up_any(
    usercom: client.UserCom, job: PushJob
) -> list[client.Company] | list[client.Contact]:
    """Who in User.com this contact or company may be."""
    if job.kind == mapping.COMPANY:
        return look_up(usercom, job)
    return exchange.look_up(usercom, job)


def move_member(usercom: client.UserCom, job: MemberJob) -> bool:
    """Put a contact into its company, then take it out of the one before. May be repeated."""
    if job.into:
        try:
            usercom.add_member(job.into, job.usercom_id)
        except client.Gone:
            if _is_there(usercom, job.into):
                raise  # so it is the contact that is gone: the answer does not say which
            raise CompanyGone from None
    if job.out_of:
        usercom.remove_member(job.out_of, job.usercom_id)
    return True


def _is_there(usercom: client.UserCom, number: str) -> bool:
    try:
        usercom.company(number)
    except client.Gone:
        return False
    return True

"""The calls for one contact, and many of them at a time. Runs in threads: no ORM in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .. import client
from ..sync import mapping, values

THREADS = 8
#: So many transport failures in a row end a round's calls.
FAILURES_IN_A_ROW = 3

Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PushJob:
    """What to do for one contact of Odoo.

    ``usercom_id`` is empty while the contact is to be looked up or created; ``revision`` is that
    of the binding whose base the job was worked out from. ``outgoing`` maps attributes to
    canonical values, and ``body`` is what is written for them; the consent comes on top of it.
    """

    partner_id: int
    row_ids: tuple[int, ...]
    email: str | None = None
    phone: str | None = None
    binding_id: int | None = None
    usercom_id: str | None = None
    custom_id: str | None = None
    revision: int = 0
    outgoing: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    consent: bool | None = None
    consent_seen: bool | None = None


@dataclass(frozen=True)
class Sent:
    """What came of a push.

    ``contact`` is the answer where there was one with values. ``outgoing`` is what was really
    sent, ``refused`` the values that User.com did not take, with its words.
    """

    usercom_id: str
    contact: client.Contact | None
    outgoing: dict[str, Any]
    consent: bool | None
    refused: dict[str, str]


def look_up(usercom: client.UserCom, job: PushJob) -> list[client.Contact]:
    """Who in User.com has this contact's e-mail address, or phone number if it has no address."""
    if job.email:
        return usercom.contacts_by_email(job.email)
    if not job.phone:
        return []
    found = usercom.contacts_by_phone(job.phone)
    return [contact for contact in found if values.alike(job.phone, contact.phone_number)]


def send(usercom: client.UserCom, job: PushJob) -> Sent:
    """Create or update one contact.

    A consent that was given goes out only after a fresh read shows no newer "no"; the read and the
    write follow each other in this thread (design.md, section 6).
    """
    fresh = None
    if job.consent and job.usercom_id:
        fresh = usercom.contact(int(job.usercom_id))
        seen = values.boolean(fresh.get(mapping.EMAIL_CONSENT))
        if seen is False and job.consent_seen is not False:
            job = replace(job, consent=None)
    body = dict(job.body)
    if job.consent is not None:
        body[mapping.EMAIL_CONSENT] = job.consent
    if fresh is not None and not body:
        return Sent(str(fresh.id), fresh, {}, None, {})
    refused: dict[str, str] = {}
    try:
        answer = _write(usercom, job, body)
    except client.RecordRefused as error:
        # The rest of the contact goes without the values that User.com names.
        bad = {values.attribute_of(name) for name in error.fields if name in body}
        rest = {name: value for name, value in body.items() if values.attribute_of(name) not in bad}
        if not bad or not (rest or job.usercom_id is None):
            raise
        for name, texts in error.fields.items():
            refused[values.attribute_of(name)] = " ".join(texts)
        answer = _write(usercom, job, rest)
    kept = {name: value for name, value in job.outgoing.items() if name not in refused}
    consent = None if mapping.EMAIL_CONSENT in refused else job.consent
    if isinstance(answer, client.Contact):
        return Sent(str(answer.id), answer, kept, consent, refused)
    return Sent(str(answer.id), None, kept, consent, refused)


def _write(
    usercom: client.UserCom, job: PushJob, body: dict[str, Any]
) -> client.Contact | client.Upsert:
    if job.usercom_id:
        return usercom.update_contact(int(job.usercom_id), body)
    return usercom.upsert_contact(job.custom_id or "", body)


def read(usercom: client.UserCom, lookup: str, value: str) -> list[client.Contact]:
    """The contact that a ping names; none or one, and several only for an e-mail address."""
    try:
        if lookup == "id":
            return [usercom.contact(int(value))]
        if lookup == "custom_id":
            return [usercom.contact_by_custom_id(value)]
    except client.Gone:
        return []
    if lookup == "key":
        found = usercom.contact_by_key(value)
        return [found] if found else []
    return usercom.contacts_by_email(value)


def run_all(
    jobs: Sequence[Job], work: Callable[[Job], Answer], deadline: float
) -> list[tuple[Job, Answer | Exception | None]]:
    """Do the work of all jobs, several at a time.

    Nothing new is begun after the deadline (``time.monotonic()``), after a refusal that concerns
    the whole account, after a 429 or after some transport failures in a row.

    :return: each job with its answer, the exception it ended with, or ``None`` if it was not begun.
    """
    failures = 0
    stop = False

    def one(job: Job) -> Answer | Exception | None:
        nonlocal failures, stop
        if stop or time.monotonic() > deadline:
            return None
        try:
            answer = work(job)
        except (client.AccountRefused, client.Throttled) as error:
            stop = True
            return error
        except client.AgainLater as error:
            failures += 1
            stop = stop or failures >= FAILURES_IN_A_ROW
            return error
        except Exception as error:
            return error
        failures = 0
        return answer

    with ThreadPoolExecutor(min(THREADS, len(jobs) or 1), "usercom_connector") as pool:
        return list(zip(jobs, pool.map(one, jobs), strict=True))

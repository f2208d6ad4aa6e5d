"""The calls for one contact, and many of them at a time. Runs in threads: no ORM in here."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .. import client
from ..sync import consent, converters, mapping, pacing, values

THREADS = 8
#: So many contacts are named in one mass update; how many may be is not known (usercom-api.md 8.9).
MASS_SIZE = 200
#: What is shorter is a number of User.com's, and no User ID of a contact that is being created.
SHORTEST_USER_ID = 32
#: What may become in User.com of a contact that was deleted in Odoo.
UNSUBSCRIBE, DELETE = "unsubscribe", "delete"
#: So many transport failures in a row end a round's calls.
FAILURES_IN_A_ROW = 3

Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PushJob:
    """What to do for one contact of Odoo.

    ``usercom_id`` is empty while the contact is to be looked up or created; ``revision`` is that
    of the binding whose base the job was worked out from. ``outgoing`` maps attributes to
    canonical values, and ``body`` is what is written for them; ``consents`` come on top of it:
    attribute to whether it was given. ``consent_rules`` are those of all purposes, and ``states``
    map a purpose to the word that Odoo knows at the contact's address. ``bases`` are those of
    Odoo's side for what goes out. ``reads_first`` are the rules of what may be written only if
    User.com holds what ``seen`` says.
    ``altered`` maps attributes, whose value another addon has changed in the body, to what User.com
    shows of them then.
    ``tried`` says that the contact may have been created by a call whose answer was lost,
    ``creates`` that it is created if it was not, ``alone`` that it must not go out together with
    others, and ``surveyed`` that a list of all contacts has shown that nobody in User.com has the
    address. ``name`` and ``candidates``, numbers of User.com's, are of a company that is to be
    looked up.

    Who is who: ``written_email`` and ``written_phone`` are as somebody wrote them, ``expected_id``
    a User ID by which the contact may be known, ``strangers`` are the contacts in User.com that a
    person said are somebody else, and ``merges`` those that are to be joined with this one, by
    their numbers or User IDs; ``met`` are their words that are on record, by their numbers.
    ``tied`` are the numbers of contacts there that are tied to whoever else in Odoo has its
    addresses. ``farewell`` is what becomes there of a contact that was deleted here.
    """

    partner_id: int
    row_ids: tuple[int, ...]
    kind: str = mapping.CONTACT
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    candidates: tuple[str, ...] = ()
    binding_id: int | None = None
    usercom_id: str | None = None
    custom_id: str | None = None
    revision: int = 0
    bases: dict[str, Any] = field(default_factory=dict)
    outgoing: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    altered: dict[str, Any] = field(default_factory=dict)
    reads_first: tuple[mapping.FieldRule, ...] = ()
    context: converters.Context | None = None
    seen: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, bool] = field(default_factory=dict)
    consent_rules: tuple[consent.ConsentRule, ...] = ()
    states: dict[int, str | None] = field(default_factory=dict)
    tried: bool = False
    creates: bool = True
    alone: bool = False
    priority: int = pacing.EDIT
    surveyed: bool = False
    written_email: str | None = None
    written_phone: str | None = None
    expected_id: str | None = None
    strangers: frozenset[str] = frozenset()
    merges: tuple[str, ...] = ()
    met: dict[str, dict[str, bool]] = field(default_factory=dict)
    tied: frozenset[str] = frozenset()
    farewell: str | None = None

    @property
    def withdrawn(self) -> tuple[consent.ConsentRule, ...]:
        """The rules of a "no" to an address that is to be written."""
        return tuple(
            rule
            for rule in self.leading
            if rule.address and self.has_no(rule) and self.consents.get(rule.attribute) is False
        )

    @property
    def leading(self) -> tuple[consent.ConsentRule, ...]:
        """The rules whose attribute is written."""
        return tuple(rule for rule in self.consent_rules if rule.leads)

    def has_no(self, rule: consent.ConsentRule) -> bool:
        """Whether Odoo knows a "no"."""
        return self.states.get(rule.purpose) == consent.WITHDRAWN


class RefusedTogether(Exception):  # noqa: N818 (an outcome like the others here)
    """User.com did not take what was to be written to many contacts: each has to go by itself."""


class Unanswered(client.AgainLater):
    """A write of which nobody knows whether it took effect."""


def may_have_written(answer: object) -> bool:
    """Whether what came of a job may be a write."""
    if isinstance(answer, client.UserComError):
        return isinstance(answer, Unanswered)
    return answer is not None


@dataclass(frozen=True)
class MassJob:
    """One body that is to be written to many contacts, an attribute a call."""

    jobs: tuple[PushJob, ...]

    @property
    def priority(self) -> int:
        return min(job.priority for job in self.jobs)


@dataclass(frozen=True)
class Sent:
    """What came of a push.

    ``contact`` is the answer where there was one with values. ``outgoing`` is what was really
    sent, ``refused`` the values that User.com did not take, with its words. ``custom_id`` says
    whether our User ID was written along. ``namesakes`` are other contacts that have the new e-mail
    address already, which was not written therefore. ``lowered`` are the purposes of which joining
    contacts has taken a "yes" back. ``written`` says whether anything was: a fresh read may have
    shown that nothing is left to write. ``fresh`` is that read, where there was one, and ``joined``
    are the contacts that were joined with this one, as they were. ``elsewhere`` are those that were
    told a "no" besides, because they have the address.
    """

    usercom_id: str
    contact: client.Contact | client.Company | None
    outgoing: dict[str, Any]
    consents: dict[str, bool]
    refused: dict[str, str]
    custom_id: bool = True
    namesakes: tuple[str, ...] = ()
    lowered: frozenset[int] = frozenset()
    written: bool = True
    fresh: client.Contact | client.Company | None = None
    joined: tuple[client.Contact, ...] = ()
    elsewhere: tuple[int, ...] = ()


@dataclass(frozen=True)
class Overtaken:
    """Not sent: the contact that was to be created has come to User.com by another way.

    Or it is not to be created any more.
    """


def in_fewest_calls(jobs: Sequence[PushJob]) -> list[PushJob | MassJob]:
    """Put together what writes the same to many contacts, where that takes fewer calls.

    Not what is read before it is written, nor a consent or an address, which are each person's own.
    """
    alike: dict[str, list[PushJob]] = {}
    calls: list[PushJob | MassJob] = []
    for job in jobs:
        if _may_go_together(job):
            alike.setdefault(json.dumps(_shared(job), sort_keys=True), []).append(job)
        else:
            calls.append(job)
    for group in alike.values():
        for start in range(0, len(group), MASS_SIZE):
            some = group[start : start + MASS_SIZE]
            is_fewer = len(some) > len(_shared(some[0]))
            calls += [MassJob(tuple(some))] if is_fewer else some
    return calls


def _shared(job: PushJob) -> dict[str, Any]:
    return {name: value for name, value in job.body.items() if name != "custom_id"}


def _may_go_together(job: PushJob) -> bool:
    return bool(
        job.usercom_id
        and job.kind == mapping.CONTACT
        and job.outgoing
        and not job.consents
        and not job.reads_first
        and not job.alone
        and not job.merges
        and not _moves(job)
        # Of User.com's own fields only some have a mass update: not the tags.
        and not (job.body.keys() & client.CONTACT_FIELDS) - client.MASS_STANDARD
    )


def send_to_all(usercom: client.UserCom, mass: MassJob) -> list[Sent]:
    """Write the same to many contacts; in the order of the jobs."""
    numbers = [int(job.usercom_id or 0) for job in mass.jobs]
    for name, value in _shared(mass.jobs[0]).items():
        usercom.mass_update(numbers, name, value, standard=name in client.MASS_STANDARD)
    return [
        Sent(str(job.usercom_id), None, job.outgoing, {}, {}, custom_id=False) for job in mass.jobs
    ]


def send_any(usercom: client.UserCom, job: PushJob | MassJob) -> list[Sent | Overtaken]:
    """Send what :func:`in_fewest_calls` gave; one answer for each contact."""
    if isinstance(job, MassJob):
        return [*send_to_all(usercom, job)]
    return [send(usercom, job)]


def by_contact(
    answers: Sequence[tuple[PushJob | MassJob, list[Sent | Overtaken] | Exception | None]],
) -> list[tuple[PushJob, Sent | Overtaken | Exception | None]]:
    """The answers of :func:`send_any`, contact by contact."""
    single: list[tuple[PushJob, Sent | Overtaken | Exception | None]] = []
    for job, answer in answers:
        jobs = job.jobs if isinstance(job, MassJob) else (job,)
        if isinstance(job, MassJob) and isinstance(answer, (client.RecordRefused, client.Gone)):
            answer = RefusedTogether()
        each = answer if isinstance(answer, list) else [answer] * len(jobs)
        single += zip(jobs, each, strict=True)
    return single


def by_kind(answers: Sequence[tuple[PushJob, Answer]]) -> list[list[tuple[PushJob, Answer]]]:
    """Answers about people and about companies apart: their numbers may be the same."""
    kinds = [
        [answer for answer in answers if answer[0].kind == kind]
        for kind in (mapping.CONTACT, mapping.COMPANY)
    ]
    return [some for some in kinds if some]


def look_up(usercom: client.UserCom, job: PushJob) -> list[client.Contact]:
    """Who in User.com has this contact's e-mail address, or phone number if it has no address.

    Where nobody has, whoever is known there by the User ID that this contact would get.
    """
    found: list[client.Contact] = []
    if job.email:
        found = usercom.contacts_by_email(job.written_email or job.email)
    elif job.phone:
        found = _by_phone(usercom, job)
    if not found and job.expected_id:
        with contextlib.suppress(client.Gone):
            found = [usercom.contact_by_custom_id(job.expected_id)]
    return found


def _by_phone(usercom: client.UserCom, job: PushJob) -> list[client.Contact]:
    found: list[client.Contact] = []
    for spelling in dict.fromkeys((job.phone or "", job.written_phone or job.phone or "")):
        found = [
            contact
            for contact in usercom.contacts_by_phone(spelling)
            if values.alike(_phone(job, contact.phone_number), job.phone)
        ]
        if found:
            break  # whether User.com finds a number in any spelling is not known
    return found


def _phone(job: PushJob, number: str | None) -> str | None:
    """A number of User.com's in the form in which Odoo's is compared."""
    context = job.context
    return (context and number and context.phone(number, context.country)) or number


def send(usercom: client.UserCom, job: PushJob) -> Sent | Overtaken:
    """Create or update one contact.

    A consent that was given goes out only after a fresh read shows no newer "no", and a new
    address after one that shows which consents the old one leaves behind; the read and the write
    follow each other in this thread (design.md, section 6). What may have been created by an
    earlier call is looked for first, because the look-up before that call may be hours old. A new
    e-mail address that another contact there has already is not written: a person is asked.
    """
    if job.farewell:
        return _say_farewell(usercom, job)
    lowered, joined = _join(usercom, job) if job.merges else (frozenset(), ())
    job = _without_refused(job, lowered, joined)
    is_person = job.kind == mapping.CONTACT  # companies have no consents, and no look-up
    creates_again = is_person and job.tried and not job.usercom_id
    moves = _moves(job)
    gives = True in job.consents.values()
    reads = gives or moves or creates_again or job.reads_first or job.merges
    fresh = _fresh(usercom, job) if reads else None
    if fresh is None and not job.usercom_id and not job.creates:
        return Overtaken()
    if creates_again and fresh is None and _is_overtaken(usercom, job):
        return Overtaken()
    namesakes: tuple[str, ...] = ()
    if fresh is not None:
        job = _as_it_is_now(job, fresh, moves)
        if namesakes := _namesakes(usercom, job, fresh):
            job = _without_address(job)
    sent = _sent(usercom, job, fresh)
    sent = replace(sent, namesakes=namesakes, lowered=lowered, joined=joined, fresh=fresh)
    return replace(sent, elsewhere=_say_no_elsewhere(usercom, job, sent))


def _sent(usercom: client.UserCom, job: PushJob, fresh: client.Contact | None) -> Sent:
    """Write what is left to be written now that the contact was read, or without a read."""
    body = dict(job.body)
    if fresh is not None and body.keys() == {"custom_id"}:
        body = {}  # what it was to go along with is not written
    rules = {rule.attribute: rule for rule in job.leading}
    body |= {name: rules[name].written(word) for name, word in job.consents.items()}
    if fresh is not None and not body:
        return Sent(str(fresh.id), fresh, {}, {}, {}, custom_id=False, written=False)
    refused: dict[str, str] = {}
    try:
        answer = _write(usercom, job, body)
    except client.RecordRefused as error:
        # The rest of the contact goes without the values that User.com names.
        bad = {values.attribute_of(name) for name in error.fields if name in body}
        rest = {name: value for name, value in body.items() if values.attribute_of(name) not in bad}
        if not bad or not (rest or job.usercom_id is None):
            raise
        if job.kind == mapping.COMPANY and not (job.usercom_id or "name" in rest):
            raise  # a company needs a name (usercom-api.md, section 1.5)
        # They were about an address that User.com does not take.
        lost = {r.attribute for r in job.leading if r.address in bad and not job.has_no(r)}
        rest = {name: value for name, value in rest.items() if name not in lost}
        job = _without_consents(job, lost)
        for name, texts in error.fields.items():
            refused[values.attribute_of(name)] = " ".join(texts)
        answer = _write(usercom, job, rest)
    kept = {name: value for name, value in job.outgoing.items() if name not in refused}
    consents = {name: word for name, word in job.consents.items() if name not in refused}
    if isinstance(answer, client.Upsert):
        return Sent(str(answer.id), None, kept, consents, refused)
    return Sent(str(answer.id), answer, kept, consents, refused)


def _say_no_elsewhere(usercom: client.UserCom, job: PushJob, sent: Sent) -> tuple[int, ...]:
    """Tell each "no" that was written to all others there who have the address.

    A withdrawal belongs to an address (design.md, section 6). Those that are tied to a contact of
    Odoo get it by way of that; who is being created was looked for just before.

    :return: the numbers of those that were told.
    """
    told: list[int] = []
    by_address: dict[str, list[consent.ConsentRule]] = {}
    for rule in job.withdrawn if job.usercom_id else ():
        if rule.attribute in sent.consents:
            by_address.setdefault(rule.address, []).append(rule)
    try:
        for address, rules in by_address.items():
            is_email = address == mapping.EMAIL.attribute
            email = job.email or ""
            found = usercom.contacts_by_email(email) if is_email else _by_phone(usercom, job)
            for contact in found:
                if str(contact.id) in job.tied | {sent.usercom_id}:
                    continue
                shown = {rule: rule.shown(contact.get(rule.attribute)) for rule in rules}
                body = {r.attribute: r.written(False) for r in rules if shown[r] is not False}
                # One that is refused is seen by the read that follows, and a person is asked.
                told.append(contact.id)
                with contextlib.suppress(client.Gone, client.RecordRefused):
                    if body:
                        usercom.update_contact(contact.id, body)
    except client.AgainLater as error:
        # The contact's own "no" was written, and will be so once more.
        raise Unanswered(error.kind, error.status, error.retry_after) from error
    return tuple(told)


def _moves(job: PushJob) -> set[str]:
    """The addresses that a write changes, as far as it has to be read before.

    A new e-mail address always, because it may be somebody else's.
    """
    if job.kind == mapping.COMPANY:
        return set()
    addresses = {rule.address for rule in job.consent_rules} | {mapping.EMAIL.attribute}
    return addresses & job.body.keys()


def _without_consents(job: PushJob, names: set[str]) -> PushJob:
    kept = {name: word for name, word in job.consents.items() if name not in names}
    return replace(job, consents=kept)


def _without_refused(
    job: PushJob, lowered: frozenset[int], joined: Sequence[client.Contact]
) -> PushJob:
    """The job without each "yes" that a contact says no to which was joined with this one."""
    said_no = [consent.written_over(job.consent_rules, contact.get, {}) for contact in joined]
    refused = lowered.union(*said_no)
    names = {rule.attribute for rule in job.leading if rule.purpose in refused}
    return _without_consents(job, {name for name in names if job.consents.get(name)})


def _as_it_is_now(job: PushJob, fresh: client.Contact | client.Company, moves: set[str]) -> PushJob:
    """The job, without what must not be written now that User.com's values are known."""
    edited = _edited_there(job, fresh)
    body = {
        name: value for name, value in job.body.items() if values.attribute_of(name) not in edited
    }
    return replace(
        job,
        usercom_id=str(fresh.id),
        consents=_consents_now(job, fresh, moves),
        outgoing={name: value for name, value in job.outgoing.items() if name not in edited},
        body=body,
    )


def _edited_there(job: PushJob, fresh: client.Contact | client.Company) -> set[str]:
    """The attributes whose rule lets User.com's edit go before, and that were edited there."""
    if not job.reads_first or job.context is None:
        return set()
    theirs, _notices = converters.canonical_of_contact(
        job.reads_first, fresh.get, fresh.has, job.context
    )
    return {
        rule.attribute
        for rule in job.reads_first
        if theirs.get(rule.attribute) != job.seen.get(rule.attribute)
    }


def _consents_now(
    job: PushJob, fresh: client.Contact | client.Company, moves: set[str]
) -> dict[str, bool]:
    """What to write about consents, now that User.com's values and addresses are known."""
    consents = dict(job.consents)
    refused = {
        rule.purpose
        for rule in job.consent_rules
        if rule.is_newer_no(fresh.get(rule.attribute), job.seen.get(rule.key))
    }
    for rule in job.leading:
        is_there = not rule.address or _is_at(job, fresh, rule.address)
        if consents.get(rule.attribute):
            if rule.purpose in refused or not (is_there or rule.address in moves):
                del consents[rule.attribute]
        elif rule.address in moves and not is_there and not job.states.get(rule.purpose):
            word = rule.word(fresh.get(rule.attribute), job.seen.get(rule.key))
            if word:  # given at the address that goes
                consents[rule.attribute] = False
    return consents


def _is_overtaken(usercom: client.UserCom, job: PushJob) -> bool:
    return any(
        contact.custom_id != job.custom_id and str(contact.id) not in job.strangers
        for contact in look_up(usercom, job)
    )


def _namesakes(usercom: client.UserCom, job: PushJob, fresh: client.Contact) -> tuple[str, ...]:
    """Who else in User.com has the e-mail address that is about to be written."""
    email = mapping.EMAIL.attribute
    if job.kind == mapping.COMPANY or email not in job.body or not job.email:
        return ()
    if _is_at(job, fresh, email):
        return ()
    found = {str(contact.id) for contact in usercom.contacts_by_email(job.email)}
    return tuple(sorted(found - job.strangers - {str(fresh.id)}, key=int))


def _without_address(job: PushJob) -> PushJob:
    """The job at the old address, to which no "yes" belongs; a "no" goes all the same."""
    email = mapping.EMAIL.attribute
    job = _without_consents(
        job, {r.attribute for r in job.leading if r.address == email and not job.has_no(r)}
    )
    return replace(
        job,
        outgoing={name: value for name, value in job.outgoing.items() if name != email},
        body={n: v for n, v in job.body.items() if values.attribute_of(n) != email},
    )


def _join(
    usercom: client.UserCom, job: PushJob
) -> tuple[frozenset[int], tuple[client.Contact, ...]]:
    """Join other contacts with this one, which may be done already (usercom-api.md 1.3).

    Which consents User.com keeps is not ours to choose: all get the lower ones before.

    :return: the purposes of which a "yes" was taken back by that, and the others as they were.
    """
    parent = usercom.contact(int(job.usercom_id or 0))
    others = to_be_joined(usercom, job)
    if not others:
        return frozenset(), ()
    lowered = _lower(usercom, [parent, *others], job)
    try:
        usercom.merge_contacts(parent.id, [contact.id for contact in others])
    except client.Gone as error:
        # One of them went after it was read. What is there is seen by the next look.
        raise client.AgainLater(client.Kind.SERVER, 404) from error
    return lowered, tuple(others)


def to_be_joined(usercom: client.UserCom, job: PushJob) -> list[client.Contact]:
    """The contacts that are to be joined with this one, as far as they are still there."""
    others: list[client.Contact] = []
    for number in job.merges:
        with contextlib.suppress(client.Gone):
            others.append(usercom.contact(_number_of(usercom, number)))
    return others


def _number_of(usercom: client.UserCom, name: str) -> int:
    """The number of a contact of which only the User ID is known where it was being created."""
    is_number = len(name) < SHORTEST_USER_ID
    return int(name) if is_number else usercom.contact_by_custom_id(name).id


def _lower(usercom: client.UserCom, contacts: list[client.Contact], job: PushJob) -> frozenset[int]:
    """Write each "no" that one of these shows, or that Odoo knows, to all of them.

    ``unsubscribed`` is lowered like that, too, whether or not a purpose looks at it.
    """
    bodies: dict[int, dict[str, bool]] = {contact.id: {} for contact in contacts}
    lowered: set[int] = set()
    for rule in [*job.consent_rules, consent.ConsentRule(0, consent.UNSUBSCRIBED, leads=False)]:
        shown = {c.id: rule.shown(c.get(rule.attribute)) for c in contacts}
        is_there = any(contact.has(rule.attribute) for contact in contacts)
        if False in shown.values() or (rule.leads and job.has_no(rule) and is_there):
            if rule.leads and True in shown.values():
                lowered.add(rule.purpose)
            for number, word in shown.items():
                if word is not False:
                    bodies[number][rule.attribute] = rule.written(False)
    for number, body in bodies.items():
        if body:
            usercom.update_contact(number, body)
    return frozenset(lowered)


def _say_farewell(usercom: client.UserCom, job: PushJob) -> Sent:
    """Unsubscribe or delete the contact of one that was deleted in Odoo, if it is there."""
    # It was being created when it was deleted, or merged, if its number is not known.
    names = (job.usercom_id, *job.merges) if job.usercom_id else (job.custom_id,)
    numbers: list[int] = []
    for name in filter(None, names):
        with contextlib.suppress(client.Gone):
            numbers.append(_number_of(usercom, name))
    for number in numbers:
        if job.farewell == DELETE:
            usercom.delete_contact(number)
        else:
            with contextlib.suppress(client.Gone):
                _unsubscribe(usercom, number, job.consent_rules)
    return Sent(str(numbers[0]) if numbers else "", None, {}, {}, {})


def _unsubscribe(
    usercom: client.UserCom, number: int, rules: tuple[consent.ConsentRule, ...]
) -> None:
    """Say "no" for every purpose."""
    body = {rule.attribute: rule.written(False) for rule in rules} | {consent.UNSUBSCRIBED: True}
    try:
        usercom.update_contact(number, body)
    except client.RecordRefused as error:
        absent = error.fields.keys() & body.keys() - {consent.UNSUBSCRIBED}
        if set(error.fields) != absent:
            raise
        # There are no such attributes.
        rest = {name: value for name, value in body.items() if name not in absent}
        usercom.update_contact(number, rest)


def _is_at(job: PushJob, contact: client.Contact | client.Company, attribute: str) -> bool:
    """Whether a contact is at the address that Odoo has."""
    if attribute == mapping.EMAIL.attribute:
        return (contact.email or "").strip().casefold() == (job.email or "").casefold()
    return values.alike(job.phone, _phone(job, contact.get(attribute)))


def _fresh(usercom: client.UserCom, job: PushJob) -> client.Contact | client.Company | None:
    """The contact as it is now, if it is there."""
    if job.usercom_id:
        if job.kind == mapping.COMPANY:
            return usercom.company(job.usercom_id)
        return usercom.contact(int(job.usercom_id))
    if job.tried:
        with contextlib.suppress(client.Gone):
            return usercom.contact_by_custom_id(job.custom_id or "")
    return None


def _write(
    usercom: client.UserCom, job: PushJob, body: dict[str, Any]
) -> client.Contact | client.Company | client.Upsert:
    try:
        return _written(usercom, job, body)
    except client.Throttled:
        raise  # which had no effect
    except client.AgainLater as error:
        raise Unanswered(error.kind, error.status, error.retry_after) from error


def _written(
    usercom: client.UserCom, job: PushJob, body: dict[str, Any]
) -> client.Contact | client.Company | client.Upsert:
    if job.kind == mapping.COMPANY:
        if job.usercom_id:
            return usercom.update_company(job.usercom_id, body)
        if job.tried:  # it may be there, after a call whose answer was lost
            return usercom.put_company(job.custom_id or "", body)
        return usercom.create_company({**body, "custom_id": job.custom_id})
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
    """Do the work of all jobs, several at a time, in their order.

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
        except client.NotSent:
            return None  # its turn did not come
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

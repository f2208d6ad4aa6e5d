"""The calls that the addon makes, with typed results and typed errors."""

import copy
import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from . import log
from .contact import Attribute, Company, Contact
from .errors import (
    NON_FIELD,
    AgainLater,
    Gone,
    Kind,
    RecordRefused,
    Throttled,
    UserComError,
    refusal,
    retry_after_of,
)
from .probe import ProbeResult, probe
from .transport import Transport

ROOT = "/api/public"
"""Where the API starts (usercom-api.md 1.1)."""

MASS_STANDARD = frozenset(
    {
        *("assigned_to", "city", "company_id", "country", "custom_id", "email", "facebook_url"),
        *("first_name", "gender", "google_url", "gravatar_url", "last_name", "linkedin_url"),
        *("notifications", "phone_number", "region", "score", "status", "timezone", "twitter_url"),
        "unsubscribed",
    }
)
"""The standard fields that can be set for many contacts at once (usercom-api.md 1.3)."""


@dataclass(frozen=True)
class Upsert:
    """What an upsert answers with: the contact's number, and whether it was made just now."""

    id: int
    created: bool


@dataclass(frozen=True)
class Page:
    """One page of a list: its objects as they came, and how many the list has, if that was told."""

    results: tuple[Any, ...]
    count: int | None = None


@dataclass(frozen=True)
class ContactPage:
    """One page of a list of contacts, and how the list goes on."""

    contacts: tuple[Contact, ...]
    next: str | None
    """What to give for the next page, also later and in another process; None at the end."""
    count: int | None
    """How many contacts the list has, if that was told."""
    unreadable: int = 0
    """How many objects of the page were no contacts that could be read."""


class Limiter(Protocol):
    """Says when a call may be made; serves several threads."""

    def acquire(self, priority: int, deadline: float) -> int:
        """Wait for a permit, until the deadline (`time.monotonic()`); not at all if it is over.

        Raises Throttled, NotSent.
        """

    def throttled(self, permit: int, retry_after: float | None) -> None:
        """Tell that the call with this permit was answered 429."""

    def close(self) -> None:
        """Give back what was not used."""


class UserCom:
    """One account's API. One instance serves several threads.

    Takes the address of `address.base_url` and the REST key. `timeout` is in seconds: for
    connecting (each address of the host), and for the exchange as a whole. Nothing is repeated and
    no redirect is followed; a call either gives what it says or raises a UserComError. With an
    empty or impossible key each call raises AccountRefused.

    With a `limiter` each call waits for its permit, and one that is answered 429 waits and is
    repeated, for it had no effect: until the deadline of `within`, or as long as for an answer.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: tuple[float, float] = (4.0, 10.0),
        pool_size: int = 16,
        limiter: Limiter | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._transport = Transport(key, timeout, pool_size)
        self._limiter = limiter
        self._patience = timeout[1]
        self._deadline: float | None = None
        self._priority = 1

    def __repr__(self) -> str:
        return f"<UserCom {self.base_url}>"

    def __enter__(self) -> "UserCom":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open for the next call."""
        self._transport.close()
        if self._limiter is not None:
            self._limiter.close()

    def within(self, deadline: float, priority: int = 1) -> "UserCom":
        """Give the same API for calls that wait for permits until `deadline` (`time.monotonic()`).

        `priority`: 0 consents, 1 edits, 2 bulk work. It shares the connections, and is not closed.
        """
        view = copy.copy(self)
        view._deadline, view._priority = deadline, priority
        return view

    def probe(self) -> ProbeResult:
        """Test the connection: read once, write once without effect; raises no UserComError."""
        return probe(self)

    # Contacts: usercom-api.md 1.3

    def contact(self, usercom_id: int | str) -> Contact:
        """Read a contact by User.com's own number. Raises Gone."""
        return Contact.from_json(self._call("GET", f"/users/{_number(usercom_id)}/", one=True))

    def contact_by_custom_id(self, custom_id: str) -> Contact:
        """Read a contact by the id that a client gave it. Raises Gone."""
        return Contact.from_json(
            self._call("GET", f"/users-by-id/{_segment(custom_id)}/", one=True)
        )

    def contacts_by_email(self, email: str) -> list[Contact]:
        """Find all contacts with an e-mail; none gives an empty list.

        Whether a search minds the case is not known, so an e-mail with capitals is looked for in
        small letters as well. Whether none is an empty array or a 404 is not settled
        (usercom-api.md 8.7): both are read. What has another e-mail is left out, lest a server that
        ignores the condition make us take a stranger for this person.
        """
        spellings = {email.strip(): None, email.strip().lower(): None} if email.strip() else {}
        found = {
            contact.id: contact
            for spelling in spellings
            for contact in self._search({"email": spelling, "many": "true"})
            if (contact.email or "").strip().casefold() == spelling.casefold()
        }
        return list(found.values())

    def contacts_by_phone(self, phone: str) -> list[Contact]:
        """Find contacts with a phone number: one at most in version 1, a page of them in 2.

        User.com may write the number in another way, so it is not compared; compare it in a
        normal form before taking anybody for the person. More than one page is not read.
        """
        return self._search({"phone_number": phone.strip()}) if phone.strip() else []

    def contact_by_key(self, key: str) -> Contact | None:
        """Find the contact of a browser's key (the widget's cookie), or None."""
        found = self._search({"key": key}) if key else []
        return next((contact for contact in found if contact.user_key == key), None)

    def upsert_contact(self, custom_id: str, values: Mapping[str, Any]) -> Upsert:
        """Update the contact that has this custom id, or create it; may be repeated.

        Takes standard fields and custom attributes by name. Raises RecordRefused, also for an empty
        id: with that, each repetition would create another contact (usercom-api.md 7.3).
        """
        if not custom_id:
            raise _impossible("custom_id", "A contact cannot be written without a User ID.")
        answer = self._call("POST", "/users/update_or_create/", {**values, "custom_id": custom_id})
        # The answer is no contact, but its id is checked in the same way.
        return Upsert(Contact.from_json(answer).id, answer.get("created") is True)

    def update_contact(self, usercom_id: int | str, values: Mapping[str, Any]) -> Contact:
        """Write these fields, leave the others, and give the contact as it is now.

        Raises Gone, RecordRefused. An empty answer counts as done, and the contact is read.
        """
        answer = self._call("PUT", f"/users/{_number(usercom_id)}/", values, one=True)
        return self.contact(usercom_id) if answer is None else Contact.from_json(answer)

    def set_attributes(self, usercom_id: int | str, values: Mapping[str, Any]) -> None:
        """Write custom attributes by name_std; the right answer is empty. Raises Gone."""
        path = f"/users/{_number(usercom_id)}/set_multiple_attributes/"
        self._call("POST", path, values, one=True)

    def delete_contact(self, usercom_id: int | str) -> bool:
        """Delete a contact; False if it was gone already, as when a delete is repeated."""
        try:
            self._call("DELETE", f"/users/{_number(usercom_id)}/", one=True)
        except Gone:
            return False
        return True

    def mass_update(
        self, ids: Iterable[int | str], attribute: str, value: Any, *, standard: bool
    ) -> None:
        """Set one field of many contacts to one value, in one call (usercom-api.md 1.3).

        Takes User.com's numbers, and a standard field of MASS_STANDARD, or else a custom attribute
        by its name. The answer does not say what happened to which contact: neither what becomes
        of a number that nobody has, nor how many numbers a call may hold (8.9), is known. Raises
        RecordRefused; without numbers nothing is sent.
        """
        if standard and attribute not in MASS_STANDARD:
            raise _impossible(attribute, "This field cannot be set for many contacts at once.")
        numbers = _numbers(ids)
        if numbers:
            kind = "standard" if standard else "custom"
            values = {"ids": numbers, "attribute": attribute, "value": value}
            self._call("PUT", f"/users/mass_update_{kind}_attributes/", values)

    def merge_contacts(self, parent_id: int | str, others: Iterable[int | str]) -> None:
        """Join other contacts into this one; they are gone afterwards (usercom-api.md 1.3).

        Where both have a value, the parent's stays. Raises RecordRefused, and Gone if one of them
        is not there: so too when a merge is repeated whose answer was lost.
        """
        [parent], numbers = _numbers([parent_id]), _numbers(others)
        if parent in numbers:
            raise _impossible("users_list", "A contact cannot be merged into itself.")
        if not numbers:
            return
        body = {"parent": parent, "users_list": numbers}
        answer = self._call("POST", "/users/merge/", body, one=True)
        if isinstance(answer, dict) and answer.get("success") is False:
            sentence = "User.com did not merge the contacts."
            raise RecordRefused({NON_FIELD: [sentence]}, 200, sentence)

    # Lists: usercom-api.md 1.6

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Page]:
        """Read a list page by page, following `next` as it was given.

        A 404 on a `next`, a known fault of the last page, ends the list, and so does a `next` that
        was there before. One that leads to another scheme, host or port, or out of the API, raises
        AgainLater, kind redirect: the list is not whole.
        """
        answer = self._call("GET", path, params=params)
        seen: set[str] = set()
        while True:
            page, following = _page(answer)
            yield page
            if following is None:
                return
            target = self._target(following)
            if target in seen:
                return
            seen.add(target)
            try:
                answer = self._exchange("GET", target)
            except UserComError as error:
                if error.kind is Kind.NOT_FOUND:
                    return
                raise

    def page(
        self, target: str | None, path: str = "", params: Mapping[str, str] | None = None
    ) -> tuple[Page, str | None]:
        """Read one page of a list; give it and the target of the next, or None at the end.

        The first page has no target but a path and its parameters. A target is the path and query
        of a `next`, no address: it can be kept and given back later, and leads nowhere but into
        this account's API; another raises AgainLater, kind redirect. A 404 on a target, a known
        fault of the last page, is an empty page at the end, and a `next` that leads back to its own
        page is none.
        """
        if target is None:
            answer = self._call("GET", path, params=params)
        else:
            target = self._target(f"{self.base_url}{target}")
            try:
                answer = self._exchange("GET", target)
            except UserComError as error:
                if error.kind is Kind.NOT_FOUND:
                    return Page(()), None
                raise
        page, following = _page(answer)
        after = None if following is None else self._target(following)
        return page, None if after == target else after

    def list_contacts_page(self, cursor: str | None = None) -> ContactPage:
        """Read one page of all contacts, the first or the one that `next` led to."""
        return _contact_page(*self.page(cursor, "/users/"))

    def changed_contacts_page(
        self, since: datetime, until: datetime | None = None, cursor: str | None = None
    ) -> ContactPage:
        """Read one page of the contacts that changed in a span of time (usercom-api.md 1.3).

        The span is widened to whole seconds, and a time without zone is in UTC. That User.com
        counts both ends in is assumed (7.3). With a cursor, the span is the one that it came from.
        """
        params = {"search": "updated_at", "min": str(math.floor(_unix(since)))}
        if until is not None:
            params["max"] = str(math.ceil(_unix(until)))
        return _contact_page(*self.page(cursor, "/users/search/", params))

    def contacts(self, params: Mapping[str, str] | None = None) -> Iterator[Contact]:
        """Read all contacts, or those that the filters leave (usercom-api.md 1.3)."""
        for page in self.pages("/users/", params):
            yield from map(Contact.from_json, page.results)

    def attributes(self) -> Iterator[Attribute]:
        """Read the custom attributes of contacts, companies and the rest (usercom-api.md 1.7).

        One without a name cannot be written or read, and does not cost the others.
        """
        for page in self.pages("/attributes/"):
            for item in page.results:
                if not isinstance(item, dict) or item.get("name_std") or not item.get("id"):
                    yield Attribute.from_json(item)

    def create_attribute(
        self,
        name: str,
        value_type: str,
        content_type: str = "clientuser",
        choices: Sequence[str] = (),
        multiple: bool = False,
    ) -> Attribute:
        """Create a custom attribute (usercom-api.md 1.7). The name has 1 to 32 characters.

        With choices, `multiple` lets a contact have several of them. Raises RecordRefused.
        """
        values: dict[str, Any] = {
            "name": name,
            "value_type": value_type,
            "content_type": content_type,
        }
        if choices:
            values |= {"choices": list(choices), "allow_multiple_choices": multiple}
        return Attribute.from_json(self._call("POST", "/attributes/", values))

    # Companies: usercom-api.md 1.5

    def company(self, usercom_id: int | str) -> Company:
        """Read a company by User.com's number. Raises Gone."""
        return Company.from_json(self._call("GET", f"/companies/{_number(usercom_id)}/", one=True))

    def company_by_custom_id(self, custom_id: str) -> Company:
        """Read a company by the id that a client gave it. Raises Gone."""
        path = f"/companies-by-id/{_segment(custom_id)}/"
        return Company.from_json(self._call("GET", path, one=True))

    def create_company(self, values: Mapping[str, Any]) -> Company:
        """Create a company, which needs a name. Raises RecordRefused.

        Not to be repeated without thought: without a custom id each call makes another company.
        """
        return Company.from_json(self._call("POST", "/companies/", values))

    def update_company(self, usercom_id: int | str, values: Mapping[str, Any]) -> Company:
        """Write these fields, leave the others, and give the company as it is now.

        Raises Gone, RecordRefused. An empty answer counts as done, and the company is read.
        """
        path = f"/companies/{_number(usercom_id)}/"
        answer = self._call("PUT", path, values, one=True)
        return self.company(usercom_id) if answer is None else Company.from_json(answer)

    def put_company(self, custom_id: str, values: Mapping[str, Any]) -> Company:
        """Update the company that has this custom id, or create it; may be repeated.

        User.com has no such call for companies: it is one call where the company is there, else
        two. Whoever creates it at the same moment wins, and ours becomes an update. Raises
        RecordRefused.
        """
        company = self._updated_company(custom_id, values)
        if company is not None:
            return company
        try:
            return self.create_company({**values, "custom_id": custom_id})
        except RecordRefused as error:
            refused = error
        # Somebody may have been faster. The error is raised down here to be free of a context.
        company = (
            self._updated_company(custom_id, values) if "custom_id" in refused.fields else None
        )
        if company is None:
            raise refused
        return company

    def _updated_company(self, custom_id: str, values: Mapping[str, Any]) -> Company | None:
        """Update a company by its custom id; None if there is none."""
        path = f"/companies-by-id/{_segment(custom_id)}/"
        # The id stays as it is: the path says which, and another would be another company's.
        kept = {name: value for name, value in values.items() if name != "custom_id"}
        try:
            answer = self._call("PUT", path, kept, one=True)
            return (
                self.company_by_custom_id(custom_id)
                if answer is None
                else Company.from_json(answer)
            )
        except Gone:
            return None

    def add_member(self, company_id: int | str, usercom_id: int | str) -> None:
        """Make a contact a member of a company; one that is a member already stays it.

        Raises Gone if the contact or the company is not there, and RecordRefused.
        """
        self._set_member("add_member", company_id, usercom_id, True)

    def remove_member(self, company_id: int | str, usercom_id: int | str) -> None:
        """Take a contact out of a company, unless it is no member or one of them is gone.

        Raises RecordRefused.
        """
        try:
            self._set_member("remove_member", company_id, usercom_id, False)
        except Gone:
            return

    def _set_member(
        self, action: str, company_id: int | str, usercom_id: int | str, member: bool
    ) -> None:
        """Change a membership. How User.com answers, and what to a repetition, is not told.

        So any answer is taken for done, and a refusal is only believed after a look whether the
        contact is not what it should be already.
        """
        path = f"/companies/{_number(company_id)}/{action}/"
        body = {"user_id": int(_number(usercom_id))}
        try:
            self._call("POST", path, body, one=True)
            return
        except RecordRefused as error:
            refused = error
        contact = self.contact(usercom_id)
        found = {company.id for company in contact.companies}
        if not contact.has("companies") or (int(company_id) in found) is not member:
            raise refused

    def companies(self) -> Iterator[Company]:
        """Read all companies."""
        for page in self.pages("/companies/"):
            yield from map(Company.from_json, page.results)

    # How a call is made

    def _search(self, params: Mapping[str, str]) -> list[Contact]:
        """Search contacts: the answer may be one, an array or a page (usercom-api.md 1.3)."""
        try:
            answer = self._call("GET", "/users/search/", params=params, one=True)
        except Gone:
            return []
        if isinstance(answer, dict) and "results" not in answer:
            return [Contact.from_json(answer)]
        return [Contact.from_json(item) for item in _page(answer)[0].results]

    def _call(
        self,
        method: str,
        path: str,
        values: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        one: bool = False,
    ) -> Any:
        """Make one call below the API's root; give its JSON, or None for an empty answer."""
        # Without the final slash User.com does nothing and does not say so (usercom-api.md 1.1).
        target = f"{ROOT}/{path.strip('/')}/"
        if params:
            target += "?" + urlencode(params, errors="replace")
        return self._exchange(method, target, _encoded(values), one=one)

    def _exchange(
        self, method: str, target: str, body: bytes | None = None, *, one: bool = False
    ) -> Any:
        """Make one call when the limiter lets it; again after a 429, for it had no effect."""
        if self._limiter is None:
            return self._once(method, target, body, one=one)
        deadline = self._deadline
        if deadline is None:
            deadline = time.monotonic() + self._patience
        while True:
            permit = self._limiter.acquire(self._priority, deadline)
            try:
                return self._once(method, target, body, one=one)
            except Throttled as error:
                self._limiter.throttled(permit, error.retry_after)

    def _once(
        self, method: str, target: str, body: bytes | None = None, *, one: bool = False
    ) -> Any:
        started = time.monotonic()
        status, retry_after, error = None, None, None
        payload: Any = None
        try:
            status, header, content = self._transport.send(method, self.base_url + target, body)
        except UserComError as exc:
            error = exc
        else:
            retry_after = retry_after_of(header)
            understood, payload = _decoded(content)
            if not 200 <= status < 300:
                error = refusal(status, payload, retry_after, one=one)
            elif not understood:
                error = AgainLater(Kind.NOT_JSON, status)
        seconds = time.monotonic() - started
        if error is None:
            log.succeeded(method, target, status or 0, seconds)
            return payload
        log.failed(method, target, error.kind, status, seconds, retry_after)
        raise error

    def _target(self, link: str) -> str:
        """Give the path and query of a `next` link; the host that is called is always ours."""
        parts = _split(link)
        if (
            parts is None
            or not re.fullmatch(r"[!-~]+", link)
            or _origin(parts) != _origin(urlsplit(self.base_url))
            or not parts.path.startswith(f"{ROOT}/")
            or {"..", "."} & set(re.split(r"[/\\]", unquote(parts.path)))
        ):
            raise AgainLater(
                Kind.REDIRECT, sentence="A list of User.com goes on at an address outside its API."
            )
        return parts.path + (f"?{parts.query}" if parts.query else "")


def _origin(parts: SplitResult) -> tuple[object, ...]:
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.username, parts.password


def _split(link: str) -> SplitResult | None:
    """Take an address apart, or give None if it is none."""
    try:
        parts = urlsplit(link)
        return parts if parts.port != 0 else None  # reading the port is what may fail
    except ValueError:
        return None


def _impossible(field: str, sentence: str) -> RecordRefused:
    """Refuse a record ourselves, before any call."""
    return RecordRefused({field: [sentence]}, None, sentence)


def _number(usercom_id: int | str) -> str:
    """Check a number of User.com's, which may come from a stranger's call, for a path."""
    if not re.fullmatch("[0-9]{1,18}", str(usercom_id)):
        raise _impossible("id", "This User.com ID is not a number.")
    return str(int(usercom_id))


def _numbers(ids: Iterable[int | str]) -> list[int]:
    """Check numbers of User.com's, for a body; each is there once."""
    return list(dict.fromkeys(int(_number(usercom_id)) for usercom_id in ids))


def _unix(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()


def _segment(custom_id: str) -> str:
    """Quote a custom id whole, "/" and "@" included, for a path (usercom-api.md 7.3)."""
    if custom_id in ("", ".", ".."):  # no quoting keeps these from being read as a path
        raise _impossible("custom_id", "This User ID cannot be looked up.")
    return quote(custom_id, safe="", errors="replace")


def _encoded(values: Mapping[str, Any] | None) -> bytes | None:
    """Write a body. What JSON cannot hold is the record's fault, and not quoted in the error."""
    if values is None:
        return None
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        text = ""
    if not text:
        raise _impossible(NON_FIELD, "The record holds a value that JSON cannot hold.")
    return text.encode("utf-8", "replace")


def _decoded(content: bytes) -> tuple[bool, Any]:
    """Read a body: whether it is empty or JSON at all, and what it holds."""
    if not content.strip():
        return True, None
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
        return True, _storable(value) if b"\\u" in content else value
    except (ValueError, RecursionError):
        return False, None


def _storable(value: Any) -> Any:
    """Take out of all texts what only an escape can put there and PostgreSQL does not store."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value


def _no_number(name: str) -> None:
    raise ValueError(name)


def _page(answer: Any) -> tuple[Page, str | None]:
    """Read a page object, or a bare array as a list of one page."""
    if isinstance(answer, list):
        return Page(tuple(answer), len(answer)), None
    if isinstance(answer, dict) and isinstance(answer.get("results"), list):
        following, count = answer.get("next"), answer.get("count")
        if following is None or isinstance(following, str):
            return (
                Page(tuple(answer["results"]), count if isinstance(count, int) else None),
                following or None,
            )
    raise AgainLater(Kind.NOT_JSON, sentence="User.com's answer was no list.")


def _contact_page(page: Page, following: str | None) -> ContactPage:
    """Read the contacts of a page; one that is broken does not cost the others."""
    contacts = []
    for item in page.results:
        try:
            contacts.append(Contact.from_json(item))
        except AgainLater:
            continue
    unreadable = len(page.results) - len(contacts)
    return ContactPage(tuple(contacts), following, page.count, unreadable)

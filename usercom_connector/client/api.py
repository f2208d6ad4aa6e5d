"""The calls that the addon makes, with typed results and typed errors."""

import copy
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

    def contacts(self, params: Mapping[str, str] | None = None) -> Iterator[Contact]:
        """Read all contacts, or those that the filters leave (usercom-api.md 1.3)."""
        for page in self.pages("/users/", params):
            yield from map(Contact.from_json, page.results)

    def attributes(self) -> Iterator[Attribute]:
        """Read the custom attributes of contacts, companies and the rest (usercom-api.md 1.7)."""
        for page in self.pages("/attributes/"):
            yield from map(Attribute.from_json, page.results)

    def create_attribute(
        self,
        name: str,
        value_type: str,
        content_type: str = "clientuser",
        choices: Sequence[str] = (),
    ) -> Attribute:
        """Create a custom attribute (usercom-api.md 1.7). The name has 1 to 32 characters.

        Raises RecordRefused.
        """
        values: dict[str, Any] = {
            "name": name,
            "value_type": value_type,
            "content_type": content_type,
        }
        if choices:
            values["choices"] = list(choices)
        return Attribute.from_json(self._call("POST", "/attributes/", values))

    # Companies: usercom-api.md 1.5

    def company(self, usercom_id: int | str) -> Company:
        """Read a company by User.com's number. Raises Gone."""
        return Company.from_json(self._call("GET", f"/companies/{_number(usercom_id)}/", one=True))

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

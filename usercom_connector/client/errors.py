"""What can go wrong, sorted by what happens next.

==============  =====================================================================
AgainLater      the row waits and goes again; `retry_after` says how long, if known
Throttled       the same, and it does not count as an attempt (429)
NotSent         the same: the round's time ended before the call's turn came
RecordRefused   this record is parked until it, or the mapping, changes
AccountRefused  the account pauses until a person has tested it
Gone            the contact was there and is not any more
==============  =====================================================================

Where it is unclear whose fault an answer is, it is AgainLater: waiting loses nothing and ends by
itself, while a pause waits for a person. So these are AgainLater and keep their kind for the
connection test: a failed TLS handshake, a name server that did not answer, a 403 or 404 that is no
JSON (some proxy, not the API: usercom-api.md 1.9), a redirect that calls itself temporary.
AccountRefused are a 401, a 403 from the API, a redirect for good, and a host of which the name
server says that it does not exist.

No message holds the key, an address with its query, or anything of a person.
"""

# ruff: noqa: N818 (named for what happens next, not for being errors)

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum

LONGEST_WAIT = 3600.0
"""The most seconds that a Retry-After is believed."""

NON_FIELD = "non_field_errors"
"""The name under which `RecordRefused.fields` keeps complaints about no field in particular."""


class Kind(str, Enum):
    """What happened, as a stable code: equal to its string."""

    UNKNOWN_HOST = "unknown_host"
    TLS = "tls"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    REDIRECT = "redirect"
    SERVER = "server"
    THROTTLED = "throttled"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REFUSED = "refused"

    def __str__(self) -> str:
        return self.value


_SENTENCES = {
    Kind.UNKNOWN_HOST: "The host name of the account was not found",
    Kind.TLS: "No secure connection to User.com could be made",
    Kind.CONNECTION: "The connection to User.com failed or was cut",
    Kind.TIMEOUT: "User.com did not answer in time",
    Kind.NOT_JSON: "The answer was not one of User.com's API",
    Kind.TOO_LARGE: "User.com's answer was too large",
    Kind.REDIRECT: "The account's address points elsewhere",
    Kind.SERVER: "User.com has a fault of its own",
    Kind.THROTTLED: "User.com asked for fewer calls",
    Kind.UNAUTHORISED: "User.com does not accept the REST key",
    Kind.FORBIDDEN: "User.com does not allow this to the REST key",
    Kind.NOT_FOUND: "User.com does not have what was asked for",
    Kind.REFUSED: "User.com refused the request",
}


class UserComError(Exception):
    """A call that did not do what it should; `str()` is one sentence that is safe to log.

    `kind` says what happened, `status` is the HTTP status where there was an answer.
    """

    def __init__(self, kind: Kind, status: int | None = None, sentence: str = "") -> None:
        self.kind = kind
        self.status = status
        code = f" (HTTP {status})" if status else ""
        super().__init__(sentence or f"{_SENTENCES[kind]}{code}.")


class AgainLater(UserComError):
    """Nothing wrong with the record: wait `retry_after` seconds (None: not said) and repeat."""

    def __init__(
        self,
        kind: Kind,
        status: int | None = None,
        retry_after: float | None = None,
        sentence: str = "",
    ) -> None:
        super().__init__(kind, status, sentence)
        self.retry_after = retry_after


class Throttled(AgainLater):
    """429: too many calls (usercom-api.md 1.9). No attempt of the record."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(Kind.THROTTLED, 429, retry_after)


class NotSent(Throttled):
    """Nothing was sent, or nothing that took effect: the time ended before the call's turn."""


class RecordRefused(UserComError):
    """This record is not acceptable; `fields` maps each field to User.com's own words.

    The words may quote the value: show them to a person, do not log them. The message names the
    fields only. `status` is None when the record could not even be sent.
    """

    def __init__(
        self, fields: Mapping[str, list[str]], status: int | None = 400, sentence: str = ""
    ) -> None:
        self.fields = dict(fields)
        names = [name for name in fields if re.fullmatch(r"\w{1,64}", name) and name != NON_FIELD]
        if names and not sentence:
            sentence = f"User.com refused: {', '.join(names[:10])}."
        super().__init__(Kind.REFUSED, status, sentence)


class AccountRefused(UserComError):
    """No call of this account can work until a person sees to it."""


class Gone(UserComError):
    """The API itself says, in JSON, that there is no such contact (or company)."""

    def __init__(self) -> None:
        super().__init__(Kind.NOT_FOUND, 404)


def retry_after_of(header: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header, seconds or HTTP date, as seconds between 0 and LONGEST_WAIT.

    None for a missing or senseless one. That User.com sends it is seen in one client only
    (usercom-api.md 1.9).
    """
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text):
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000", which stands for UTC here
            moment = moment.replace(tzinfo=timezone.utc)
        wait = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return max(0.0, min(wait, LONGEST_WAIT))


def refusal(
    status: int, body: object, retry_after: float | None = None, *, one: bool = False
) -> UserComError:
    """Sort an answer outside 2xx.

    `body` is its JSON, or None if it is none; `one` tells that the call named one contact or
    company, which alone makes a 404 mean Gone. An HTML 404 means that the whole tree is missing, or
    that a slash is (usercom-api.md 1.1 and 1.9), and says nothing about the contact.
    """
    if status == 429:
        return Throttled(retry_after)
    if status in (301, 308):
        return AccountRefused(Kind.REDIRECT, status)
    if status == 401:
        return AccountRefused(Kind.UNAUTHORISED, status)
    if status == 404 and one and isinstance(body, dict) and "detail" in body:
        return Gone()
    if isinstance(body, (dict, list)):
        if status == 403:
            return AccountRefused(Kind.FORBIDDEN, status)
        if status in (400, 409, 413, 414, 422):
            return RecordRefused(_complaints(body), status)
    return AgainLater(_kind(status, body), status, retry_after)


def _kind(status: int, body: object) -> Kind:
    """Name an answer that is only to be waited out."""
    if status >= 500:
        return Kind.SERVER
    if 300 <= status < 400:
        return Kind.REDIRECT
    named = {404: Kind.NOT_FOUND, 408: Kind.TIMEOUT}
    return named.get(status, Kind.NOT_JSON if body is None else Kind.REFUSED)


def _complaints(body: object) -> dict[str, list[str]]:
    """Read ``{"errors": {field: [text]}}`` (usercom-api.md 1.9) and what the framework may send."""
    if isinstance(body, dict) and isinstance(body.get("errors"), dict):
        body = body["errors"]
    if not isinstance(body, dict):
        body = {NON_FIELD: body}
    fields: dict[str, list[str]] = {}
    for name, texts in body.items():
        texts = texts if isinstance(texts, list) else [texts]
        name = NON_FIELD if name == "detail" else str(name)
        fields.setdefault(name, []).extend(str(text)[:500] for text in texts[:20])
    return fields

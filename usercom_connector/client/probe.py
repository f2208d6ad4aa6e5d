"""The connection test: what works, what fails, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .contact import Attribute
from .errors import AccountRefused, AgainLater, Gone, Kind, RecordRefused, UserComError

if TYPE_CHECKING:
    from .api import UserCom

OK = "ok"
READ, WRITE, ADDRESS = "read", "write", "address"

SENTENCES = {
    OK: "The connection works: %(host)s answers, and the key may read and write.",
    "unknown_host": "There is no host %(host)s. Check the subdomain.",
    "tls": "No secure connection to %(host)s could be made. Check this server's clock and its "
    "certificates, and whether a proxy opens secure connections on the way.",
    "connection": "%(host)s could not be reached. Check this server's network, firewall and proxy.",
    "timeout": "%(host)s did not answer in time. Try again; if that does not help, check this "
    "server's network and firewall.",
    "not_json": "%(host)s answered, but not with User.com's API. Check the subdomain, and whether "
    "a proxy or firewall stands between.",
    "too_large": "%(host)s sent far more than User.com's API does. Check the subdomain, and "
    "whether a proxy stands between.",
    "redirect": "%(host)s only points to another address. Check the subdomain.",
    "server": "User.com itself has a fault (HTTP %(status)s). Try again later.",
    "throttled": "User.com asks for fewer calls. Wait a while and try again.",
    "unauthorised": "User.com does not know the REST key. Copy it again from Settings > "
    "App Settings > Advanced > Public API.",
    "forbidden_read": "The key may not read. Give it the right to read as well as to write, "
    "in User.com under Settings > App Settings > Advanced > Public API.",
    "forbidden_write": "The key may only read. Give it the right to write as well, in User.com "
    "under Settings > App Settings > Advanced > Public API.",
    "forbidden_address": "User.com refuses the key altogether. If the key has a list of allowed IP "
    "addresses, add this server's; otherwise give the key the rights to read and to write.",
    "not_found": "There is no User.com API at %(host)s. Check the subdomain.",
    "refused": "User.com refused the test itself (HTTP %(status)s). Try again later; if that does "
    "not help, ask the addon's maintainers.",
}
"""An English sentence for each `ProbeResult.code`, with %(host)s and %(status)s to fill in."""


@dataclass(frozen=True)
class ProbeResult:
    """What a connection test found."""

    ok: bool
    kind: Kind | None
    """What failed; None if nothing did."""
    scope_missing: str | None
    """With kind forbidden: what the key may not do: "read", "write", or "address" for neither."""
    attributes: tuple[Attribute, ...]
    """What could be read, to tell whether an attribute is there; empty if reading failed."""
    status: int | None
    retry_after: float | None
    host: str

    @property
    def code(self) -> str:
        """A key of SENTENCES: "ok", the kind, or "forbidden_" and the scope."""
        if self.kind is None:
            return OK
        return f"{self.kind}_{self.scope_missing}" if self.scope_missing else str(self.kind)

    @property
    def sentence(self) -> str:
        """The English sentence, for where no translation is at hand."""
        return SENTENCES[self.code] % {"host": self.host, "status": self.status or "-"}


def probe(api: UserCom) -> ProbeResult:
    """Read once and write once without effect; never raises a UserComError.

    The write is an empty update of contact 0, which no account has: with the right to write the
    answer is a 404, without it a 403. That a key with one right gets a 403 for the other is
    inferred (usercom-api.md 1.1), and so is that a key refused for its address gets it for both.
    """
    attributes: tuple[Attribute, ...] = ()
    read: UserComError | None = None
    write: UserComError | None = None
    try:
        attributes = tuple(api.attributes())
    except UserComError as error:
        read = error
    if read is None or _forbidden(read):
        try:
            api.update_contact(0, {})
        except (Gone, RecordRefused):
            write = None  # it was let as far as looking at the contact
        except UserComError as error:
            write = error

    failure, scope = write or read, None
    if _forbidden(write):
        scope = ADDRESS if _forbidden(read) else WRITE
    elif _forbidden(read) and write is None:
        scope = READ
    return ProbeResult(
        ok=failure is None,
        kind=failure.kind if failure else None,
        scope_missing=scope,
        attributes=attributes,
        status=failure.status if failure else None,
        retry_after=failure.retry_after if isinstance(failure, AgainLater) else None,
        host=urlsplit(api.base_url).netloc,
    )


def _forbidden(error: UserComError | None) -> bool:
    return isinstance(error, AccountRefused) and error.kind is Kind.FORBIDDEN

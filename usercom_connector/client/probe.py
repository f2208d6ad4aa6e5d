"""The connection test: what works, what fails, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .contact import Attribute
from .errors import AccountRefused, AgainLater, Gone, Kind, RecordRefused, UserComError

if TYPE_CHECKING:
    from .api import UserCom

OK = "ok"
READ, WRITE, ADDRESS = "read", "write", "address"

CODES = frozenset({OK, *map(str, Kind)} - {"forbidden"}) | {
    f"forbidden_{scope}" for scope in (READ, WRITE, ADDRESS)
}
"""All that `ProbeResult.code` can be."""


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

    @property
    def code(self) -> str:
        """One of CODES: "ok", the kind, or "forbidden_" and the scope."""
        if self.kind is None:
            return OK
        return f"{self.kind}_{self.scope_missing}" if self.scope_missing else str(self.kind)


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
    )


def _forbidden(error: UserComError | None) -> bool:
    return isinstance(error, AccountRefused) and error.kind is Kind.FORBIDDEN

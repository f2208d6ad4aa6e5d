"""By what a company here is taken for one there: the e-mail address, else the name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import values


def folded(text: object) -> str | None:
    """A name or an address as it is compared: without regard to case and spaces.

    The legal form is kept: a limited company and a partnership of one name are two.
    """
    clean = values.text(text)
    return clean.casefold() if clean else None


@dataclass(frozen=True)
class Known:
    """What is known of a company in User.com: its number there, its e-mail address and its name."""

    number: str
    email: str | None
    name: str | None


class Index:
    """Finds the companies that one may be."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._by_email: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for one in known:
            for text, numbers in ((one.email, self._by_email), (one.name, self._by_name)):
                if key := folded(text):
                    numbers.setdefault(key, []).append(one.number)

    def candidates(self, email: str | None, name: str | None) -> list[str]:
        """The numbers of those that a company with this address and name may be.

        The same address counts for more than the same name, so names are compared only where
        nobody has the address.
        """
        same_address = self._by_email.get(folded(email) or "", [])
        return same_address or self._by_name.get(folded(name) or "", [])

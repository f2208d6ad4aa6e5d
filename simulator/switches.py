"""The switches: every place where User.com's behaviour is unknown or differs between accounts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CHOICES: dict[str, tuple[str, ...]] = {
    "unknown_attribute": ("strict", "legacy", "ignore"),
    "wrong_type": ("refuse", "ignore"),
    "many_none": ("empty", "404"),
    "upsert_foreign_email": ("second", "refuse", "owner"),
    "phone_format": ("grouped", "digits"),
    "attribute_content_type": ("clientuser", "user"),
}


@dataclass
class Switches:
    """All switches with their start values."""

    #: Contract 7.1: custom attributes of version 2 reads as top-level keys, else as a list.
    flatten_v2: bool = True
    #: Contract 7.3: an unknown attribute in a write gets 400, is made as a string, or nothing.
    unknown_attribute: str = "strict"
    #: Contract 7.4: what a custom value of the wrong type gets: 400, or silence.
    wrong_type: str = "refuse"
    #: Contract 7.3: what ``search/?email=…&many=true`` answers when nobody matches.
    many_none: str = "empty"
    #: Section 8, point 6: an upsert with an e-mail that another profile has makes a second profile,
    #: is refused with 400, or takes the profile of the owner.
    upsert_foreign_email: str = "second"
    #: Section 1.7: the word for a contact's attribute in answers, new or old.
    attribute_content_type: str = "clientuser"
    #: Contract 7.5: the size of a page.
    page_size: int = 100
    #: Contract 7.5: the last page names a next one that answers 404.
    last_next_404: bool = False
    #: Contract 7.6: reads carry ``first_name`` and ``last_name``.
    with_names: bool = False
    #: Contract 7.7: ``tags`` and ``lists`` are null in reads.
    null_lists: bool = False
    #: Contract 7.7: custom string and fixed values are read as arrays.
    array_values: bool = False
    #: E-mail searches do not tell upper from lower case.
    search_ignores_case: bool = False
    #: Store e-mails in lower case, trim strings, cut what is too long, rewrite phones.
    normalise: bool = False
    #: How *normalise* writes a phone: ``+48 600 100 200`` or ``48600100200``.
    phone_format: str = "grouped"
    #: Section 1.1: the caller's address is not on the key's allow-list, so all answers are 403.
    refuse_address: bool = False
    #: Contract 7.7: every API answer is this late.
    latency_ms: int = 0
    #: Section 1.9: API requests a second, 0 for no limit; the bucket; whether Retry-After is sent.
    rate_limit: float = 0.0
    rate_burst: int = 1
    rate_retry_after: bool = True
    #: Keep the latest calls, with their bodies, and not only count them.
    log_calls: bool = True
    #: Seconds by which the clock of the account is ahead.
    clock_offset: float = 0.0

    def change(self, changes: dict[str, Any]) -> None:
        """Set several switches at once; nothing is set when one of them is wrong."""
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def _checked(self, name: str, value: Any) -> Any:
        kinds = {key: type(held) for key, held in asdict(self).items()}
        kind = kinds.get(name)
        if kind is None:
            raise ValueError(f"There is no switch {name!r}; there are {', '.join(sorted(kinds))}.")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"The switch {name!r} takes a value of type {kind.__name__}.")
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"The switch {name!r} takes one of {', '.join(CHOICES[name])}.")
        if name in ("page_size", "rate_burst") and int(value) < 1:
            raise ValueError(f"The switch {name!r} takes a number from 1.")
        return value

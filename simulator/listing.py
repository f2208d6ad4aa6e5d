"""Pages of things (contract 7.5) and the filters of searches (contract 7.3)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from .calls import Answer, Call, bad_request, not_found
from .index import Item
from .state import USER, Account, User, seconds, stamp
from .switches import Switches

#: How long a time is in the way that the service writes it.
STAMP_LENGTH = len("2018-02-09T10:42:13.956452Z")

#: What ``search=`` may name (section 1.3).
TIME_FIELDS = ("first_seen", "last_seen", "last_contacted", "updated_at")

LOOKUPS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda held, given: given in held,
    "icontains": lambda held, given: given.lower() in held.lower(),
    "startswith": lambda held, given: held.startswith(given),
    "istartswith": lambda held, given: held.lower().startswith(given.lower()),
    "endswith": lambda held, given: held.endswith(given),
    "iendswith": lambda held, given: held.lower().endswith(given.lower()),
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda held, given: bool(held > given),
    "gte": lambda held, given: bool(held >= given),
    "lt": lambda held, given: bool(held < given),
    "lte": lambda held, given: bool(held <= given),
}


def page(
    call: Call, items: Sequence[Item], shape: Callable[[Item], Any], switches: Switches
) -> Answer:
    """One page, in the order of the ids: ``?cursor=`` in version 2, ``?page=`` in version 1."""
    cut = _by_cursor if call.version == 2 else _by_page
    shown, following, previous = cut(call, items, switches)
    return Answer(
        body={
            "count": len(items),
            "next": _address(call, following),
            "previous": _address(call, previous),
            "results": [shape(item) for item in shown],
        }
    )


def _address(call: Call, change: dict[str, int | None] | None) -> str | None:
    if change is None:
        return None
    kept = {name: value for name, value in call.query.items() if name not in change}
    kept.update({name: str(value) for name, value in change.items() if value is not None})
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{call.origin}/api/public{call.raw_path}{query}"


Cut = tuple[Sequence[Item], "dict[str, int | None] | None", "dict[str, int | None] | None"]


def _by_cursor(call: Call, items: Sequence[Item], switches: Switches) -> Cut[Item]:
    """A cursor is the lowest id of its page, so nothing is skipped when something goes."""
    size = switches.page_size
    start = 0
    if "cursor" in call.query:
        try:
            cursor = int(call.query["cursor"])
        except ValueError:
            raise not_found("Invalid cursor") from None
        start = bisect_left(items, cursor, key=lambda item: item.id)
        if switches.last_next_404 and start >= len(items):
            raise not_found()
    shown = items[start : start + size]
    following: dict[str, int | None] | None = None
    if start + size < len(items):
        following = {"cursor": items[start + size].id}
    elif switches.last_next_404 and shown:
        following = {"cursor": shown[-1].id + 1}
    previous: dict[str, int | None] | None = None
    if start:
        back = max(0, start - size)
        previous = {"cursor": items[back].id if back else None}
    return shown, following, previous


def _by_page(call: Call, items: Sequence[Item], switches: Switches) -> Cut[Item]:
    size = switches.page_size
    last = max(1, -(-len(items) // size))
    try:
        number = int(call.query.get("page", "1"))
    except ValueError:
        raise not_found("Invalid page.") from None
    if not 1 <= number <= last:
        raise not_found("Invalid page.")
    shown = items[(number - 1) * size : number * size]
    more = number < last or (switches.last_next_404 and bool(shown))
    return (
        shown,
        {"page": number + 1} if more else None,
        {"page": number - 1 if number > 2 else None} if number > 1 else None,
    )


class Filters:
    """Reads the field filters out of a query and picks the users they let through."""

    PAGING = ("cursor", "page", "many")

    def __init__(self, account: Account) -> None:
        self.account = account
        #: What was picked last, so that the pages of one list are not each searched for anew.
        self._picked: tuple[tuple[Any, ...], list[User]] = ((), [])

    def pick(self, query: dict[str, str]) -> list[User]:
        """The users that a query lets through, by their ids; the list is not to be changed."""
        filters = {name: value for name, value in query.items() if name not in self.PAGING}
        if not filters:
            return self.account.sorted_users()
        question = (self.account.revision, *sorted(filters.items()))
        if self._picked[0] != question:
            self._picked = (question, self._search(filters))
        return self._picked[1]

    def _search(self, query: dict[str, str]) -> list[User]:
        tests: list[Callable[[User], bool]] = []
        errors: dict[str, list[str]] = {}
        if {"search", "min", "max"} & query.keys():
            tests.append(self._by_time(query, errors))
        for name, value in query.items():
            if name in ("search", "min", "max"):
                continue
            if name == "with_email":
                tests.append(self._with_email(value))
            else:
                tests.append(self._by_field(name, value, errors))
        if errors:
            raise bad_request(errors)
        return [user for user in self.account.sorted_users() if all(test(user) for test in tests)]

    @staticmethod
    def _with_email(value: str) -> Callable[[User], bool]:
        wanted = value.lower() in ("true", "1")
        return lambda user: bool(user.fields["email"]) or not wanted

    @staticmethod
    def _by_time(query: dict[str, str], errors: dict[str, list[str]]) -> Callable[[User], bool]:
        """``search=<field>&min=<unix>&max=<unix>``, both bounds inclusive (contract 7.3)."""
        name = query.get("search", "")
        if name not in TIME_FIELDS:
            errors["search"] = [f'"{name}" is not a valid choice.']
        bounds = {"min": float("-inf"), "max": float("inf")}
        for bound in bounds:
            try:
                bounds[bound] = float(query.get(bound, bounds[bound]))
            except ValueError:
                errors[bound] = ["A valid number is required."]

        lowest, highest = _stamped(bounds["min"]), _stamped(bounds["max"])

        def test(user: User) -> bool:
            held: str | None = user.facts.get(name) or getattr(user, name, None)
            if held is None:
                return False
            if len(held) == STAMP_LENGTH and held[-1] == "Z":
                return lowest <= held <= highest  # as the service writes it, texts sort like times
            return bounds["min"] <= seconds(held) <= bounds["max"]

        return test

    def _by_field(
        self, name: str, value: str, errors: dict[str, list[str]]
    ) -> Callable[[User], bool]:
        """``<name_std>__<lookup>=<value>`` (contract 7.3)."""
        field, _, lookup = name.rpartition("__")
        if lookup not in LOOKUPS and lookup not in COMPARISONS:
            errors[name] = ["There is no such filter."]
        elif self._reader(field) is None:
            errors[name] = ["There is no such field."]
        read = self._reader(field) or (lambda user: None)

        def test(user: User) -> bool:
            held = read(user)
            if held is None:
                return False
            if lookup in LOOKUPS:
                return LOOKUPS[lookup](str(held), value)
            return _compare(lookup, held, value)

        return test

    def _reader(self, field: str) -> Callable[[User], Any] | None:
        if field == "user_id":
            field = "custom_id"
        if field in ("name", "first_seen", "last_seen", "created_at", "updated_at", "id", "key"):
            return lambda user: getattr(user, field)
        attribute = self.account.attribute(field, USER)
        if attribute is not None:
            name = attribute.name_std
            return lambda user: user.attributes.get(name)
        if field in User.readable():
            return lambda user: user.fields.get(field, user.facts.get(field))
        return None


def _stamped(bound: float) -> str:
    """A bound as a text, or what sorts outside of all times."""
    if bound < -3e10:  # where years are of three digits
        return ""
    try:
        return stamp(datetime.fromtimestamp(bound, timezone.utc))
    except (OverflowError, ValueError, OSError):
        return "~"


def _compare(lookup: str, held: Any, given: str) -> bool:
    """Numbers as numbers, everything else as text: dates are written so that this is right."""
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        try:
            return COMPARISONS[lookup](held, float(given))
        except ValueError:
            return False
    return COMPARISONS[lookup](str(held), given)


def one(user: User | None) -> User:
    """A user that was found; 404 when there is none."""
    if user is None:
        raise not_found()
    return user

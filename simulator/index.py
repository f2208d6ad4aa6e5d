"""Look-ups that do not go through everything: who has a value, and who is a member."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar


class Numbered(Protocol):
    """Anything with an id."""

    id: int


Item = TypeVar("Item", bound=Numbered)


class Index(Generic[Item]):
    """Records by one text of theirs; several may have the same. Other values are not held."""

    def __init__(self, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._held: dict[str, dict[int, Item]] = {}

    def _key(self, value: str) -> str:
        return value.lower() if self._ignore_case else value

    def add(self, value: Any, item: Item) -> None:
        if isinstance(value, str):
            self._held.setdefault(self._key(value), {})[item.id] = item

    def discard(self, value: Any, item: Item) -> None:
        if not isinstance(value, str):
            return
        key = self._key(value)
        holders = self._held.get(key, {})
        holders.pop(item.id, None)
        if not holders:
            self._held.pop(key, None)

    def find(self, value: str) -> list[Item]:
        """All that have the text, the lowest id first."""
        holders = self._held.get(self._key(value), {})
        return [holders[number] for number in sorted(holders)]

    def first(self, value: str) -> Item | None:
        """The one with the lowest id of those that have the text."""
        return next(iter(self.find(value)), None)

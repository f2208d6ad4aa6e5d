"""Calls that wait for a permit, against the simulator; the limiter is a stand-in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from odoo.addons.usercom_connector.client import (
    AgainLater,
    Gone,
    NotSent,
    Throttled,
    UserCom,
)


@dataclass
class Permits:
    """Gives a permit at once, so many times, and notes what it is told."""

    left: int = 100
    asked: list[tuple[int, float]] = field(default_factory=list)
    told: list[tuple[int, float | None]] = field(default_factory=list)
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, priority: int, deadline: float) -> int:
        with self.lock:
            if not self.left:
                raise NotSent(0.5)
            self.left -= 1
            self.asked.append((priority, deadline))
            return len(self.asked)

    def throttled(self, permit: int, retry_after: float | None) -> None:
        self.told.append((permit, retry_after))

    def close(self) -> None:
        self.closed = True


@contextmanager
def calling(simulator, limiter) -> Iterator[UserCom]:
    with UserCom(simulator.url, simulator.key, limiter=limiter) as api:
        yield api


def test_each_call_asks_for_a_permit_with_its_rounds_deadline_and_priority(simulator):
    user = simulator.add_contact(email="jan@example.com")
    permits = Permits()
    with calling(simulator, permits) as api:
        hurried = api.within(1e9, 0)
        hurried.contact(user["id"])
        list(hurried.contacts())
        api.within(2e9, 2).update_contact(user["id"], {"city": "Sopot"})
    assert permits.asked == [(0, 1e9), (0, 1e9), (2, 2e9)]


def test_without_a_round_a_call_waits_for_its_turn_as_long_as_for_its_answer(simulator):
    permits = Permits()
    with calling(simulator, permits) as api:
        list(api.attributes())
    [(priority, deadline)] = permits.asked
    assert priority == 1
    assert 8 < deadline - time.monotonic() <= 10


def test_a_429_is_told_and_the_call_repeated(simulator):
    user = simulator.add_contact(email="jan@example.com")
    simulator.fault("429", retry_after=3)
    simulator.fault("429", retry_after=None)
    permits = Permits()
    with calling(simulator, permits) as api:
        assert api.update_contact(user["id"], {"city": "Hel"}).get("city") == "Hel"
    assert permits.told == [(1, 3.0), (2, None)]
    assert [call["status"] for call in simulator.calls()] == [429, 429, 200]


def test_without_a_permit_nothing_is_sent(simulator):
    with calling(simulator, Permits(left=0)) as api, pytest.raises(NotSent) as caught:
        api.upsert_contact("one", {"email": "jan@example.com"})
    assert isinstance(caught.value, Throttled)
    assert caught.value.retry_after == 0.5
    assert simulator.calls() == []


def test_a_429_after_which_the_time_is_over_is_no_attempt(simulator):
    simulator.fault("429", retry_after=3, times=None)
    permits = Permits(left=2)
    with calling(simulator, permits) as api, pytest.raises(Throttled):
        api.upsert_contact("one", {"email": "jan@example.com"})
    assert len(simulator.calls()) == 2
    assert simulator.contacts() == []


def test_other_failures_are_not_repeated(simulator):
    permits = Permits()
    with calling(simulator, permits) as api:
        with pytest.raises(Gone):
            api.contact(12345)
        simulator.fault("500")
        with pytest.raises(AgainLater):
            api.contact(12345)
    assert permits.told == []
    assert len(simulator.calls()) == 2


def test_without_a_limiter_a_429_is_raised_at_once(simulator):
    simulator.fault("429", retry_after=3)
    with calling(simulator, None) as api, pytest.raises(Throttled) as caught:
        api.contact(1)
    assert caught.value.retry_after == 3
    assert len(simulator.calls()) == 1


def test_the_limiter_is_closed_with_the_client_and_not_with_a_round(simulator):
    permits = Permits()
    with calling(simulator, permits) as api:
        list(api.within(1e9).attributes())
        assert not permits.closed
        list(api.attributes())
    assert permits.closed

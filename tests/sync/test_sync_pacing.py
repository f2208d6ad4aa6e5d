"""How fast User.com is called: the rule, against limits of all kinds, on a clock of the test's."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import pacing
from odoo.addons.usercom_connector.sync.pacing import BULK, CONSENT, EDIT, Pace

NOW = 1_700_000_000.0


@dataclass
class Bucket:
    """A limit that lets bursts pass, as the simulator's."""

    rate: float
    burst: float

    def __post_init__(self):
        self.tokens, self.at = self.burst, 0.0

    def wait(self, now):
        """Seconds to wait, or None where the call passes."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return None
        return max(1, math.ceil((1 - self.tokens) / self.rate))


class Outage(Bucket):
    """A limit that lets nothing pass for a minute."""

    def wait(self, now):
        return 1 if 30 < now < 90 else super().wait(now)


@dataclass
class Window:
    """So many calls within any span of so many seconds."""

    calls: int
    seconds: float
    passed: deque = field(default_factory=deque)

    def wait(self, now):
        while self.passed and self.passed[0] <= now - self.seconds:
            self.passed.popleft()
        if len(self.passed) < self.calls:
            self.passed.append(now)
            return None
        return math.ceil(self.passed[0] + self.seconds - now)


@dataclass
class Outcome:
    used: float
    throttled: float
    too_early: int
    highest: float
    pace: Pace


def simulate(
    server,
    threads=8,
    latency=0.1,
    seconds=80.0,
    warm_up=20.0,
    retry_after=True,
    ceiling=0.0,
    change=None,
):
    """Threads that call as fast as they may; times in the answers are those of a virtual clock."""
    chance = random.Random(7)
    order = itertools.count()
    pace = Pace()
    passed = refused = too_early = 0
    highest = pace.rate
    happenings = [(0.0, next(order), "want", 0) for _ in range(threads)]
    while happenings:
        now, _, what, detail = heapq.heappop(happenings)
        if now >= seconds:
            break
        if change and now >= change[0]:
            server.rate, change = change[1], None
        if what == "want":
            pace, slots = pacing.take(pace, now, 1, EDIT, ceiling)
            highest = max(highest, pace.rate)
            late = chance.random() * 0.005
            if slots:
                then = (max(slots[0], now) + late, next(order), "send", pace.event)
            else:
                then = (max(pacing.opens_at(pace, EDIT), now) + late, next(order), "want", 0)
        elif what == "send" and detail != pace.event:
            then = (now, next(order), "want", 0)  # the slot is void
        elif what == "send":
            too_early += now < pace.blocked_until
            then = (now + latency / 2, next(order), "arrive", detail)
        elif what == "arrive":
            wait = server.wait(now)
            passed += wait is None and now >= warm_up
            refused += wait is not None and now >= warm_up
            then = (now + latency / 2, next(order), "answer", (detail, wait))
        else:
            event, wait = detail
            if wait is not None:
                asked = wait if retry_after else None
                pace = pacing.slowed(pace, now, event, asked, ceiling)
            then = (now, next(order), "want", 0)
        heapq.heappush(happenings, then)
    calls = max(passed + refused, 1)
    return Outcome(passed / (seconds - warm_up), refused / calls, too_early, highest, pace)


# A limit is used, and seldom hit


@pytest.mark.parametrize("threads", [8, 16, 32])
@pytest.mark.parametrize("latency", [0.002, 0.1, 0.4])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_bucket_of_a_second_is_used_by_nine_tenths_and_more(threads, latency, retry_after):
    outcome = simulate(Bucket(20, 20), threads, latency, retry_after=retry_after)
    assert outcome.used / 20 >= 0.93
    assert outcome.throttled <= 0.01


@pytest.mark.parametrize("limit", [1, 2, 5, 10, 50, 100])
@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("retry_after", [True, False])
def test_any_limit_is_found(limit, threads, retry_after):
    outcome = simulate(Bucket(limit, limit), threads, 0.01, 120, 30, retry_after=retry_after)
    most = min(limit, threads / 0.01)
    assert outcome.used / most >= 0.8
    assert outcome.throttled <= 0.05


@pytest.mark.parametrize("limit", [1, 5, 20, 100])
@pytest.mark.parametrize("burst", [1, 2, 5, 100])
def test_a_limit_without_a_burst_of_its_size_is_borne(limit, burst):
    outcome = simulate(Bucket(limit, burst), 8, 0.05)
    assert outcome.used / limit >= 0.45
    assert outcome.throttled <= 0.05


@pytest.mark.parametrize(("calls", "seconds"), [(60, 60.0), (300, 60.0), (20, 1.0)])
def test_so_many_a_minute_are_found_as_well(calls, seconds):
    outcome = simulate(Window(calls, seconds), 8, 0.1, 600, 120)
    assert outcome.used / (calls / seconds) >= 0.75
    assert outcome.throttled <= 0.05


@pytest.mark.parametrize(("before", "after"), [(100, 10), (10, 100), (20, 1), (1, 20), (20, 40)])
def test_a_limit_that_changes_is_found_again(before, after):
    outcome = simulate(Bucket(before, 5), 16, 0.05, 500, 250, change=(100.0, after))
    assert outcome.used / after >= 0.7
    assert outcome.throttled <= 0.05


@pytest.mark.parametrize("retry_after", [True, False])
def test_after_a_minute_of_429s_calls_go_on_at_once(retry_after):
    outcome = simulate(Outage(20, 20), 8, 0.1, 110, 95, retry_after=retry_after)
    assert outcome.used >= 4


def test_without_a_limit_eight_threads_soon_call_as_fast_as_they_can():
    outcome = simulate(Bucket(1e6, 1e6), 8, 0.1, 20, 4)
    assert outcome.used >= 0.95 * 80


def test_the_rate_does_not_grow_beyond_what_is_asked_for():
    outcome = simulate(Bucket(1e6, 1e6), 8, 0.1, 600)
    assert outcome.pace.rate <= 4 * 80


# What always holds

servers = st.builds(
    Bucket,
    st.floats(min_value=0.2, max_value=200),
    st.integers(min_value=1, max_value=200),
) | st.builds(Window, st.integers(1, 100), st.floats(min_value=0.5, max_value=60))


@settings(max_examples=40)
@given(
    servers,
    st.integers(1, 32),
    st.floats(min_value=0.001, max_value=1),
    st.booleans(),
    st.sampled_from([0.0, 0.01, 1.0, 7.5, 50.0]),
)
def test_nobody_calls_before_retry_after_has_passed_or_faster_than_the_ceiling(
    server, threads, latency, retry_after, ceiling
):
    outcome = simulate(server, threads, latency, 60, 0, retry_after, ceiling)
    assert outcome.too_early == 0
    assert not ceiling or outcome.pace.rate <= ceiling
    assert not ceiling or outcome.highest <= max(ceiling, pacing.FIRST_RATE)
    assert not ceiling or outcome.used * 60 <= (60 + 1) * ceiling + 2


def times(low=-100.0, high=100.0):
    return st.floats(min_value=low, max_value=high).map(lambda seconds: NOW + seconds)


rates = st.floats(min_value=pacing.LOWEST_RATE, max_value=pacing.HIGHEST_RATE)
paces = st.builds(
    Pace,
    rate=rates,
    known=st.just(0.0) | rates,
    next_at=times(),
    blocked_until=times(),
    grown_at=times(high=0.0),
    event=st.integers(0, 5),
    since=times(high=0.0),
    sent=st.integers(0, 10_000),
)
ceilings = st.just(0.0) | rates
asked = st.none() | st.floats(min_value=0, max_value=10_000)


@given(paces, st.integers(1, 50), st.sampled_from([CONSENT, EDIT, BULK]), ceilings)
def test_slots_lie_one_over_the_rate_apart_and_in_no_pause(pace, wanted, priority, ceiling):
    after, slots = pacing.take(pace, NOW, wanted, priority, ceiling)
    assert len(slots) <= wanted
    for earlier, later in itertools.pairwise([*slots, after.next_at] if slots else []):
        assert later - earlier == pytest.approx(1 / after.rate, rel=1e-3, abs=1e-5)
    for slot in slots:
        assert slot >= max(pace.next_at, pace.blocked_until)
        assert slot <= NOW + pacing.HORIZON[priority] + pacing.BLOCK_SECONDS
    assert not (slots and ceiling) or after.rate <= ceiling


@given(paces, asked, ceilings)
def test_a_429_halves_the_rate_at_least_and_stops_all_calls(pace, retry_after, ceiling):
    after = pacing.slowed(pace, NOW, pace.event, retry_after, ceiling)
    lowest = pacing.limited(0.0, ceiling)
    assert after.rate <= max(pace.rate / 2, lowest)
    assert after.rate >= min(pace.rate, ceiling or pace.rate) / 4
    pause = pacing.PAUSE_SECONDS if retry_after is None else min(retry_after, 3600.0)
    assert after.blocked_until == max(pace.blocked_until, NOW + pause)
    assert after.next_at >= after.blocked_until
    assert after.event == pace.event + 1


@given(paces, st.lists(asked, min_size=1, max_size=8))
def test_429s_of_calls_under_way_together_count_as_one(pace, answers):
    first = pacing.slowed(pace, NOW, pace.event, 1.0)
    after = first
    for retry_after in answers:
        after = pacing.slowed(after, NOW + 0.01, pace.event, retry_after)
    assert (after.rate, after.known, after.event) == (first.rate, first.known, first.event)
    longest = max(1.0 if answer is None else min(answer, 3600.0) for answer in answers)
    assert after.blocked_until >= NOW + longest


@given(paces, asked)
def test_the_rate_always_recovers(pace, retry_after):
    after = pacing.slowed(pace, NOW, pace.event, retry_after)
    now = after.blocked_until
    for _ in range(10_000):
        if after.rate >= min(2 * pace.rate, pacing.HIGHEST_RATE):
            break
        # Whoever waits takes the next slot as soon as there is one.
        now = max(now, pacing.opens_at(after, EDIT)) + 1e-3
        after, slots = pacing.take(after, now, 1000)
        assert slots
    assert after.rate >= min(2 * pace.rate, pacing.HIGHEST_RATE)
    assert now - after.blocked_until < 900


@given(paces, st.floats(min_value=0, max_value=1), ceilings)
def test_growing_never_slows_down(pace, seconds, ceiling):
    rate = pacing.grown(pace, pace.grown_at + seconds, ceiling)
    assert rate >= min(pace.rate, ceiling or pace.rate)
    assert rate <= (ceiling or pacing.HIGHEST_RATE)


# Priorities


def test_consents_leave_nothing_to_bulk_work_while_they_want_all():
    pace = Pace(rate=20.0)
    now, given_to = NOW, {CONSENT: 0, EDIT: 0, BULK: 0}
    while now < NOW + 10:
        now += 0.005
        for priority in (BULK, EDIT, CONSENT):  # in the worst order
            pace, slots = pacing.take(pace, now, 100, priority)
            given_to[priority] += now > NOW + 1 and len(slots)
    assert given_to[CONSENT] >= 9 * 20
    assert given_to[EDIT] == given_to[BULK] == 0


def test_bulk_work_has_all_that_nobody_else_wants():
    pace = Pace(rate=1.0, known=1.0)
    now, taken = NOW, 0
    while now < NOW + 100:
        now += 0.005
        pace, slots = pacing.take(pace, now, 100, BULK, ceiling=1.0)
        taken += len(slots)
    assert 99 <= taken <= 101


# Rows that nobody can have written


@given(paces, asked)
def test_what_the_rules_write_makes_sense(pace, retry_after):
    pace = Pace(rate=pace.rate, known=pace.known)
    for step in range(20):
        now = NOW + step * 0.03
        pace, _slots = pacing.take(pace, now, 100, CONSENT)
        assert pacing.is_sane(pace, now)
        if step % 7 == 0:
            pace = pacing.slowed(pace, now, pace.event, retry_after)
            assert pacing.is_sane(pace, now)


@pytest.mark.parametrize(
    "values",
    [
        {"next_at": NOW + 3600},
        {"next_at": math.nan},
        {"blocked_until": NOW + 7200},
        {"grown_at": NOW + 3600},
        {"rate": 0.0},
        {"rate": math.inf},
        {"known": -1.0},
        {"since": math.inf},
        {"sent": -5},
    ],
)
def test_a_row_that_would_stop_all_calls_makes_no_sense(values):
    assert not pacing.is_sane(Pace(**values), NOW)

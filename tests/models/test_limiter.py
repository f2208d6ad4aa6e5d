"""One limiter for all processes: real connections and processes, and the real clock."""

import itertools
import multiprocessing
import statistics
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import astuple
from unittest.mock import patch

import odoo.tools
import psycopg2
import pytest
from odoo import SUPERUSER_ID, api
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.sync import pacing
from odoo.addons.usercom_connector.sync.pacing import BULK, CONSENT, EDIT
from odoo.addons.usercom_connector.tools.limiter import Limiter
from odoo.modules.registry import Registry
from odoo.sql_db import close_db, db_connect

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def database(databases):
    name = databases.copy()
    # Loading a registry runs tests where they are switched on, as they are within a test.
    switch, odoo.tools.config["test_enable"] = odoo.tools.config["test_enable"], False
    Registry(name)
    odoo.tools.config["test_enable"] = switch
    try:
        yield name
    finally:
        Registry.delete(name)
        close_db(name)
        databases.drop(name)


@pytest.fixture
def account():
    """The number of an account that has no row yet."""
    return next(numbers)


@contextmanager
def limiter(database, account, **options):
    opened = Limiter(database, account, **options)
    try:
        yield opened
    finally:
        opened.close()


def soon(seconds=5.0):
    return time.monotonic() + seconds


def execute(database, query, *params):
    with closing(db_connect(database).cursor()) as cr:
        cr.execute(query, params)
        rows = cr.fetchall() if cr.description else []
        cr.commit()
    return rows


def row(database, account):
    columns = "rate, known, next_at, blocked_until, grown_at, event, since, sent"
    query = f"SELECT {columns} FROM usercom_limiter WHERE account_res_id = %s"
    [values] = execute(database, query, account)
    return pacing.Pace(*values)


def call_for(limiter, seconds, threads=4, priority=EDIT):
    """Take permits, several threads, for so long; gives the times."""
    deadline, taken = time.monotonic() + seconds, []

    def work():
        try:
            while time.monotonic() < deadline:
                limiter.acquire(priority, deadline)
                taken.append(time.monotonic())
        except client.NotSent:
            pass

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return taken


# The rate


def test_calls_come_at_the_rate(database, account):
    with limiter(database, account, start=40, ceiling=40) as one:
        taken = call_for(one, 2)
    assert len(taken) <= 40 * 2.2 + 2
    apart = [later - earlier for earlier, later in itertools.pairwise(sorted(taken))]
    assert statistics.median(apart) == pytest.approx(1 / 40, rel=0.5)


def test_the_rate_grows_while_it_is_what_holds_calls_back(database, account):
    with limiter(database, account, start=10) as one:
        call_for(one, 2)
    grown = row(database, account).rate
    assert grown > 10
    with limiter(database, account, start=10) as one:  # the next round goes on from there
        one.acquire(EDIT, soon())
    assert row(database, account).rate >= grown


def test_a_lower_ceiling_holds_from_the_next_round_on(database, account):
    with limiter(database, account, start=500) as one:
        one.acquire(EDIT, soon())
    with limiter(database, account, start=500, ceiling=20) as one:
        assert len(call_for(one, 1)) <= 20 * 1.2 + 2
    assert row(database, account).rate <= 20


def process(database, account, seconds, ready, results):
    """What a second process does: its own connections, its own limiter."""
    from odoo import sql_db

    sql_db._Pool = sql_db._Pool_readonly = None  # nothing of the parent's
    with limiter(database, account, start=40, ceiling=40) as one:
        ready.wait()
        results.put(len(call_for(one, seconds)))
    close_db(database)


def test_two_processes_share_one_rate(database, account):
    with limiter(database, account, start=40, ceiling=40) as one:
        one.acquire(EDIT, soon())
    fork = multiprocessing.get_context("fork")
    ready, results = fork.Barrier(2), fork.Queue()
    others = [
        fork.Process(target=process, args=(database, account, 3, ready, results)) for _ in range(2)
    ]
    for other in others:
        other.start()
    counts = [results.get(timeout=30) for _ in others]
    for other in others:
        other.join()
    assert sum(counts) <= 40 * 3.3 + 4
    assert min(counts) > 0


def test_no_slot_is_given_twice_however_many_take_at_once(database, account):
    given = []

    def work():
        with limiter(database, account, start=1000) as one:
            for _ in range(150):
                one._slots.clear()
                one._take(CONSENT)
                given.append(len(one._slots))
            one._slots.clear()
            assert not one._alone_until

    with limiter(database, account, start=1000) as one:
        one.acquire(EDIT, soon())
    before = row(database, account).sent
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(given) == 4 * 150
    assert row(database, account).sent - before == sum(given) > 200


def test_a_take_in_sql_is_the_rule(database, account):
    """The statement does what ``sync.pacing.take`` does."""
    with limiter(database, account) as one:
        one._look()
        for rate, known, next_at, blocked_until, priority, ceiling in itertools.product(
            (0.5, 20.0, 400.0),
            (0.0, 21.0),
            (-5.0, -0.5, -0.05, 0.03, 0.075, 0.125, 0.5),
            (-5.0, 0.075, 0.5),
            (CONSENT, EDIT, BULK),
            (0.0, 15.0),
        ):
            now, one._ceiling = one._now(), ceiling
            one._pace = before = pacing.Pace(
                rate, known, now + next_at, now + blocked_until, now - 0.2, 0, now - 9, 50
            )
            assert one._ask(one._write(0))
            rows = one._ask(one._update(30, priority))
            if not rows:
                assert pacing.take(before, now, 30, priority, ceiling) == (before, [])
                continue
            [(count, *values, now)] = rows
            after, slots = pacing.take(before, now, 30, priority, ceiling)
            assert count == len(slots)
            assert values == pytest.approx(astuple(after), rel=0.01, abs=0.01)
            assert values[2] == pytest.approx(after.next_at, abs=0.02)  # a large number
            assert values[4] == pytest.approx(after.grown_at, abs=0.001)


# 429


def test_after_a_429_nobody_calls_until_it_may_in_any_process(database, account):
    with limiter(database, account, start=50) as one, limiter(database, account, start=50) as two:
        permit = one.acquire(EDIT, soon())
        call_for(two, 0.1)
        one.throttled(permit, 1.0)
        until = time.monotonic() + 1.0
        with pytest.raises(client.Throttled) as caught:
            one.acquire(EDIT, soon(0.5))
        assert not isinstance(caught.value, client.NotSent)
        assert 0.8 < caught.value.retry_after <= 1.01
        time.sleep(pacing.BLOCK_SECONDS)  # so long others may believe what they saw
        two.acquire(CONSENT, soon())
        assert time.monotonic() >= until - 0.01
    assert row(database, account).event == 1


def test_429s_of_two_processes_at_once_count_as_one(database, account):
    with limiter(database, account, start=50) as one, limiter(database, account, start=50) as two:
        permits = one.acquire(EDIT, soon()), two.acquire(EDIT, soon())
        one.throttled(permits[0], 1.0)
        first = row(database, account)
        two.throttled(permits[1], 30.0)
        one.throttled(permits[0], 5.0)
    after = row(database, account)
    assert (after.event, after.rate, after.known) == (1, first.rate, first.known)
    assert 25 < after.blocked_until - first.blocked_until < 31


def test_a_permit_of_before_the_429_is_void(database, account):
    with limiter(database, account, start=50) as one, limiter(database, account, start=50) as two:
        permit = two.acquire(EDIT, soon())
        one._take(EDIT)
        assert one._slots
        two.throttled(permit, 0.5)
        until = time.monotonic() + 0.5
        time.sleep(pacing.BLOCK_SECONDS)
        one.acquire(EDIT, soon())
        assert time.monotonic() >= until - 0.01


def test_a_turn_that_does_not_come_in_time_is_no_failure(database, account):
    with limiter(database, account, start=0.5, ceiling=0.5) as one:
        one.acquire(EDIT, soon())
        with pytest.raises(client.NotSent) as caught:
            one.acquire(EDIT, soon(0.2))
        assert 0 < caught.value.retry_after <= 2.1


def test_what_took_until_after_the_deadline_to_read_is_written_all_the_same(database, account):
    with limiter(database, account, start=100) as one:
        one.acquire(EDIT, soon())
        time.sleep(0.05)
        one.acquire(EDIT, soon(-1))  # there is one to be had
        one.throttled(one.acquire(EDIT, soon(-1)), 0.1)
        with pytest.raises(client.Throttled) as caught:
            one.acquire(EDIT, soon(-1))
        assert not isinstance(caught.value, client.NotSent)
        time.sleep(0.15)
        one.acquire(EDIT, soon(-1))


# Priorities


def test_who_is_more_urgent_goes_first_within_a_process(database, account):
    order = []

    def work(one, priority):
        one.acquire(priority, soon())
        order.append(priority)

    with limiter(database, account, start=4, ceiling=4) as one:
        one.acquire(EDIT, soon())
        workers = []
        for priority in (BULK, BULK, EDIT, CONSENT):
            workers.append(threading.Thread(target=work, args=(one, priority)))
            workers[-1].start()
            while len(one._waiting) < len(workers):
                time.sleep(0.001)
        for worker in workers:
            worker.join()
    assert order == [CONSENT, EDIT, BULK, BULK]


def test_bulk_work_of_another_process_waits_while_consents_want_all(database, account):
    options = {"start": 40, "ceiling": 40}
    counts = {}

    def work(one, priority):
        counts[priority] = len(call_for(one, 2, 4, priority))

    with limiter(database, account, **options) as one, limiter(database, account, **options) as two:
        workers = [
            threading.Thread(target=work, args=args) for args in ((one, CONSENT), (two, BULK))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert counts[CONSENT] > 2 * counts[BULK]


# What can go wrong


def test_what_was_not_used_is_given_back(database, account):
    with limiter(database, account, start=50, ceiling=50) as one:
        one.acquire(EDIT, soon())
        one._used.extend([(time.monotonic(), EDIT)] * 9)
        time.sleep(0.05)
        one._take(EDIT)
        assert (given := len(one._slots)) >= 4
        before = row(database, account)
    after = row(database, account)
    assert before.next_at - after.next_at == pytest.approx(given / 50, abs=1e-3)
    assert before.sent - after.sent == given


@pytest.mark.expected_log("made no sense and begins anew")
def test_a_row_that_makes_no_sense_is_begun_anew(database, account):
    with limiter(database, account, start=50) as one:
        one.acquire(EDIT, soon())
        execute(
            database,
            "UPDATE usercom_limiter SET next_at = 'NaN', event = 7 WHERE account_res_id = %s",
            account,
        )
        time.sleep(pacing.BLOCK_SECONDS)
        one.acquire(EDIT, soon())
    assert row(database, account).rate >= 50
    assert row(database, account).event == 8


def test_a_row_that_is_gone_is_made_again(database, account):
    with limiter(database, account, start=50) as one:
        one.acquire(EDIT, soon())
        execute(database, "DELETE FROM usercom_limiter WHERE account_res_id = %s", account)
        one.throttled(one.acquire(EDIT, soon()), 0.1)
        one.acquire(EDIT, soon())
    assert row(database, account).rate > 0


def test_a_row_goes_with_its_account(database, account):
    with limiter(database, 10**6) as one:
        one.acquire(EDIT, soon())
    with closing(Registry(database).cursor()) as cr:
        api.Environment(cr, SUPERUSER_ID, {})["usercom.limiter"]._gc_without_account()
        cr.commit()
    assert not execute(database, "SELECT id FROM usercom_limiter")


@pytest.mark.expected_log("cannot be reached")
def test_without_the_database_calls_go_on_at_half_the_rate(database, account):
    with limiter(database, account, start=40, ceiling=40) as one:
        one.acquire(EDIT, soon())
        with patch.object(Limiter, "_connect", side_effect=psycopg2.OperationalError("gone")):
            one._cr.connection.close()
            taken = call_for(one, 1)
            assert 10 <= len(taken) <= 40 * 1.2 + 4
            assert one._pace.rate <= 40
            # Still obedient.
            one.throttled(one.acquire(EDIT, soon()), 30)
            with pytest.raises(client.Throttled):
                one.acquire(EDIT, soon())
        # And back: what was learnt alone holds.
        one._alone_until = 0.0
        with pytest.raises(client.Throttled):
            one.acquire(CONSENT, soon())


def test_the_connection_goes_back_as_it_came(database, account):
    def settings(cr):
        names = ("transaction_isolation", "synchronous_commit", "statement_timeout")
        cr.execute("SELECT name, setting FROM pg_settings WHERE name IN %s", [names])
        return dict(cr.fetchall()), cr.connection.autocommit

    with closing(db_connect(database).cursor()) as cr:
        before = settings(cr)
    with limiter(database, account) as one:
        one.acquire(EDIT, soon())
        borrowed = one._cr.connection
        assert settings(one._cr)[0]["statement_timeout"] == "2000"
    with closing(db_connect(database).cursor()) as cr:
        assert cr.connection is borrowed
        assert settings(cr) == before

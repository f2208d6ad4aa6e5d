"""What happens at the same time: saves, workers and their locks, on real connections."""

import logging
import threading
import time
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from unittest.mock import patch

import odoo.tools
import psycopg2
import psycopg2.errors
import pytest
from odoo import SUPERUSER_ID, api
from odoo.addons.usercom_connector.client import Contact
from odoo.addons.usercom_connector.models.usercom_binding import Read
from odoo.addons.usercom_connector.tools import wake
from odoo.addons.usercom_connector.tools.exchange import PushJob
from odoo.addons.usercom_connector.tools.quiet_sql import quiet_sql
from odoo.addons.usercom_connector.tools.worker_lock import worker_lock
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.sql_db import close_db

CRON = "usercom_connector.ir_cron_push"
NOW = datetime(2026, 3, 1, 12)


class Database:
    """A database with a running account, and as many connections to it as one likes."""

    def __init__(self, name):
        self.name = name
        # Loading a registry runs tests where they are switched on, as they are within a test.
        switch, odoo.tools.config["test_enable"] = odoo.tools.config["test_enable"], False
        self.registry = Registry(name)
        odoo.tools.config["test_enable"] = switch
        with self.transaction() as env:
            # Nothing is woken: the tests themselves are the workers.
            env["ir.cron"].search([]).active = False
            account = env["usercom.account"].create({"name": "Test", "subdomain": "acme"})
            account.rest_key_input = "k" * 64
            account.write(
                {
                    "state": "running",
                    "database_uuid": account._database_uuid(),
                    "create_in_odoo": True,
                    "create_in_usercom": True,
                }
            )
            self.account_id = account.id

    @classmethod
    @contextmanager
    def of(cls, databases):
        """A database of one's own, for a while."""
        name = databases.copy()
        try:
            yield cls(name)
        finally:
            Registry.delete(name)
            close_db(name)
            databases.drop(name)

    @contextmanager
    def open(self, timeout="1s"):
        """A transaction that the test ends itself; it gives up waiting for locks after a while."""
        with closing(self.registry.cursor()) as cr:
            cr.execute(f"SET lock_timeout = '{timeout}'")
            cr.commit()  # a setting of the connection, so it outlives the commits
            try:
                yield api.Environment(cr, SUPERUSER_ID, {})
            finally:
                cr.rollback()
                cr.execute("RESET lock_timeout")
                cr.commit()

    @contextmanager
    def transaction(self):
        """A transaction that commits."""
        with self.open() as env:
            yield env
            env.cr.commit()

    def account(self, env):
        return env["usercom.account"].browse(self.account_id)

    def make_linked(self, name="Jan", usercom_id="1"):
        """A contact that is tied, with one change row."""
        with self.transaction() as env:
            email = f"{name.lower()}@example.com"
            partner = env["res.partner"].create({"name": name, "email": email})
            env["usercom.binding"].create(
                {
                    "account_id": self.account_id,
                    "partner_id": partner.id,
                    "usercom_id": usercom_id,
                    "custom_id": f"id-{usercom_id}",
                    "origin": "odoo",
                    "state": "linked",
                }
            )
            return partner.id

    def rows(self, model="usercom.change"):
        with self.transaction() as env:
            return (
                env[model]
                .search([])
                .mapped(
                    lambda row: (
                        row.partner_res_id if model == "usercom.change" else (row.lookup, row.value)
                    )
                )
            )


@pytest.fixture(scope="module")
def database(databases):
    with Database.of(databases) as database:
        yield database


@pytest.fixture(autouse=True)
def fresh(database):
    """Each test begins without contacts of another one, and without rows."""
    with patch.object(wake, "soon"), patch.object(wake, "later"):
        yield
        with database.transaction() as env:
            env["usercom.ping"].search([]).unlink()
            bindings = env["usercom.binding"].search([])
            bindings.partner_id.unlink()
            bindings.unlink()
            env.flush_all()
            env.cr.flush()
            env["usercom.change"].search([]).unlink()


# A save does not wait for the worker, nor the worker for a save


def test_a_save_does_not_wait_for_the_workers_lock(database):
    partner_id = database.make_linked()
    with worker_lock(database.name, database.account_id, "push") as mine:
        assert mine
        with database.transaction() as env:
            env["res.partner"].browse(partner_id).city = "Gdynia"
    assert database.rows() == [partner_id] * 2


def test_a_save_does_not_wait_for_locked_bindings_and_rows_being_deleted(database):
    partner_id = database.make_linked()
    with database.open() as worker:
        binding = worker["usercom.binding"].search([("partner_id", "=", partner_id)])
        assert binding._locked()
        binding.write({"base_odoo": {"name": "Jan"}, "revision": 1})
        worker["usercom.change"].search([]).unlink()
        worker["usercom.stream"]._of(database.account(worker), "push")._succeeded()
        worker.flush_all()
        with database.transaction() as user:
            user["res.partner"].browse(partner_id).write({"city": "Gdynia", "active": False})
            user["res.partner"].create({"name": "Another"}).unlink()
        worker.cr.commit()
    # The worker deleted the row it had seen, the save's row is there.
    assert database.rows()[-1:] != []
    assert partner_id in database.rows()


def test_a_save_does_not_wait_while_the_worker_writes_another_contact(database):
    one, two = database.make_linked("Jan", "1"), database.make_linked("Ola", "2")
    with database.open() as worker:
        partner = worker["res.partner"].browse(one)
        assert partner.try_lock_for_update(allow_referencing=True)
        partner.city = "Gdynia"
        worker.flush_all()
        with database.transaction() as user:
            user["res.partner"].browse(two).city = "Sopot"


def test_a_new_contact_of_the_same_company_does_not_wait(database):
    # Refers to the contact that the worker has locked.
    partner_id = database.make_linked()
    with database.open() as worker:
        assert worker["res.partner"].browse(partner_id).try_lock_for_update(allow_referencing=True)
        with database.transaction() as user:
            child = user["res.partner"].create({"name": "Child", "parent_id": partner_id})
            child_id = child.id
    with database.transaction() as env:
        env["res.partner"].browse(child_id).unlink()


def test_the_worker_does_not_wait_for_a_save(database):
    partner_id = database.make_linked()
    with database.open() as user:
        user["res.partner"].browse(partner_id).city = "Gdynia"
        user.flush_all()  # holds the contact's row
        with database.open() as worker:
            account = database.account(worker)
            change = worker["usercom.change"]
            groups = change._claim(account)
            assert list(groups) == [(partner_id,)]
            jobs = change._in_transaction(partial(change._plan, account, groups))
            assert [job.partner_id for job in jobs] == [partner_id]
            binding = worker["usercom.binding"].browse(jobs[0].binding_id)
            assert binding._locked()
            contact = Contact.from_json(
                {"id": 1, "email": "jan@example.com", "city": "Hel", "attributes": []}
            )
            before = time.monotonic()
            reads = [Read(binding, contact, NOW)]
            groups[partner_id,]._guarded(partial(binding._absorb, account, reads))
            assert time.monotonic() - before < 0.5
            row = groups[partner_id,].exists()
            assert (row.problem_code, bool(row.due_at)) == ("busy", True)
            worker.cr.commit()
        user.cr.commit()
    assert set(database.rows()) == {partner_id}


def test_a_row_written_while_its_forerunner_is_worked_off_stays(database):
    partner_id = database.make_linked()
    with database.open() as worker:
        change = worker["usercom.change"]
        [rows] = change._claim(database.account(worker)).values()
        with database.transaction() as user:
            user["res.partner"].browse(partner_id).city = "Gdynia"
        rows.unlink()
        worker.cr.commit()
    assert database.rows() == [partner_id]


def test_an_edit_that_is_rolled_back_leaves_no_row(database):
    partner_id = database.make_linked()
    with database.transaction() as env:
        env["usercom.change"].search([]).unlink()
    with database.open() as user:
        user["res.partner"].browse(partner_id).city = "lost"
        user.cr.flush()
        user.cr.rollback()
        user["res.partner"].browse(partner_id).comment = "kept"
        user.cr.commit()
    assert database.rows() == []


def test_a_row_is_committed_with_its_edit(database):
    partner_id = database.make_linked()
    with database.transaction() as env:
        env["usercom.change"].search([]).unlink()
    with database.open() as user:
        user["res.partner"].browse(partner_id).city = "Gdynia"
        user.cr.flush()
        assert database.rows() == []
        user.cr.commit()
    assert database.rows() == [partner_id]


# One worker


def test_one_worker_for_an_account_and_a_direction(database):
    with (
        worker_lock(database.name, 1, "push") as first,
        worker_lock(database.name, 1, "push") as second,
        worker_lock(database.name, 1, "pull") as other_direction,
        worker_lock(database.name, 2, "push") as other_account,
    ):
        assert (first, second, other_direction, other_account) == (True, False, True, True)
    with worker_lock(database.name, 1, "push") as again:
        assert again


def test_the_lock_ends_with_its_work_however_that_ends(database):
    with pytest.raises(ZeroDivisionError), worker_lock(database.name, 1, "push"):
        raise ZeroDivisionError
    with worker_lock(database.name, 1, "push") as again:
        assert again


def test_a_second_worker_does_nothing(database):
    database.make_linked()
    with database.open() as worker, worker_lock(database.name, database.account_id, "push"):
        change = worker["usercom.change"]
        with patch.object(type(change), "_process") as process:
            assert change._drain_account(database.account_id, time.monotonic() + 5) == 0
        process.assert_not_called()
    assert database.rows()


# Two at once


def new_contact(number, email):
    return Contact.from_json(
        {"id": number, "email": email, "name": "Nina Nowa", "status": "user", "attributes": []}
    )


def at_once(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_one(database, contact):
    with database.transaction() as env:
        assert len(env["res.partner"].search([("email", "=", contact.email)])) == 1
        assert len(env["usercom.binding"].search([("usercom_id", "=", str(contact.id))])) == 1
        for model in ("usercom.ping", "usercom.change"):
            # Whoever came second looks again: nothing was parked, and nothing lost.
            assert all(row.due_at for row in env[model].search([]))


def bind(database, contact, partner_id, barrier):
    """The step of a push that ties what was looked up, in a transaction of its own."""
    threading.current_thread().testing = True
    with database.open(timeout="10s") as env:
        changes = env["usercom.change"]
        account = database.account(env)
        stream = env["usercom.stream"]._of(account, "push")
        row_ids = changes.search([("partner_res_id", "=", partner_id)]).ids
        job = PushJob(partner_id=partner_id, row_ids=tuple(row_ids), email=contact.email)
        env.cr.commit()
        env.invalidate_all()
        barrier.wait(timeout=10)
        answers = [(job, [contact])]
        changes._in_transaction(partial(changes._bind, account, stream, answers, NOW))


def take_in(database, contact, barrier, results, only=None):
    """The record step of a pull of one new contact, in a transaction of its own."""
    threading.current_thread().testing = True
    with database.open(timeout="10s") as env:
        pings = env["usercom.ping"]
        account = database.account(env)
        groups = pings._claim(account)
        groups = {key: rows for key, rows in groups.items() if only in (None, key[0])}
        answers = [(subject, [contact]) for subject in groups]
        stream = env["usercom.stream"]._of(account, "pull")
        barrier.wait(timeout=10)
        pings._in_transaction(partial(pings._record, account, stream, groups, answers, {}, NOW))
        results.append(True)


@pytest.mark.parametrize("attempt", range(3))
def test_two_pulls_of_one_new_contact_make_one_partner(database, attempt):
    email = f"nina{attempt}@example.com"
    contact = new_contact(70 + attempt, email)
    with database.transaction() as env:
        env["usercom.stream"]._of(database.account(env), "pull")
        env["usercom.ping"]._append([(database.account_id, "id", str(contact.id))])
    barrier, results = threading.Barrier(2), []
    threads = [
        threading.Thread(target=take_in, args=(database, contact, barrier, results))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]
    with database.transaction() as env:
        partner = env["res.partner"].search([("email", "=", email)])
        assert len(partner) == 1
        assert len(env["usercom.binding"].search([("usercom_id", "=", str(contact.id))])) == 1
        assert all(row.due_at for row in env["usercom.ping"].search([]))


@pytest.mark.parametrize("attempt", range(3))
def test_calls_by_number_and_by_address_make_one_partner(database, attempt):
    email = f"olga{attempt}@example.com"
    contact = new_contact(80 + attempt, email)
    with database.transaction() as env:
        env["usercom.stream"]._of(database.account(env), "pull")
        env["usercom.ping"]._append(
            [
                (database.account_id, "id", str(contact.id)),
                (database.account_id, "email", email),
            ]
        )
    barrier = threading.Barrier(2)
    at_once(
        partial(take_in, database, contact, barrier, [], only="id"),
        partial(take_in, database, contact, barrier, [], only="email"),
    )
    check_one(database, contact)


@pytest.mark.parametrize("attempt", range(3))
def test_unique_keys_alone_make_one_partner(database, attempt):
    """Nothing but the ties' keys stands between the two: they share no row that both write."""
    email = f"ula{attempt}@example.com"
    contact = new_contact(100 + attempt, email)
    with database.transaction() as env:
        streams = type(env["usercom.stream"]._of(database.account(env), "pull"))
        account_id = database.account_id
        env["usercom.ping"]._append([(account_id, "id", str(contact.id))])
        env["usercom.ping"]._append([(account_id, "email", email)])
    barrier = threading.Barrier(2)
    with patch.object(streams, "_succeeded"):
        at_once(
            partial(take_in, database, contact, barrier, [], only="id"),
            partial(take_in, database, contact, barrier, [], only="email"),
        )
    check_one(database, contact)


@pytest.mark.parametrize("attempt", range(3))
def test_push_and_pull_of_one_new_pair_make_one_tie(database, attempt):
    email = f"iga{attempt}@example.com"
    contact = new_contact(90 + attempt, email)
    with database.transaction() as env:
        partner_id = env["res.partner"].create({"name": "Iga", "email": email}).id
        for direction in ("push", "pull"):
            env["usercom.stream"]._of(database.account(env), direction)
        env["usercom.ping"]._append([(database.account_id, "id", str(contact.id))])
    barrier = threading.Barrier(2)
    at_once(
        partial(take_in, database, contact, barrier, []),
        partial(bind, database, contact, partner_id, barrier),
    )
    check_one(database, contact)
    with database.transaction() as env:
        [binding] = env["usercom.binding"].search([("usercom_id", "=", str(contact.id))])
        assert binding.partner_id.id == partner_id
        assert len(env["usercom.binding"].search([("partner_id", "=", partner_id)])) == 1


# Serialization failures


def test_a_serialization_failure_is_repeated_and_the_work_done(database):
    partner_id = database.make_linked()
    with database.open() as worker:
        change = worker["usercom.change"]
        binding = worker["usercom.binding"].search([("partner_id", "=", partner_id)])
        tries = []

        def work():
            tries.append(binding.revision)  # the snapshot is taken
            if len(tries) == 1:
                with database.transaction() as other:
                    other["usercom.binding"].browse(binding.id).revision = 10
            binding.write({"revision": binding.revision + 1, "base_odoo": {"name": "secret"}})
            worker.flush_all()
            return "done"

        assert change._in_transaction(work) == "done"
        assert tries == [0, 10]
    with database.transaction() as env:
        assert env["usercom.binding"].browse(binding.id).revision == 11


def test_a_serialization_failure_in_one_record_repeats_the_batch(database):
    partner_id = database.make_linked()
    with database.open() as worker:
        change = worker["usercom.change"]
        [rows] = change._claim(database.account(worker)).values()
        binding = worker["usercom.binding"].search([("partner_id", "=", partner_id)])
        tries = []

        def one():
            tries.append(binding.revision)
            if len(tries) == 1:
                with database.transaction() as other:
                    other["usercom.binding"].browse(binding.id).revision = 10
            binding.revision += 1
            rows.unlink()
            return "done"

        assert change._in_transaction(lambda: rows._guarded(one)) == "done"
    assert len(tries) == 2
    assert database.rows() == []


def said_no_at_once(database, model, xmlid, address, repeat):
    """Two people with one address, of which nobody has said anything, withdraw at one time.

    :param repeat: calls the second one's work, in a transaction that does not see the first.
    :return: what was logged of queries, and how often the second one tried.
    """
    with database.transaction() as env:
        vals = {"email": address} if model == "mail.blacklist" else {"phone": address}
        people = env["res.partner"].create([{"name": name, **vals} for name in ("Ewa", "Iga")])

    def withdraw(env, partner_id):
        purpose = env.ref(f"usercom_connector.{xmlid}")
        partner = env["res.partner"].browse(partner_id)
        env["usercom.consent.event"]._record(partner, purpose, "withdrawn", "phone")
        env.flush_all()

    tries = []
    with database.open() as user, sql_log() as lines:

        def work():
            user["res.partner"].browse(people.ids).mapped("name")  # the snapshot is taken
            tries.append(1)
            if len(tries) == 1:
                with database.transaction() as other:
                    withdraw(other, people.ids[0])
            withdraw(user, people.ids[1])

        with patch("time.sleep"):
            repeat(user, work)
    with database.transaction() as env:
        events = env["usercom.consent.event"].search([("partner_id", "in", people.ids)])
        assert events.partner_id.ids == people.ids[::-1]
        entry = env[model].search([(env[model]._rec_name, "=", address)])
        assert entry.usercom_event_id == events[-1]
        assert address in "".join(entry.message_ids.mapped("body"))
        entry.unlink()
        env["res.partner"].browse(people.ids).unlink()
    return lines, len(tries)


@pytest.mark.parametrize(
    ("model", "xmlid", "address"),
    [
        ("mail.blacklist", "purpose_email", "ewa{}@example.com"),
        ("phone.blacklist", "purpose_sms", "+486001002{:02}"),
    ],
    ids=["mail", "phone"],
)
@pytest.mark.parametrize("repeated_by", ["Odoo", "our worker"])
def test_two_first_withdrawals_at_one_address(database, model, xmlid, address, repeated_by):
    def repeat(env, work):
        if repeated_by == "Odoo":
            retrying(work, env)
        else:
            env["usercom.change"]._in_transaction(work)

    address = address.format(len(repeated_by))  # what was said at one stays when its people go
    lines, tries = said_no_at_once(database, model, xmlid, address, repeat)
    assert tries == 2
    assert not [line for line in lines if address in line[1]]
    assert (logging.INFO, "query failed (23505), its values are withheld") in lines


def test_a_failure_that_goes_on_is_raised(database):
    with database.open() as worker:
        change = worker["usercom.change"]
        tries = []

        def work():
            tries.append(1)
            raise psycopg2.errors.SerializationFailure

        with patch("time.sleep"), pytest.raises(psycopg2.errors.SerializationFailure):
            change._in_transaction(work)
    assert len(tries) == 5


@contextmanager
def sql_log():
    """The lines of `odoo.sql_db` within the block."""
    lines = []

    class Collector(logging.Handler):
        def emit(self, record):
            lines.append((record.levelno, record.getMessage()))

    handler = Collector()
    logger = logging.getLogger("odoo.sql_db")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_the_log_of_a_failed_query_has_no_data_of_a_person(database):
    partner_id = database.make_linked()
    with database.open() as worker, sql_log() as lines:
        change = worker["usercom.change"]
        partner = worker["res.partner"].browse(partner_id)
        tries = []

        def work():
            partner.read(["name"])
            if not tries:
                with database.transaction() as other:
                    other["res.partner"].browse(partner_id).city = "Sopot"
            tries.append(1)
            partner.write({"email": "very.private@example.com"})
            worker.flush_all()

        change._in_transaction(work)
    assert len(tries) == 2
    said = [line for line in lines if "quer" in line[1]]
    assert said == [(logging.INFO, "query failed (40001), its values are withheld")]


@pytest.mark.expected_log("bad query: b'SELECT 1/0'")
def test_other_peoples_failed_queries_are_logged_as_ever(database):
    with database.open() as env, quiet_sql():
        pass
    with database.open() as env, pytest.raises(psycopg2.errors.DivisionByZero):
        env.cr.execute("SELECT 1/0")


def test_the_quiet_is_this_threads_alone(database):
    failures = []

    def elsewhere():
        with database.open() as env:
            try:
                env.cr.execute("SELECT 'elsewhere'::int")
            except psycopg2.Error as error:
                failures.append(error)

    with sql_log() as lines, quiet_sql(), patch("logging.Logger.callHandlers", autospec=True) as to:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert failures
    assert lines == []
    records = [call.args[1] for call in to.call_args_list if call.args[0].name == "odoo.sql_db"]
    assert [record.levelno for record in records] == [logging.ERROR]


# The cache of the accounts


def test_an_account_that_starts_is_seen_by_transactions_that_follow(database):
    with database.transaction() as env:
        partner_id = env["res.partner"].create({"name": "Late", "email": "late@example.com"}).id
        env.cr.flush()
        env["usercom.change"].search([]).unlink()
        database.account(env).state = "draft"
    with database.open() as admin:
        database.account(admin).state = "running"
        admin.flush_all()
        with database.transaction() as user:  # fills the cache with what it sees
            user["res.partner"].browse(partner_id).city = "before"
        admin.cr.commit()
    with database.transaction() as user:
        user["res.partner"].browse(partner_id).city = "after"
    rows = database.rows()
    with database.transaction() as env:
        env["res.partner"].browse(partner_id).unlink()
    assert rows == [partner_id]


# Waking


@pytest.fixture
def clock():
    """The module's clock and timers under the test's hand; gives a function that lets time pass."""
    now = [1000.0]
    timers = []

    class Timer:
        def __init__(self, seconds, function, args):
            self.due, self.function, self.args = now[0] + seconds, function, args

        def start(self):
            timers.append(self)

    def let_pass(seconds):
        end = now[0] + seconds
        while due := sorted((t for t in timers if t.due <= end), key=lambda t: t.due):
            timers.remove(due[0])
            now[0] = due[0].due
            due[0].function(*due[0].args)
        now[0] = end

    with (
        patch.object(wake.time, "monotonic", lambda: now[0]),
        patch.object(wake.threading, "Timer", Timer),
        patch.dict(wake._last_wake, clear=True),
        patch.dict(wake._planned, clear=True),
    ):
        yield let_pass


@pytest.fixture
def woken():
    """The wake-ups that the module gave."""
    given = []
    with patch.object(wake, "_trigger", lambda dbname, xmlid: given.append((dbname, xmlid))):
        yield given


real_soon, real_later = wake.soon, wake.later


@pytest.fixture
def awake():
    with patch.object(wake, "soon", real_soon), patch.object(wake, "later", real_later):
        yield


@pytest.mark.usefixtures("awake")
def test_many_within_a_second_wake_twice(clock, woken):
    for _ in range(50):
        wake.soon("db", CRON)
        clock(0.01)
    assert len(woken) == 1
    clock(5)
    assert len(woken) == 2
    clock(5)
    wake.soon("db", CRON)
    assert len(woken) == 3


@pytest.mark.usefixtures("awake")
def test_a_steady_stream_wakes_once_a_second(clock, woken):
    for _ in range(1000):
        wake.soon("db", CRON)
        clock(0.01)
    assert 9 <= len(woken) <= 12


@pytest.mark.usefixtures("awake")
def test_nothing_is_forgotten(clock, woken):
    wake.soon("db", CRON)
    clock(0.5)
    wake.soon("db", CRON)
    clock(0.6)
    assert len(woken) == 2  # the second one's


@pytest.mark.usefixtures("awake")
def test_each_action_and_database_has_its_own(clock, woken):
    for key in (("a", CRON), ("b", CRON), ("a", "other")):
        wake.soon(*key)
    assert woken == [("a", CRON), ("b", CRON), ("a", "other")]


@pytest.mark.usefixtures("awake")
def test_the_earlier_of_two_plans_counts(clock, woken):
    wake.later("db", CRON, 30)
    wake.later("db", CRON, 10)
    wake.later("db", CRON, 20)
    clock(11)
    assert len(woken) == 1
    clock(60)
    assert len(woken) == 1


@pytest.mark.usefixtures("awake")
def test_commits_wake_and_rollbacks_do_not(database, clock, woken):
    partner_id = database.make_linked()
    clock(5)
    woken.clear()
    for number in range(20):
        with database.open() as user:
            partner = user["res.partner"].browse(partner_id)
            partner.city = f"lost {number}"
            user.cr.flush()
            user.cr.rollback()
    assert woken == []
    for number in range(20):
        with database.transaction() as user:
            user["res.partner"].browse(partner_id).city = f"kept {number}"
            user.cr.flush()
            user["res.partner"].browse(partner_id).city = f"kept {number}!"
            assert len(woken) <= 1  # not before the commit
    clock(5)
    assert woken == [(database.name, CRON)] * 2


@pytest.mark.usefixtures("awake")
def test_a_trigger_is_what_the_scheduled_action_gets(database):
    with database.transaction() as env:
        env.ref(CRON).active = True
    with patch.dict(wake._last_wake, clear=True):
        wake.soon(database.name, CRON)
    with database.transaction() as env:
        trigger = env["ir.cron.trigger"].search([("cron_id", "=", env.ref(CRON).id)])
        assert len(trigger) == 1
        assert trigger.call_at <= env.cr.now() + timedelta(seconds=1)
        trigger.unlink()
        env.ref(CRON).active = False


@pytest.mark.usefixtures("awake")
def test_a_database_that_is_gone_harms_nobody():
    with patch.dict(wake._last_wake, clear=True):
        wake.soon("usercom_no_such_database", CRON)

import logging
import random
import time
import traceback
from collections import deque
from datetime import timedelta
from functools import partial

import psycopg2
import psycopg2.extensions
from odoo import api, fields, models
from odoo.tools import SQL

from .. import client
from ..sync import waiting
from ..tools import wake
from ..tools.quiet_sql import quiet_sql
from ..tools.worker_lock import worker_lock
from .usercom_binding import BusyError

_logger = logging.getLogger(__name__)

#: A round takes no new batch after this time; Odoo's watchdog counts the whole of it.
ROUND_SECONDS = 5.0
#: A batch is as large as what can be called in a round, as far as that is known by then.
BATCH_SIZE, LARGEST_BATCH = 50, 800
#: So many contacts are written in one transaction. It holds their rows, and a save of one of them
#: waits for its end: long enough to be cheap, short enough not to be felt.
RECORDED_TOGETHER = 50
#: What is due later than this is found by a regular run of the scheduled action.
LONGEST_TIMER_SECONDS = 300
SERIALIZATION_TRIES = 5
#: So often a row that met an existing binding is tried again, before it counts as a defect.
RACE_TRIES = 5


class UsercomQueue(models.AbstractModel):
    """Rows that say "look at this contact", appended by anybody and worked off by one action.

    Rows are inserted by plain SQL and have no foreign keys, so that no save waits for the action
    that works them off. Many rows of one subject are one piece of work. A row is deleted in the
    transaction that records its outcome.

    A row whose ``due_at`` is empty is parked: a person, or a new row of the same subject, starts
    it again.
    """

    _name = "usercom.queue"
    _description = "User.com Queue"
    _order = "id"

    #: ``push`` or ``pull``, the action that works the rows off, and the columns of the subject.
    _direction: str
    _cron_xmlid: str
    _subject: tuple[str, ...]
    #: The problems that a person can settle by saying who is who.
    _questions: tuple[str, ...]

    account_res_id = fields.Integer("Account Number", required=True, readonly=True)
    account_id = fields.Many2one(
        "usercom.account", compute="_compute_account_id", search="_search_account_id"
    )
    due_at = fields.Datetime("Next Try", readonly=True)
    attempts = fields.Integer(readonly=True)
    priority = fields.Integer(readonly=True, help="0: a withdrawn consent. 1: an edit. 2: bulk.")
    problem_code = fields.Char(readonly=True)
    problem_args = fields.Json(readonly=True)
    problem = fields.Text(compute="_compute_problem")
    has_contacts = fields.Boolean(compute="_compute_has_contacts")
    can_settle = fields.Boolean(compute="_compute_can_settle")
    trace = fields.Text("Technical Details", readonly=True)
    status = fields.Selection(
        [("waiting", "Waiting"), ("parked", "Needs a person")], compute="_compute_status"
    )

    @api.depends("account_res_id")
    def _compute_account_id(self):
        for row in self:
            row.account_id = self.env["usercom.account"].browse(row.account_res_id).exists()

    def _search_account_id(self, operator, value):
        every = self.env["usercom.account"].with_context(active_test=False)
        accounts = every.search([("id", operator, value)])
        return [("account_res_id", "in", accounts.ids)]

    @api.depends("due_at")
    def _compute_status(self):
        for row in self:
            row.status = "waiting" if row.due_at else "parked"

    @api.depends("problem_code", "problem_args")
    @api.depends_context("lang", "uid", "allowed_company_ids")
    def _compute_problem(self):
        sentence = self.env["usercom.sentence"]
        for row in self:
            row.problem = sentence._of(row.problem_code, row.problem_args)

    @api.depends("problem_code", "due_at")
    def _compute_can_settle(self):
        for row in self:
            row.can_settle = not row.due_at and row.problem_code in self._questions

    @api.depends_context("uid", "allowed_company_ids")
    def _compute_has_contacts(self):
        for row in self:
            row.has_contacts = bool(row._contacts())

    def _contacts(self):
        """The contacts in Odoo that these rows are about, or that their problems name.

        Those that the reader may see.
        """
        ids = []
        for row in self:
            args = row.problem_args or {}
            ids += [*args.get("partner_ids", ()), args.get("partner_id")]
        partners = self.env["res.partner"].browse(dict.fromkeys(filter(None, ids)))
        return partners.exists()._filtered_access("read")

    # === ACTION METHODS === #

    def action_open_contacts(self):
        """The contacts in Odoo that these rows are about, or that their problems name."""
        contacts = self.exists()._contacts()
        action = {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "name": self.env._("Contacts"),
            # What a problem names may be archived.
            "context": {"active_test": False},
        }
        if len(contacts) == 1:
            return action | {"view_mode": "form", "res_id": contacts.id}
        return action | {"view_mode": "list,form", "domain": [("id", "in", contacts.ids)]}

    def action_settle(self):
        """Show who may be whom, and ask."""
        return self.env["usercom.settle"]._open(self)

    def action_retry(self):
        """Work these rows off again now."""
        # sudo: rows are not edited by hand; this and ignoring are all that an administrator does.
        rows = self._still_there()
        rows.sudo()._retry()
        rows._wake()

    def action_ignore(self):
        """Give these rows up."""
        self._still_there().sudo().unlink()  # sudo: as above

    def _still_there(self):
        """Those of these rows that nobody has worked off since the reader saw them."""
        rows = self.exists()
        rows.check_access("read")
        return rows

    # === APPENDING === #

    @api.model
    def _wake(self):
        wake.after_commit(self.env.cr, self._cron_xmlid)

    # === WORKING OFF === #

    @api.model
    def _cron_drain(self):
        """Work off what is due, one account after the other, for about five seconds.

        Then the rows that were not reached are left to the next run, which is asked for at once:
        without that Odoo would wait for its next poll.
        """
        cron = self.env["ir.cron"]
        accounts = self.env["usercom.account"]._running()
        cron._commit_progress(remaining=self._count_due(accounts))
        deadline = time.monotonic() + ROUND_SECONDS
        # In another order each time: whoever is the last may find the time used up.
        turns = deque(random.sample(accounts.ids, len(accounts)))
        while turns and time.monotonic() < deadline:
            account_id = turns.popleft()
            if done := self._take_turn(account_id, deadline):
                turns.append(account_id)
                if not cron._commit_progress(done, remaining=self._count_due(accounts)):
                    break
        # What rests, or is in another worker's hands, is not left over from this run: Odoo would
        # warn that it was not touched. The next round is planned for it.
        cron._commit_progress(remaining=self._count_due(accounts.browse(turns)))
        self._plan_next_round()

    @api.model
    def _take_turn(self, account_id, deadline):
        """One batch of one account; a defect rests this account, and the others go on.

        :return: as :meth:`_drain_account`.
        """
        try:
            return self._drain_account(account_id, deadline)
        except Exception as error:
            self.env.cr.rollback()
            account = self.env["usercom.account"].browse(account_id)
            self._log_unexpected(error, account)
            self.env["usercom.stream"]._of(account, self._direction)._failed("unexpected")
            self.env.cr.commit()  # pylint: disable=invalid-commit
            return 0

    @api.model
    def _drain_account(self, account_id, deadline):
        """One batch of one account.

        :return: how many rows are out of the way, 0 when there was nothing to do.
        """
        account = self.env["usercom.account"].browse(account_id)
        with worker_lock(self.env.cr.dbname, account_id, self._direction) as mine:
            # The lock was taken after this transaction began to look: look again.
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.env.invalidate_all()
            if not mine or not account._may_run():
                return 0
            stream = self.env["usercom.stream"]._of(account, self._direction)
            if stream._is_resting():
                return 0
            groups = self._claim(account, stream.batch_size)
            lists = self._lists_due(account)
            works = groups or self._has_chore(stream)
            if not works and not lists:
                return 0
            try:
                usercom = account._client()
            except ValueError:
                # The other direction may be doing the same.
                self._in_transaction(lambda: account._pause(account._address_trouble()))
                return 0
            with usercom:
                done = self._process(account, stream, usercom, groups, deadline) if works else 0
                # In turns, so that neither holds up the other.
                return done + self._read_pages(account, lists, usercom, deadline)

    @api.model
    def _lists_due(self, account):
        """The streams of the account with a page that this action has to read besides."""
        return self.env["usercom.stream"]

    @api.model
    def _read_pages(self, account, lists, usercom, deadline):
        return 0

    @api.model
    def _has_chore(self, stream):
        """Whether there is something to do besides the rows."""
        return False

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        """Do the work of one batch. Commits on the way; no transaction is open during calls.

        :param groups: subject (tuple) to the rows that ask for it.
        :return: how many subjects were dealt with.
        """
        raise NotImplementedError

    @api.model
    def _append_all(self, subjects, priority):
        """Insert a row, due now, for each subject of a query: one statement, however many.

        :param subjects: SQL that selects the account's number and the columns of ``_subject``.
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO %s (account_res_id, %s, due_at, attempts, priority)
                SELECT subject.*, %s, 0, %s FROM (%s) AS subject
                """,
                SQL.identifier(self._table),
                SQL(", ").join(map(SQL.identifier, self._subject)),
                fields.Datetime.now(),
                priority,
                subjects,
            )
        )

    @api.model
    def _claim(self, account, limit=BATCH_SIZE):
        """The next subjects that are due, each with all its rows, those parked included.

        :return: dict of subject (tuple) to rows, by priority and then the oldest first.
        """
        table, subject = SQL.identifier(self._table), self._subject
        columns = SQL(", ").join(map(SQL.identifier, subject))
        due = self.env.execute_query(
            SQL(
                """
                SELECT %(columns)s FROM %(table)s
                 WHERE account_res_id = %(account)s AND due_at <= %(now)s
              ORDER BY priority, due_at, id LIMIT %(limit)s
                """,
                columns=columns,
                table=table,
                account=account.id,
                now=fields.Datetime.now(),
                limit=4 * limit,  # many rows may be of one subject
            )
        )
        ids = {key: [] for key in list(dict.fromkeys(due))[:limit]}
        if not ids:
            return {}
        last = SQL.identifier(subject[-1])
        found = self.env.execute_query(
            SQL(
                """
                SELECT id, %(columns)s FROM %(table)s
                 WHERE account_res_id = %(account)s AND (%(last)s IN %(values)s OR %(last)s IS NULL)
              ORDER BY id
                """,
                columns=columns,
                table=table,
                account=account.id,
                last=last,
                values=tuple({key[-1] for key in ids}),
            )
        )
        for row_id, *key in found:
            if tuple(key) in ids:
                ids[tuple(key)].append(row_id)
        prefetch = [row_id for row_ids in ids.values() for row_id in row_ids]
        return {key: self.browse(row_ids).with_prefetch(prefetch) for key, row_ids in ids.items()}

    def _plan_next_round(self):
        """Wake this action when the next row is due and nothing rests."""
        accounts = self.env["usercom.account"]._running()
        seconds = self._seconds_to_next(accounts) if accounts else None
        if seconds is not None and seconds < LONGEST_TIMER_SECONDS:
            # A moment at the least, so that a row locked by a user's save does not spin us.
            dbname, delay = self.env.cr.dbname, max(float(seconds), 0.2)
            self.env.cr.postcommit.add(lambda: wake.later(dbname, self._cron_xmlid, delay))

    def _seconds_to_next(self, accounts):
        """In how many seconds the next row of these accounts is due, if any is."""
        now = fields.Datetime.now()
        [(seconds,)] = self.env.execute_query(
            SQL(
                """
                SELECT EXTRACT(EPOCH FROM min(GREATEST(
                           row.due_at, stream.rest_until, %(now)s)) - %(now)s)
                  FROM %(table)s AS row
             LEFT JOIN usercom_stream AS stream
                    ON stream.account_id = row.account_res_id
                   AND stream.direction = %(direction)s
                 WHERE row.due_at IS NOT NULL AND row.account_res_id IN %(accounts)s
                """,
                now=now,
                table=SQL.identifier(self._table),
                direction=self._direction,
                accounts=tuple(accounts.ids),
            )
        )
        return seconds

    @api.model
    def _count_by_account(self, account_ids):
        """How many rows wait and how many are parked.

        :return: dict of (account id, whether they wait) to count.
        """
        counts = {}
        for waits, operator in ((True, "!="), (False, "=")):
            for account_id, count in self._read_group(
                [("account_res_id", "in", account_ids), ("due_at", operator, False)],
                ["account_res_id"],
                ["__count"],
            ):
                counts[account_id, waits] = count
        return counts

    @api.model
    def _count_due(self, accounts):
        return self.search_count(
            [("account_res_id", "in", accounts.ids), ("due_at", "<=", fields.Datetime.now())]
        )

    # === OUTCOMES === #

    @api.model
    def _in_transaction(self, work):
        """Call ``work`` and commit; on a serialization failure again from the start.

        In a savepoint it would fail again, because the snapshot would stay.
        """
        for attempt in range(SERIALIZATION_TRIES):
            try:
                with quiet_sql():
                    result = work()
                    # No transaction stays open during calls: each step of the work is one.
                    self.env.cr.commit()  # pylint: disable=invalid-commit
                return result
            except psycopg2.extensions.TransactionRollbackError:
                self.env.cr.rollback()
                self.env.invalidate_all()
                if attempt == SERIALIZATION_TRIES - 1:
                    raise
                time.sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def _guarded(self, work):
        """Call ``work`` in a savepoint; an unforeseen error parks these rows alone.

        Serialization failures pass: they concern the whole transaction.

        :return: what ``work`` gives, ``None`` when it did not succeed.
        """
        try:
            with self.env.cr.savepoint():
                return work()
        except psycopg2.extensions.TransactionRollbackError:
            raise
        except BusyError:
            self._wait(1, "busy")  # a user's save has the contact
        except Exception as error:
            attempts = max(self.mapped("attempts"), default=0) + 1
            if isinstance(error, psycopg2.errors.UniqueViolation) and attempts < RACE_TRIES:
                # The other direction has just tied the contact: the next look sees it.
                self._wait(1, "busy", attempts=attempts)
            else:
                self._park_unexpected(error)
        return None

    @api.model
    def _in_bulk(self, pieces, work):
        """Do the work of all pieces together; where that fails, of each on its own.

        So what is asked of the database does not grow with the number of pieces, and one that
        fails stops no other.

        :param pieces: list of tuples whose first part are the rows of the piece.
        :param work: takes a list of pieces, gives a list.
        :return: what ``work`` gives, for all that succeeded.
        """
        if len(pieces) > 1:
            try:
                with self.env.cr.savepoint():
                    return work(pieces)
            except psycopg2.extensions.TransactionRollbackError:
                raise
            except Exception as error:
                _logger.debug("A batch is worked off one by one after a %s.", type(error).__name__)
        results = []
        for piece in pieces:
            results += piece[0]._guarded(partial(work, [piece])) or []
        return results

    def _settle_failure(self, account, stream, answer):
        """Deal with a call that did not succeed, or was not made.

        :return: whether it was one of these.
        """
        if answer is None:
            return True  # not begun: the rows are still due
        if isinstance(answer, client.AccountRefused):
            account._pause(str(answer.kind))
        elif isinstance(answer, client.AgainLater):
            self._postpone(answer)
            stream._failed(str(answer.kind), answer.retry_after)
        elif isinstance(answer, client.RecordRefused):
            self._park("refused", fields=answer.fields)
        elif isinstance(answer, Exception):
            self._park_unexpected(answer)
        else:
            return False
        return True

    def _park(self, code, trace=False, **args):
        """Wait for a person, or for a new row of the same subject.

        :param code: says why; ``usercom.sentence`` has the words.
        """
        self._keep_one(due_at=False, problem_code=code, problem_args=args, trace=trace)

    def _park_unexpected(self, error):
        self._log_unexpected(error, self)
        trace = "".join(traceback.format_exception(error)).replace("\0", "")
        self._park("unexpected", trace=trace, error=type(error).__name__)

    @api.model
    def _log_unexpected(self, error, records):
        # The message of an exception may hold a person's data, so it stays in the database.
        _logger.error(
            "%s %s was stopped by an unexpected %s:\n%s",
            records._name,
            records.ids,
            type(error).__name__,
            "".join(traceback.format_tb(error.__traceback__)),
        )

    def _postpone(self, error):
        """Wait for better times. A 429 does not count as an attempt.

        :param error: a ``client.AgainLater``.
        """
        attempts = max(self.mapped("attempts"), default=0)
        if not isinstance(error, client.Throttled):
            attempts += 1
        seconds = waiting.pause(attempts, error.retry_after)
        self._wait(seconds, str(error.kind), attempts=attempts)

    def _wait(self, seconds, code, attempts=0, **args):
        """Be due again in so many seconds, and say why."""
        due_at = fields.Datetime.now() + timedelta(seconds=seconds)
        self._keep_one(due_at=due_at, attempts=attempts, problem_code=code, problem_args=args)

    def _wait_for_ceiling(self, account, origin):
        """Wait until the oldest of the last day's creations is a day old, and ask somebody."""
        _count, oldest = self.env["usercom.binding"]._created_within_a_day(account, origin)
        since = oldest or fields.Datetime.now()
        seconds = (since + timedelta(days=1) - fields.Datetime.now()).total_seconds()
        self._wait(max(seconds, 60), "ceiling", limit=account.creation_limit)
        account._ask_about_ceiling()

    def _wait_behind(self, ahead, at_least=1, code="being_created"):
        """Wait for another contact with the same address, which is just being created.

        :param ahead: its rows, from ``usercom.binding._rows_creating``.
        """
        seconds = (ahead[0].due_at - fields.Datetime.now()).total_seconds() + 1
        self._wait(max(seconds, at_least), code, partner_id=ahead[0].partner_res_id)

    @api.model
    def _hold_back(self, account, groups, origin):
        """Take out what waits for a place under the ceiling where there is none: it costs no call.

        No more of it goes on at a time than there are places. The rest is still due, and its turn
        comes in this round or it waits again.
        """
        places = left = account._creations_left(origin)
        for subject, rows in list(groups.items()):
            if set(rows.mapped("problem_code")) != {"ceiling"}:
                continue
            if left <= 0:
                del groups[subject]
            if places <= 0:
                rows._wait_for_ceiling(account, origin)
            left -= 1

    def _keep_one(self, **vals):
        self[:1].write(vals)
        self[1:]._drop()

    def _drop(self):
        """Delete these rows: nothing refers to them, so one statement does."""
        if self:
            self.flush_recordset()
            self.env.cr.execute(
                SQL("DELETE FROM %s WHERE id IN %s", SQL.identifier(self._table), self._ids)
            )
            self.invalidate_recordset(flush=False)

    @api.model
    def _adapt_batch(self, stream, answers, seconds):
        """Take as many at a time as a round has time for, as far as that is known.

        :param seconds: that this batch took.
        """
        done = sum(answer is not None for _job, answer in answers)
        if done >= stream.batch_size or done < len(answers):
            in_a_round = int(done * ROUND_SECONDS / max(seconds, 0.01))
            most = min(2 * stream.batch_size, LARGEST_BATCH)
            stream.batch_size = max(BATCH_SIZE, min(in_a_round, most))

    def _retry(self):
        """Make rows due now."""
        if self:
            self.write({"due_at": fields.Datetime.now()})
            self._wake()

import logging
import time
from functools import partial

import psycopg2.extensions
from odoo import api, fields, models

from ..sync.pacing import BULK
from ..tools import wake
from .usercom_queue import ROUND_SECONDS

_logger = logging.getLogger(__name__)

CRON = "usercom_connector.ir_cron_compare"
#: So many bindings are compared in one transaction: what it reads is all that is kept in memory,
#: because the commit forgets it.
COMPARED_TOGETHER = 500


class UsercomComparison(models.AbstractModel):
    """Finds what nothing captured: a related record, a computed field or plain SQL changed it.

    Each contact that is tied is compared with the base, in Odoo alone; only what differs is put
    into the queue. The stream of direction ``compare`` remembers how far this has got: it goes from
    the latest binding to the first, so that what is tied meanwhile, which is in step, is not met.
    """

    _name = "usercom.comparison"
    _description = "Nightly Comparison with User.com"

    @api.model
    def _begin(self, account):
        """Compare all contacts of an account from now on."""
        # sudo: streams are not edited by hand; who may start the account may ask for this.
        account = account.sudo()
        last = account.env["usercom.binding"].search(
            [("account_id", "=", account.id)], order="id desc", limit=1
        )
        account.env["usercom.stream"]._of(account, "compare").cursor = last.id + 1

    @api.model
    def _wake(self):
        wake.after_commit(self.env.cr, CRON)

    @api.model
    def _cron_compare(self):
        """Compare for about five seconds; what is left then is asked for at once."""
        cron = self.env["ir.cron"]
        streams = self._under_way()
        cron._commit_progress(remaining=self._count_left(streams))
        deadline = time.monotonic() + ROUND_SECONDS
        turns = list(streams)
        while turns and time.monotonic() < deadline:
            stream = turns.pop(0)
            done = self._compare_next(stream)
            if done and stream.cursor:
                turns.append(stream)
            if not cron._commit_progress(done):
                break
        # What has been paused meanwhile is not left over from this run: it goes on another day.
        cron._commit_progress(remaining=self._count_left(streams.browse().concat(*turns)))

    @api.model
    def _under_way(self):
        """The streams of what is to be compared now.

        Every account begins when the action's hour has come, and when somebody runs the action and
        nothing is under way.
        """
        accounts = self.env["usercom.account"]._running()
        streams = self.env["usercom.stream"]
        for account in accounts:
            streams |= streams._of(account, "compare")
        now, hour = fields.Datetime.now(), self.env.ref(CRON).nextcall
        if hour <= now:
            due = streams.filtered(lambda s: not s.began_at or s.began_at < hour)
        else:
            due = streams.browse() if any(streams.mapped("cursor")) else streams
        for stream in due.filtered(lambda stream: not stream.cursor):
            self._begin(stream.account_id)
        # One that somebody asked for and that goes on does for tonight.
        due.write({"began_at": now})
        return streams.filtered("cursor")

    @api.model
    def _count_left(self, streams):
        bindings = self.env["usercom.binding"]
        return sum(bindings.search_count(self._left(stream)) for stream in streams)

    @api.model
    def _left(self, stream):
        return [
            ("account_id", "=", stream.account_id.id),
            ("id", "<", stream.cursor),
            ("state", "=", "linked"),
            ("partner_id", "!=", False),
        ]

    @api.model
    def _compare_next(self, stream):
        """Compare the next bindings of an account and commit.

        :return: how many, 0 when there are none left.
        """
        return self.env["usercom.change"]._in_transaction(partial(self._compare_chunk, stream))

    @api.model
    def _compare_chunk(self, stream):
        account = stream.account_id
        if not account._may_run():
            return 0  # goes on where it stopped when the account runs again
        bindings = self.env["usercom.binding"].search(
            self._left(stream), order="id desc", limit=COMPARED_TOGETHER
        )
        stale = self._stale(account, bindings)
        stale.partner_id._usercom_enqueue(account, priority=BULK)
        if len(bindings) < COMPARED_TOGETHER:
            stream.write({"cursor": 0, "last_success_at": fields.Datetime.now()})
        else:
            stream.cursor = bindings[-1].id
        return len(bindings)

    @api.model
    def _stale(self, account, bindings):
        """Those of these bindings whose contact has something to send.

        Not those with a row in the queue: what waits goes anyway, and what is parked goes when
        somebody edits the contact, or by hand.
        """
        rows = self.env["usercom.change"].search_fetch(
            [
                ("account_res_id", "=", account.id),
                ("partner_res_id", "in", bindings.partner_id.ids),
            ],
            ["partner_res_id"],
        )
        queued = set(rows.mapped("partner_res_id"))
        bindings = bindings.filtered(
            lambda binding: (
                binding.partner_id.id not in queued and account._covers(binding.partner_id)
            )
        )
        try:
            with self.env.cr.savepoint():
                return self._stale_of(account, bindings)
        except psycopg2.extensions.TransactionRollbackError:
            raise
        except Exception as error:
            _logger.debug("A chunk is compared one by one after a %s.", type(error).__name__)
        return bindings.filtered(partial(self._is_stale, account))

    @api.model
    def _stale_of(self, account, bindings):
        snapshots = bindings.partner_id._usercom_snapshots(account)
        # What a new or changed line carries goes when somebody asks for it, knowing how much.
        lines = self.env["usercom.mapping"].search(
            [("account_id", "=", account.id), ("to_carry", "=", True)]
        )
        to_carry = {(line.kind, line.attribute_id.name_std) for line in lines}
        stale = bindings.browse()
        for binding in bindings:
            snapshot = snapshots[binding.partner_id.id]
            job = binding._job(snapshot) if snapshot.kind == binding.kind else None
            found = job and {(job.kind, attribute) for attribute in job.outgoing} - to_carry
            moves = snapshot.kind == binding.kind and binding._member_job(snapshot)
            if found or moves or (job and job.consents):
                stale += binding
        return stale

    @api.model
    def _is_stale(self, account, binding):
        try:
            with self.env.cr.savepoint():
                return bool(self._stale_of(account, binding))
        except psycopg2.extensions.TransactionRollbackError:
            raise
        except Exception:
            return True  # the push will meet the same, and park it with the reason

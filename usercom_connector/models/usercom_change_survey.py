from datetime import timedelta
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL, split_every
from odoo.tools.mail import email_normalize

from ..sync import consent
from ..sync.pacing import BULK
from .usercom_queue import RECORDED_TOGETHER
from .usercom_stream import HELD_FOR

#: Marks what waits for a survey that has not begun.
NEXT_SURVEY = -1

#: So many contacts are created at a time that a survey has not met: whoever appears in User.com
#: after the look at what has changed there, once a round, and before the call, is not noticed.
SURVEYED_TOGETHER = 800


class UsercomChange(models.Model):
    """Rows that wait for a list of everybody, and what it said of their contacts."""

    _inherit = "usercom.change"

    survey = fields.Integer(
        readonly=True,
        help="The contact waits for this survey, or was not in User.com when it ended.",
    )

    _survey_idx = models.Index("(account_res_id) WHERE survey <> 0")

    @api.model
    def _append_for_survey(self, account, partners):
        """Insert a row for each contact of a query, to wait for a survey that is asked for now.

        One statement, however many: the database makes a row of each contact it finds.
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change (account_res_id, partner_res_id, due_at, attempts,
                                            priority, problem_code, survey)
                SELECT %s, id, %s, 0, %s, 'listing', %s FROM (%s) AS contact
                """,
                account.id,
                fields.Datetime.now() + HELD_FOR,
                BULK,
                NEXT_SURVEY,
                partners,
            )
        )

    @api.model
    def _hold_for_survey(self, account, number):
        """Let what is due for contacts that are not linked wait for a survey.

        It saves them the look-up: the survey links whom it meets. Should it never end, they go by
        themselves after a while.
        """
        self._update_survey(
            account,
            SQL(
                "survey = %s, due_at = %s, problem_code = 'listing', problem_args = NULL",
                number,
                fields.Datetime.now() + HELD_FOR,
            ),
            SQL(
                """
                due_at IS NOT NULL AND (due_at <= %s OR survey <> 0) AND NOT EXISTS (
                    SELECT FROM usercom_binding AS binding
                     WHERE binding.account_id = account_res_id
                       AND binding.partner_id = partner_res_id
                )
                """,
                fields.Datetime.now(),
            ),
        )

    @api.model
    def _release_from_survey(self, account, number, is_complete):
        """Let go on what waited for a survey.

        :param is_complete: whether it has seen everybody. Then who is not linked is not there.
        """
        mark = SQL("survey") if is_complete else SQL("NULL")
        self._update_survey(
            account,
            SQL("survey = %s, %s", mark, self._due_now()),
            SQL("due_at IS NOT NULL AND survey IN (%s, %s)", NEXT_SURVEY, number),
        )
        self._wake()

    @api.model
    def _unmark_known(self, account, contacts):
        """Have contacts looked up after all whose address, or User ID to be, a list shows.

        Where they were linked, that costs nothing.

        :param contacts: as a page shows them.
        """
        emails = {email_normalize(contact.email) for contact in contacts if contact.email}
        known = SQL("email_normalized IN %s", tuple(filter(None, emails)) or ("",))
        if account.user_id_strategy == "sha256":
            custom_ids = tuple(c.custom_id for c in contacts if c.custom_id) or ("",)
            known = SQL(
                "(%s OR encode(sha256(email_normalized::bytea), 'hex') IN %s)", known, custom_ids
            )
        updated = self._update_survey(
            account,
            SQL("survey = NULL, %s", self._due_now()),
            SQL(
                """
                due_at IS NOT NULL AND survey <> 0 AND EXISTS (
                    SELECT FROM res_partner WHERE id = partner_res_id AND %s
                )
                """,
                known,
            ),
        )
        if updated:
            self._wake()

    @api.model
    def _due_now(self):
        return SQL("due_at = %s, problem_code = NULL, problem_args = NULL", fields.Datetime.now())

    @api.model
    def _update_survey(self, account, changes, condition):
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE usercom_change SET %s WHERE account_res_id = %s AND %s",
                changes,
                account.id,
                condition,
            )
        )
        self.invalidate_model(flush=False)
        return self.env.cr.rowcount

    @api.model
    def _still_surveyed(self, account, partner_ids):
        """Those of these contacts whose rows all say that the last survey did not meet them.

        An edit since, which may be of the address, is a row that does not say so.
        """
        survey = self.env["usercom.stream"]._of(account, "survey")
        rows = self.search(
            [("account_res_id", "=", account.id), ("partner_res_id", "in", partner_ids)]
        )
        edited = rows.filtered(lambda row: not row.survey or row.survey != survey.complete)
        return set(partner_ids) - set(edited.mapped("partner_res_id"))

    @api.model
    def _bind_surveyed(self, account, stream, usercom, jobs, deadline):
        """Tie contacts to new User IDs that a survey has not met in User.com.

        Right before, whoever has appeared there since the survey is taken in by way of the poll.

        :return: list of jobs to send, and list of those that have to be looked up after all.
        """
        jobs = jobs[:SURVEYED_TOGETHER]  # the others are still due
        began = consent.moment()
        is_full = self._in_transaction(lambda: account._creations_left("odoo") <= 0)
        # Where none is to be created, they are put off without a call.
        ceiling = 0 if is_full else None
        is_known = is_full or self.env["usercom.ping"]._catch_up(account, usercom, deadline)
        if is_known is None:
            rows = self.browse(row_id for job in jobs for row_id in job.row_ids)
            later = {"due_at": fields.Datetime.now() + timedelta(seconds=1)}
            self._in_transaction(lambda: rows.exists().write(later))
            return [], []
        if not is_known:
            return [], jobs
        bound = []
        for some in split_every(RECORDED_TOGETHER, jobs):
            bind = partial(self._bind_absent, account, stream, some, began, ceiling)
            bound += self._in_transaction(bind)
        return bound, []

    @api.model
    def _bind_absent(self, account, stream, jobs, began, places):
        absent = self._still_surveyed(account, [job.partner_id for job in jobs])
        met = [job for job in jobs if job.partner_id not in absent]
        rows = self.browse(row_id for job in met for row_id in job.row_ids)
        rows.exists().write({"survey": False, "due_at": fields.Datetime.now()})
        answers = [(job, []) for job in jobs if job.partner_id in absent]
        return self._bind(account, stream, answers, began, places)

from datetime import timedelta

from odoo import api, fields, models

from ..sync import waiting

#: So many transport failures in a row rest the whole account.
FAILURES_BEFORE_REST = 3


class UsercomStream(models.Model):
    """How one account's work in one direction is going. Only the scheduled actions write here."""

    _name = "usercom.stream"
    _description = "User.com Stream"

    account_id = fields.Many2one("usercom.account", required=True, index=True, ondelete="cascade")
    direction = fields.Selection(
        [
            ("push", "Odoo to User.com"),
            ("pull", "User.com to Odoo"),
            ("compare", "Look for changes in Odoo"),
        ],
        required=True,
    )
    last_success_at = fields.Datetime()
    last_failure_at = fields.Datetime()
    failure_code = fields.Char()
    last_failure = fields.Text(compute="_compute_last_failure")
    failures = fields.Integer(help="Transport failures in a row.")
    batch_size = fields.Integer(default=50, help="So many contacts are claimed at a time.")
    rest_until = fields.Datetime(help="No calls are made before this time.")
    began_at = fields.Datetime(help="When the comparison began.")
    cursor = fields.Integer(help="The comparison has got down to this binding; 0: it is over.")

    _account_direction_uniq = models.Constraint(
        "UNIQUE(account_id, direction)", "An account has one stream per direction."
    )

    @api.depends("failure_code")
    @api.depends_context("lang")
    def _compute_last_failure(self):
        for stream in self:
            stream.last_failure = self.env["usercom.sentence"]._of(stream.failure_code)

    @api.model
    def _of(self, account, direction):
        """The stream of an account and a direction, made when it is first asked for."""
        domain = [("account_id", "=", account.id), ("direction", "=", direction)]
        return self.search(domain, limit=1) or self.create(
            {"account_id": account.id, "direction": direction}
        )

    def _is_resting(self):
        return bool(self.rest_until and self.rest_until > fields.Datetime.now())

    def _succeeded(self):
        vals = {"last_success_at": fields.Datetime.now(), "failures": 0}
        if not self._is_resting():
            vals["rest_until"] = False  # else another call of the same round has just said so
        self.write(vals)

    def _failed(self, code, retry_after=None):
        """Note a failure that no record is to blame for; rest the account when they go on.

        :param code: of ``usercom.sentence``. A 429 and a defect of ours rest the account at once.
        :param retry_after: for how many seconds User.com asked, if it did.
        """
        # Calls that fail side by side with the one that began the rest do not make it longer.
        resting = self._is_resting()
        failures = self.failures + (not resting)
        vals = {
            "failures": failures,
            "last_failure_at": fields.Datetime.now(),
            "failure_code": code,
        }
        if code in ("throttled", "unexpected") or failures >= FAILURES_BEFORE_REST:
            seconds = waiting.pause(failures - FAILURES_BEFORE_REST + 1, retry_after)
            until = fields.Datetime.now() + timedelta(seconds=seconds)
            vals["rest_until"] = max(until, self.rest_until) if resting else until
        self.write(vals)

from odoo import api, fields, models

from ..sync import pacing


class UsercomLimiter(models.Model):
    """How fast an account's User.com may be called just now, for all processes together.

    ``tools.limiter`` alone writes here, by SQL of its own; ``sync.pacing`` says what the numbers
    mean. Times are seconds since 1970 by the database's clock. There is no foreign key: a row that
    is written ten times a second must not make anybody's save of the account wait.
    """

    _name = "usercom.limiter"
    _description = "User.com Limiter"
    _rec_name = "account_res_id"
    _log_access = False

    account_res_id = fields.Integer("Account Number", required=True, readonly=True)
    rate = fields.Float("Calls a Second", required=True, readonly=True)
    known = fields.Float(
        "Remembered Rate", required=True, readonly=True, help="That of the last 429; 0: none yet."
    )
    next_at = fields.Float(required=True, readonly=True)
    blocked_until = fields.Float(required=True, readonly=True)
    grown_at = fields.Float(required=True, readonly=True)
    event = fields.Integer("Times Throttled", required=True, readonly=True)
    since = fields.Float(required=True, readonly=True)
    sent = fields.Integer(required=True, readonly=True)

    _account_uniq = models.Constraint("UNIQUE(account_res_id)", "An account has one limiter.")
    _rate_positive = models.Constraint(
        f"CHECK(rate > 0 AND rate <= {pacing.HIGHEST_RATE})", "A rate is a positive number."
    )

    @api.autovacuum
    def _gc_without_account(self):
        self.env.cr.execute(
            "DELETE FROM usercom_limiter"
            " WHERE account_res_id NOT IN (SELECT id FROM usercom_account)"
        )

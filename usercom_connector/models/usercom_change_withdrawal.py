from datetime import timedelta
from functools import partial

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..sync import consent, mapping

#: So long a withdrawal may take before somebody is told.
LATE_AFTER = timedelta(hours=1)

#: So far back withdrawals are looked at when nobody has looked before.
LOOKS_BACK = timedelta(days=1)


class UsercomChange(models.Model):
    """Withdrawals that are late."""

    _inherit = "usercom.change"

    @api.model
    def _cron_drain(self):
        for account in self.env["usercom.account"].search([("state", "in", ("running", "paused"))]):
            try:
                self._in_transaction(partial(self._watch_withdrawals, account))
            except Exception as error:
                self.env.cr.rollback()
                self._log_unexpected(error, account)  # and the rows are worked off all the same
        super()._cron_drain()

    @api.model
    def _watch_withdrawals(self, account):
        """Tell the account's responsible, once, of withdrawals that User.com has not got in time.

        What has been delivered is not looked at again.
        """
        stream = self.env["usercom.stream"]._of(account, "push")
        until = fields.Datetime.now() - LATE_AFTER
        since = stream.withdrawals_until or until - LOOKS_BACK
        if until - since < timedelta(minutes=1) and not stream.is_late:
            return
        oldest = self._oldest_undelivered(account, since, until)
        stream.withdrawals_until = oldest - consent.NEXT_MOMENT if oldest else until
        if bool(oldest) != stream.is_late:
            stream.is_late = bool(oldest)
            if oldest:
                account._ask("withdrawal")
            else:
                account._answered("withdrawal")

    @api.model
    def _oldest_undelivered(self, account, since, until):
        """When the first withdrawal was recorded that User.com does not show yet, if there is one.

        Of those that were recorded in this time, and that still count.
        """
        rules = [rule for rule in account._consent_rules() if rule.leads]
        if not rules:
            return None
        self.env.flush_all()
        found = self.env.execute_query(
            SQL(
                """
                WITH event AS (
                    SELECT partner_id, address, recorded_at FROM usercom_consent_event
                     WHERE state = %s AND purpose_id IN %s
                       AND recorded_at > %s AND recorded_at <= %s
                )
                SELECT contact_id, min(recorded_at) FROM (
                    SELECT partner_id AS contact_id, recorded_at FROM event
                 UNION ALL
                    SELECT contact.id, recorded_at FROM event
                      JOIN res_partner AS contact ON contact.email_normalized = address
                 UNION ALL
                    SELECT contact.id, recorded_at FROM event
                      JOIN res_partner AS contact ON contact.phone_sanitized = address
                ) AS concerned
                 WHERE contact_id IS NOT NULL GROUP BY contact_id
                """,
                consent.WITHDRAWN,
                tuple({rule.purpose for rule in rules}),
                since,
                until,
            )
        )
        recorded_at = dict(found)
        partners = self.env["res.partner"].browse(recorded_at)
        bindings = self.env["usercom.binding"]._of_partners(account, partners)
        # Somebody is there, and it is not known who; or that could not be found out yet. Who waits
        # for the ceiling alone was looked for and is not there.
        unsure = self.search(
            Domain("account_res_id", "=", account.id)
            & Domain("partner_res_id", "in", list(recorded_at.keys() - bindings.keys()))
            & (
                Domain("problem_code", "in", self._questions)
                | (Domain("due_at", "!=", False) & Domain("problem_code", "!=", "ceiling"))
            )
        )
        unknown = {partner_id: {} for partner_id in unsure.mapped("partner_res_id")}
        bases = unknown | {
            partner_id: binding.base_usercom or {}
            for partner_id, binding in bindings.items()
            if binding.kind == mapping.CONTACT and binding.state != "gone"
        }
        states = partners.browse(bases)._usercom_consents(account)
        return min(
            (
                recorded_at[partner_id]
                for partner_id, base in bases.items()
                if any(
                    states[partner_id][rule.purpose] == consent.WITHDRAWN
                    and base.get(rule.key) is not False
                    for rule in rules
                )
            ),
            default=None,
        )

from odoo import models
from odoo.tools import SQL
from odoo.tools.mail import email_normalize

EVENT = "usercom.consent.event"


class PrivacyLookupWizard(models.TransientModel):
    _inherit = "privacy.lookup.wizard"

    def _get_query(self):
        # By the contact core finds the events itself.
        return SQL(
            """
            %s UNION ALL
            SELECT %s AS res_model_id, id AS res_id, True AS is_active
              FROM usercom_consent_event WHERE partner_id IS NULL AND address = %s
            """,
            super()._get_query(),
            self.env["ir.model"]._get_id(EVENT),
            email_normalize(self.email.strip()),
        )


class PrivacyLookupWizardLine(models.TransientModel):
    _inherit = "privacy.lookup.wizard.line"

    def action_unlink(self):
        """An event is not deleted: the person is taken out of it."""
        self.ensure_one()
        if self.res_model != EVENT or self.is_unlinked:
            return super().action_unlink()
        # sudo: as core deletes what was found. The wizard is for administrators.
        event = self.env[EVENT].sudo().browse(self.res_id)
        there = event._partners_there() | event.partner_id
        event._recall(there | event._erase(event.partner_id))
        self.execution_details = self.env._(
            "Person taken out of %(model)s #%(number)s",
            model=self.res_model_id.name,
            number=self.res_id,
        )
        self.is_unlinked = True
        return None

from odoo import models


class UsercomConsentEvent(models.Model):
    _inherit = "usercom.consent.event"

    def _project(self):
        result = super()._project()
        # sudo: who records a consent need not be allowed to see mailing lists.
        self.env["mailing.subscription"].sudo()._usercom_follow(self)
        return result

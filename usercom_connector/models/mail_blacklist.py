from odoo import models


class MailBlacklist(models.Model):
    _name = "mail.blacklist"
    _inherit = ["usercom.blacklist", "mail.blacklist"]

    def _add(self, email, message=None):
        # Who is on the list already is passed over by core, also one who is there for a bounce.
        record = super()._add(email, message=message)
        record._usercom_listed()
        return record

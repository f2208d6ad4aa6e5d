from odoo import models


class MailingContact(models.Model):
    _inherit = "mailing.contact"

    def write(self, vals):
        result = super().write(vals)
        if "email" in vals:
            # Another address, of which other words may be on record. Its opt-outs were said of
            # the address before.
            self.subscription_ids.filtered(lambda sub: not sub.opt_out)._usercom_settle()
        return result

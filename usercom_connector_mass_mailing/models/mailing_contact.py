from odoo import api, models


class MailingContact(models.Model):
    _inherit = "mailing.contact"

    @api.model_create_multi
    def create(self, vals_list):
        contacts = super().create(vals_list)
        if any(vals.get("list_ids") for vals in vals_list):
            contacts._usercom_settle()
        return contacts

    def write(self, vals):
        result = super().write(vals)
        # Another address, of which other words may be on record. Its opt-outs were said of the
        # address before. And lists, onto which core puts a contact past the subscriptions.
        if vals.keys() & {"email", "list_ids"}:
            self._usercom_settle()
        return result

    def _usercom_settle(self):
        self.invalidate_recordset(["subscription_ids"])
        self.subscription_ids.filtered(lambda sub: not sub.opt_out)._usercom_settle()

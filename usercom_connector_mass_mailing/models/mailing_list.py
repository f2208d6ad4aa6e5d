from odoo import api, fields, models


class MailingList(models.Model):
    _inherit = "mailing.list"

    usercom_purpose_id = fields.Many2one(
        "usercom.consent.purpose",
        "Consent",
        domain=[("channel", "=", "email")],
        index="btree_not_null",
        help="What this list is for. Who opts out of it withdraws this consent, and who withdraws "
        "the consent is opted out. Empty: opting out says something about this list alone.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        lists = super().create(vals_list)
        lists.invalidate_recordset(["subscription_ids"])
        lists.subscription_ids._usercom_settle()
        return lists

    def write(self, vals):
        result = super().write(vals)
        if "contact_ids" in vals:
            self.invalidate_recordset(["subscription_ids"])  # core writes past them
            self.subscription_ids.filtered(lambda sub: not sub.opt_out)._usercom_settle()
        if vals.get("usercom_purpose_id"):
            self.subscription_ids._usercom_settle()
        return result

    def action_merge(self, src_lists, archive):
        result = super().action_merge(src_lists, archive)
        # Core writes these subscriptions past the ORM.
        self.subscription_ids._usercom_settle()
        return result

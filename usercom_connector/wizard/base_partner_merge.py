from odoo import api, models

from ..sync import consent


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    @api.model
    def _update_foreign_keys(self, src_partners, dst_partner):
        # Of several bindings in one account the contact keeps one. Core would delete all of the
        # others, and their contacts in User.com would come to Odoo anew.
        # sudo: whoever may merge contacts need not be allowed to see the account's bindings.
        bindings = self.env["usercom.binding"].sudo()
        merged = bindings.search([("partner_id", "in", (src_partners | dst_partner).ids)])
        best_first = merged.sorted(
            lambda binding: (
                ("linked", "new", "gone").index(binding.state),
                binding.partner_id != dst_partner,
            )
        )
        for own in best_first.grouped("account_id").values():
            own[1:]._leave_contact()
        bindings.flush_model()
        # Bindings and consents move by SQL: what is left may differ from what the binding knows,
        # also when the merge changes no field of it.
        said_no = (src_partners | dst_partner).filtered(
            lambda partner: partner.usercom_email_consent == consent.WITHDRAWN
        )
        addresses = set(said_no.mapped("email_normalized"))
        super()._update_foreign_keys(src_partners, dst_partner)
        dst_partner.invalidate_recordset()
        if dst_partner.email_normalized in addresses:
            dst_partner._usercom_keep_withdrawn()
        dst_partner._usercom_enqueue()

from odoo import api, models


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    @api.model
    def _update_foreign_keys(self, src_partners, dst_partner):
        # Bindings and consents move by SQL: what is left may differ from what the binding knows,
        # also when the merge changes no field of it.
        super()._update_foreign_keys(src_partners, dst_partner)
        dst_partner._usercom_enqueue()

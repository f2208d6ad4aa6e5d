from odoo import api, models


class UsercomConsentText(models.Model):
    _inherit = "usercom.consent.text"

    @api.model_create_multi
    def create(self, vals_list):
        texts = super().create(vals_list)
        # Forms show the new version from now on.
        self.env["usercom.account"]._forget_cached()
        return texts

    @api.ondelete(at_uninstall=False)
    def _unlink_forgets(self):
        self.env["usercom.account"]._forget_cached()

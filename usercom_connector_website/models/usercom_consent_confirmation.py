from odoo import api, models


class UsercomConsentConfirmation(models.AbstractModel):
    _inherit = "usercom.consent.confirmation"

    @api.model
    def _base_url(self):
        return self.env["website"].get_current_website().get_base_url() or super()._base_url()

from odoo import models


class UsercomSentence(models.AbstractModel):
    _inherit = "usercom.sentence"

    def _say_no_postal_code(self, value="", **args):
        return self.env._("%(value)s is no Polish postal code, so it stays here.", value=value)

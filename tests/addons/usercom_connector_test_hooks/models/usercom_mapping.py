from odoo import models
from odoo.addons.usercom_connector.sync.pairs import Verdict


class UsercomMapping(models.Model):
    _inherit = "usercom.mapping"

    def _verdict(self):
        """A postal code meets an integer by our converter, in both directions."""
        if self.odoo_field == "zip" and self.attribute_id.value_type == "integer":
            return Verdict("postal_code", True)
        return super()._verdict()

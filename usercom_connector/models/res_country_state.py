from odoo import api, models


class ResCountryState(models.Model):
    _inherit = "res.country.state"

    # What the states are called is remembered (``usercom.account._state_names``). Countries forget
    # by themselves what was remembered of them.

    @api.model_create_multi
    def create(self, vals_list):
        states = super().create(vals_list)
        self.env.registry.clear_cache()
        return states

    def write(self, vals):
        result = super().write(vals)
        self.env.registry.clear_cache()
        return result

    def unlink(self):
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    usercom_summary = fields.Char(compute="_compute_usercom_summary")

    def _compute_usercom_summary(self):
        states = self.env["usercom.account"]._fields["state"]._description_selection(self.env)
        counts = dict(self.env["usercom.account"]._read_group([], ["state"], ["__count"]))
        parts = [f"{label}: {counts[state]}" for state, label in states if counts.get(state)]
        self.usercom_summary = ", ".join(parts) or self.env._("No account yet.")

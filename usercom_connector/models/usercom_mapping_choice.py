from odoo import api, fields, models


class UsercomMappingChoice(models.Model):
    """A pair of values of a mapping line: what it is called in Odoo, and in User.com's choices."""

    _name = "usercom.mapping.choice"
    _description = "User.com Mapping Choice"
    _order = "mapping_id, sequence, id"

    mapping_id = fields.Many2one("usercom.mapping", required=True, index=True, ondelete="cascade")
    sequence = fields.Integer(default=10)
    odoo_value = fields.Char("Value in Odoo", required=True)
    usercom_value = fields.Char("Choice in User.com", help="Empty: this value does not travel.")

    _odoo_value_uniq = models.Constraint(
        "UNIQUE(mapping_id, odoo_value, usercom_value)", "This pair of values is there already."
    )

    @api.model_create_multi
    def create(self, vals_list):
        choices = super().create(vals_list)
        choices.mapping_id._note_change()
        return choices

    def write(self, vals):
        result = super().write(vals)
        self.mapping_id._note_change()
        return result

    def unlink(self):
        lines = self.mapping_id
        result = super().unlink()
        lines._note_change()
        return result

from odoo import fields, models


class UsercomConsentAttribute(models.Model):
    """The attribute that carries a purpose in one account: a boolean of the contact."""

    _name = "usercom.consent.attribute"
    _description = "Consent Attribute"
    _order = "account_id, purpose_id"
    _rec_name = "name"

    account_id = fields.Many2one("usercom.account", required=True, index=True, ondelete="cascade")
    purpose_id = fields.Many2one(
        "usercom.consent.purpose", required=True, index=True, ondelete="cascade"
    )
    name = fields.Char(
        "Attribute", required=True, help="The key of a custom attribute of the type boolean."
    )
    active = fields.Boolean("Travels", default=True)

    _purpose_uniq = models.Constraint(
        "UNIQUE(account_id, purpose_id)", "A purpose has one attribute in an account."
    )
    _name_uniq = models.Constraint("UNIQUE(account_id, name)", "An attribute carries one purpose.")

from odoo import fields, models


class Website(models.Model):
    _inherit = "website"

    usercom_newsletter_purpose_ids = fields.Many2many(
        "usercom.consent.purpose",
        "website_usercom_newsletter_purpose_rel",
        string="Consents in the Newsletter Block",
        domain=[("channel", "=", "email")],
    )

from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    usercom_newsletter_purpose_ids = fields.Many2many(
        related="website_id.usercom_newsletter_purpose_ids", readonly=False
    )

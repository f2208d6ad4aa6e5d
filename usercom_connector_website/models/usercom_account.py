from odoo import api, fields, models
from odoo.fields import Domain
from odoo.http import request


class UsercomAccount(models.Model):
    """The widget per website."""

    _inherit = "usercom.account"

    widget_website_ids = fields.Many2many(
        "website",
        "usercom_account_widget_website_rel",
        string="On These Websites",
        help="Empty: on all of the account's company, except those that another account names.",
    )

    @api.model
    def _widget_here(self):
        # Nobody is a visitor who may edit the page, as with Odoo's own analytics.
        if self.env.user.has_group("website.group_website_restricted_editor"):
            return None
        return super()._widget_here()

    @api.model
    def _widget_place(self):
        website = getattr(request, "website", None) or self.env["website"].get_current_website()
        return (website._get_cached("company_id"), website.id)

    @api.model
    def _widget_domain(self, company_id, website_id):
        domain = super()._widget_domain(company_id)
        return domain & Domain("widget_website_ids", "in", [False, website_id])

    def _widget_nearest_first(self):
        return (
            super()._widget_nearest_first().sorted(lambda account: not account.widget_website_ids)
        )

    def _widget_settings(self, website_id):
        settings = super()._widget_settings()
        # sudo: the visitor's page needs to know whether the visitor is asked.
        bar = self.env["website"].sudo().browse(website_id).cookies_bar
        return settings | {"waits": bar or settings["waits"]}

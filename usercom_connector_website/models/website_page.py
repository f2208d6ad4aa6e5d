from odoo import api, models


class WebsitePage(models.Model):
    _inherit = "website.page"

    @api.model
    def _get_cache_key(self, request):
        # A page that was kept for a robot has no widget.
        return (*super()._get_cache_key(request), self.env["ir.http"].is_a_bot())

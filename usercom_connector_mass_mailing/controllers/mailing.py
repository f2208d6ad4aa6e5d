from odoo.addons.mass_mailing.controllers.main import MassMailController
from odoo.http import request, route


class UsercomMassMailController(MassMailController):
    @route()
    def mailing_update_list_subscription(self, *args, **kwargs):
        """Whoever chooses lists on this page says yes to those, by a form and for themselves."""
        request.update_context(usercom_form=request.httprequest.path)
        return super().mailing_update_list_subscription(*args, **kwargs)

import json

from odoo.addons.website.controllers.form import WebsiteForm
from odoo.http import request


class UsercomNewsletterForm(WebsiteForm):
    def _handle_website_form(self, model_name, **kwargs):
        """Have a subscription confirmed whose list wants that, also where the form has no box."""
        answer = super()._handle_website_form(model_name, **kwargs)
        accepted = model_name == "mailing.contact" and json.loads(answer)
        if accepted and accepted.get("id"):
            # sudo: as Odoo has just subscribed them
            contact = request.env["mailing.contact"].sudo().browse(accepted["id"])
            contact.subscription_ids._usercom_wait()
        return answer

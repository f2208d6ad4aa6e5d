import json
import re

from odoo.addons.website.controllers.form import WebsiteForm
from odoo.http import request


class UsercomWebsiteForm(WebsiteForm):
    def _handle_website_form(self, model_name, **kwargs):
        """Note what the visitor has agreed to, once the form itself is accepted.

        A ticked box is named after the text it stood beside, and holds the name of the address.
        """
        ticked = {}
        for name in list(kwargs):
            if found := re.fullmatch(r"usercom_consent_(\d{1,9})", name):
                ticked[int(found[1])] = kwargs.pop(name)
        answer = super()._handle_website_form(model_name, **kwargs)
        accepted = ticked and json.loads(answer)
        if accepted and accepted.get("id"):
            [field, *_others] = ticked.values()
            name = kwargs.get("name") or kwargs.get("partner_name")
            request.website._usercom_record(
                "usercom_form_purpose_ids", kwargs.get(field), name, list(ticked)
            )
        return answer

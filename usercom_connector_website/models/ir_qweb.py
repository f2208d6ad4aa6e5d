from lxml import etree
from odoo import models


class IrQweb(models.AbstractModel):
    _inherit = "ir.qweb"

    def _get_template(self, template):
        """Let each website form with an address ask for the website's consents.

        Not where the page may be edited: what is added here would be saved with it.
        """
        element, document, ref = super()._get_template(template)
        context = self.env.context
        if context.get("website_id") and not context.get("inherit_branding"):
            for form in element.iter("form"):
                if "/website/form/" in form.get("action", ""):
                    _ask_for_consents(form)
        return element, document, ref


def _ask_for_consents(form):
    emails = form.xpath(".//input[@type='email'][@name]")
    if not emails:
        return
    call = etree.Element("t", {"t-call": "usercom_connector_website.form_consents"})
    name = emails[0].get("name")
    call.append(etree.Element("t", {"t-set": "usercom_email", "t-valuef": name}))
    submits = form.xpath(".//div[contains(concat(' ', @class, ' '), ' s_website_form_submit ')]")
    if submits:
        submits[0].addprevious(call)
    else:
        form.append(call)

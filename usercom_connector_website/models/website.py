from odoo import fields, models
from odoo.addons.usercom_connector.sync import consent
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import ormcache
from odoo.tools.mail import email_normalize


class Website(models.Model):
    """The consents that a website asks for, and what becomes of what visitors say."""

    _inherit = "website"

    usercom_form_purpose_ids = fields.Many2many(
        "usercom.consent.purpose",
        "website_usercom_form_purpose_rel",
        string="Consents in Forms",
        domain=[("channel", "=", "email")],
    )

    def write(self, vals):
        result = super().write(vals)
        if "cookies_bar" in vals or any(name.startswith("usercom_") for name in vals):
            self.env["usercom.account"]._forget_cached()
        return result

    @ormcache("self.id", "field", "lang")
    def _usercom_texts(self, field, lang):
        """What visitors are asked now, word by word; who has no text is not asked for.

        :param field: the name of the field with the purposes.
        :return: tuple of (id of the text, text).
        """
        # sudo: visitors are shown the text alone.
        website = self.sudo()
        texts = website.env["usercom.consent.text"]
        shown = (texts._current(purpose, lang) for purpose in website[field])
        return tuple((text.id, text.text) for text in shown if text)

    def _usercom_wants_confirmation(self, field):
        """Whether a consent to something that is asked for here counts only once confirmed."""
        # sudo: as in _usercom_texts
        return any(self.sudo()[field].mapped("double_opt_in"))

    def _usercom_record(self, field, address, name, text_ids):
        """Note that a visitor has agreed to what the texts say, at this address.

        What is not asked for here counts for nothing; an older text than the latest one does.
        Whoever fills in a form may enter any address: over a "no", and where the purpose wants it,
        the word waits for its confirmation. One that waits changes nothing where it is given.
        """
        address = email_normalize(address or "")
        # sudo: visitors may read neither purposes nor contacts; they are told nothing of them.
        website = self.sudo()
        env = website.env
        asked = env["usercom.consent.text"].search(
            [("id", "in", text_ids), ("purpose_id", "in", website[field].ids)]
        )
        if not address or not asked:
            return
        partners = self._usercom_partners(address, name)
        events = env["usercom.consent.event"]
        facts = {
            "source": "website",
            "document": (request.httprequest.referrer or "").partition("?")[0],
            **events._evidence(),
        }
        states = events._states(partners, asked.purpose_id)
        words = []
        for text in asked:
            for partner in partners:
                before = states[partner.id][text.purpose_id.id]
                is_sure = partner == self.env.user.partner_id
                waits = text.purpose_id.double_opt_in or before == consent.WITHDRAWN
                state = consent.PENDING if waits and not is_sure else consent.GIVEN
                facts["text_id"] = text.id
                words.append(events._word(partner, text.purpose_id, state, **facts))
        events.create(words)  # all at once: what has to be confirmed is so by one message

    def _usercom_partners(self, address, name):
        """Who has this address; a new contact where nobody has."""
        # sudo: as above.
        partners = self.env["res.partner"].sudo()
        found = partners.search(
            Domain("email_normalized", "=", address)
            & Domain("is_company", "=", False)
            & Domain("company_id", "in", [False, self.company_id.id])
        )
        own = found & self.env.user.partner_id
        vals = {"name": name or address, "email": address, "lang": self.env.lang}
        return own or found or partners.create(vals)

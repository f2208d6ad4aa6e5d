from odoo import http
from odoo.addons.portal.controllers.portal import CustomerPortal
from odoo.http import request
from werkzeug.exceptions import MethodNotAllowed

from ..models.usercom_consent_purpose import ADDRESSES
from ..sync import consent

PAGE = "/my/consents"


class UsercomPortal(CustomerPortal):
    """A signed-in person sees and changes their own consents.

    Whose they are is the session's matter: nothing in a request names a person.
    """

    @http.route(PAGE, type="http", auth="user", methods=["GET"], website=True, readonly=True)
    def usercom_consents(self, saved=None, again=None, **kwargs):
        """The person's consents, each with its text. It changes nothing."""
        values = self._prepare_portal_layout_values() | {
            "page_name": "usercom_consents",
            "lines": self._usercom_consent_lines(),
            "saved": saved,
            "again": again,
        }
        return request.render("usercom_connector.portal_my_consents", values)

    @http.route(f"{PAGE}/record", type="http", auth="user", methods=["POST"], website=True)
    def usercom_record_consent(self, purpose_id="", state="", text_id="", **kwargs):
        """Put the person's word on record; Odoo has checked the token of the form."""
        if request.httprequest.method != "POST":
            raise MethodNotAllowed()  # OPTIONS passes whatever the route, and brings no token
        lines = {str(line["id"]): line for line in self._usercom_consent_lines()}
        line = lines.get(purpose_id)
        if not line or state not in (consent.GIVEN, consent.WITHDRAWN) or line["needs_address"]:
            return request.redirect(f"{PAGE}?again=1")
        if state == consent.GIVEN and text_id != str(line["text"].id or ""):
            return request.redirect(
                f"{PAGE}?again=1"
            )  # agreed to a text that is not shown any more
        # A "no" is put on record again: a "yes" from before it may still come in from User.com.
        if state != line["state"] or state == consent.WITHDRAWN:
            # sudo: a person records their own consents, and nobody creates events directly. What a
            # signed-in person gives needs no second confirmation: the session says who it is.
            request.env["usercom.consent.event"].sudo()._record(
                request.env.user.partner_id,
                line["purpose"],
                state,
                "portal",
                text_id=line["text"].id,
                document=PAGE,
                **request.env["usercom.consent.event"]._evidence(),
            )
        return request.redirect(f"{PAGE}?saved=1")

    def _usercom_consent_lines(self):
        """What there is to agree to for the signed-in person, with the text in their language."""
        # sudo: the person's own consents, which portal users may not read directly
        partner = request.env.user.partner_id.sudo()
        standing = request.env["usercom.consent.standing"].sudo()
        purposes = standing._purposes()
        purposes = purposes.filtered(lambda each: each.text_ids or each.channel in ADDRESSES)
        found = standing._of(partner, purposes)[partner.id]
        texts = request.env["usercom.consent.text"].sudo()
        lines = []
        for purpose in purposes:
            line = standing._line(partner, purpose, *found[purpose.id])
            line["purpose"] = purpose
            line["text"] = texts._current(purpose, request.env.lang)
            lines.append(line)
        return lines

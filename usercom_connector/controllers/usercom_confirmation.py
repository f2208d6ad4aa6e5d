from odoo import http
from odoo.http import request
from werkzeug.exceptions import MethodNotAllowed

from ..models.usercom_consent_confirmation import PAGE


class UsercomConfirmation(http.Controller):
    """Where the link of a message leads that asks a person to confirm a consent."""

    @http.route(
        f"{PAGE}/<token>",
        type="http",
        auth="public",
        methods=["GET"],
        website=True,
        sitemap=False,
        readonly=True,
    )
    def page(self, token, **kwargs):
        """What is to be confirmed, word by word, with a button. Opening it changes nothing."""
        confirmation = request.env["usercom.consent.confirmation"]
        asked = confirmation._asked(token)
        is_open = confirmation._open(asked)
        is_given = confirmation._given(asked)
        answer = request.render(
            "usercom_connector.consent_confirmation",
            {
                # What the button is about, or what it was about.
                "asked": confirmation._shown(is_open or is_given),
                "is_open": bool(is_open),
                "is_given": bool(is_given),
                "company": request.env.company.sudo(),
            },
        )
        # The address of the page is the key to it: to nobody's cache, and to no other website.
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Robots-Tag"] = "noindex"
        return answer

    @http.route(
        f"{PAGE}/<token>/record",
        type="http",
        auth="public",
        methods=["POST"],
        website=True,
        sitemap=False,
    )
    def record(self, token, **kwargs):
        """Put the answer on record; Odoo has checked the token of the form."""
        if request.httprequest.method != "POST":
            raise MethodNotAllowed()  # OPTIONS passes whatever the route, and brings no token
        confirmation = request.env["usercom.consent.confirmation"]
        confirmation._confirm(confirmation._asked(token))
        return request.redirect(f"{PAGE}/{token}")

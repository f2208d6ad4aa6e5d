from odoo import http
from odoo.http import request


class UsercomVisitor(http.Controller):
    @http.route(
        "/usercom/visitor",
        type="http",
        auth="public",
        methods=["POST"],  # what no cache keeps
        csrf=False,
        website=True,
        multilang=False,
        sitemap=False,
    )
    def visitor(self):
        """Tell a page who is signed in: its own visitor, and nobody else.

        Without a token, which a page that was kept would hold an old one of: other websites cannot
        read the answer, and it changes nothing but what the push looks at.
        """
        answer = request.make_json_response(request.env["usercom.account"]._widget_visitor())
        answer.headers["Cache-Control"] = "no-store, private"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

import json

from odoo import SUPERUSER_ID, http
from odoo.http import request


class CommonWay(http.Controller):
    @http.route("/usercom_common_way/webhook", type="http", auth="none", csrf=False)
    def webhook(self):
        """Write the values within the request."""
        user = json.loads(request.httprequest.get_data())["user"]
        request.update_env(user=SUPERUSER_ID)
        request.env["res.partner"]._common_take(user)
        return request.make_json_response({})

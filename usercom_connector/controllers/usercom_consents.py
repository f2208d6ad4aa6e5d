import json

from odoo import api, http
from odoo.http import request
from odoo.modules.registry import Registry
from werkzeug.exceptions import Forbidden, NotFound

from ..models.usercom_consent_event import MANAGER

#: How all that stands here is asked for.
READ = {"type": "http", "auth": "user", "methods": ["GET"], "readonly": True}


class UsercomConsents(http.Controller):
    """The proof for one person and the export of the ledger, for administrators of User.com."""

    @http.route("/usercom/consents/proof/<int:partner_id>", **READ)
    def proof(self, partner_id):
        proof = self._proof(partner_id)
        labels = request.env["usercom.consent.event"].fields_get(["state", "source"], ["selection"])
        return request.render(
            "usercom_connector.usercom_consent_proof",
            {
                "proof": proof,
                "partner_id": partner_id,
                "states": dict(labels["state"]["selection"]),
                "sources": dict(labels["source"]["selection"]),
                "lang": (request.env.lang or "en_US").replace("_", "-"),
            },
            headers={"Cache-Control": "no-store"},
        )

    @http.route("/usercom/consents/proof/<int:partner_id>/json", **READ)
    def proof_json(self, partner_id):
        return request.make_response(
            json.dumps(self._proof(partner_id), ensure_ascii=False, indent=2),
            headers=self._file("application/json", f"consents-{partner_id}.json"),
        )

    @http.route("/usercom/consents/export", **READ)
    def export(self):
        self._require_manager()
        database, uid = request.db, request.env.uid
        context = dict(request.env.context)

        def lines():
            # The request's own cursor is closed by the time this is read.
            with Registry(database).cursor(readonly=True) as cr:
                env = api.Environment(cr, uid, context)
                for line in env["usercom.consent.seal"]._export():
                    yield json.dumps(line, ensure_ascii=False).encode() + b"\n"

        return http.Response(
            lines(),
            headers=self._file("application/jsonl", "consents.jsonl"),
            direct_passthrough=True,
        )

    def _proof(self, partner_id):
        self._require_manager()
        partner = request.env["res.partner"].browse(partner_id).exists()
        if not partner or not partner.has_access("read"):
            raise NotFound
        return request.env["usercom.consent.proof"]._of(partner)

    @staticmethod
    def _require_manager():
        if not request.env.user.has_group(MANAGER):
            raise Forbidden

    @staticmethod
    def _file(content_type, name):
        return {
            "Content-Type": f"{content_type}; charset=utf-8",
            "Content-Disposition": http.content_disposition(name),
            "Cache-Control": "no-store",
        }

import os

import requests
from odoo import api, fields, models

KEY_PARAMETER = "usercom_common_way.key"


class ResPartner(models.Model):
    """One search and one write call for each contact, one after the other."""

    _inherit = "res.partner"

    common_dirty = fields.Boolean(default=True, copy=False)

    def write(self, vals):
        if "common_dirty" not in vals and not self.env.context.get("common_incoming"):
            vals = vals | {"common_dirty": True}
        return super().write(vals)

    @api.model
    def _common_cron_push(self):
        """Send what was saved."""
        key = self.env["ir.config_parameter"].sudo().get_param(KEY_PARAMETER)
        base_url = f"{os.environ['USERCOM_BASE_URL']}/api/public"
        # One session, so that connections are kept: better than many do.
        with requests.Session() as session:
            session.headers = {"Authorization": f"Token {key}", "Accept": "*/*; version=2"}
            for partner in self.search([("common_dirty", "=", True), ("email", "!=", False)]):
                partner._common_push_one(session, base_url)
                self.env.cr.commit()

    def _common_push_one(self, session, base_url):
        body = {
            "email": self.email,
            "first_name": self.name.partition(" ")[0],
            "last_name": self.name.partition(" ")[2],
            "phone_number": self.phone or None,
            "city": self.city or None,
            "country": self.country_id.with_context(lang="en_US").name or None,
        }
        found = session.get(
            f"{base_url}/users/search/", params={"email": self.email, "many": "true"}, timeout=30
        )
        found.raise_for_status()
        if users := found.json():
            answer = session.put(f"{base_url}/users/{users[0]['id']}/", json=body, timeout=30)
        else:
            answer = session.post(f"{base_url}/users/", json=body, timeout=30)
        answer.raise_for_status()
        self.common_dirty = False

    @api.model
    def _common_take(self, user):
        """Write what the webhook's body says, or create the contact."""
        country = self.env["res.country"].search([("name", "=", user.get("country"))], limit=1)
        vals = {
            "name": user.get("name"),
            "phone": user.get("phone_number"),
            "city": user.get("city"),
            "country_id": country.id,
        }
        vals = {name: value for name, value in vals.items() if value}
        incoming = self.with_context(common_incoming=True)
        partner = incoming.search([("email", "=ilike", user.get("email"))], limit=1)
        if partner:
            partner.write(vals)
        else:
            incoming.create(vals | {"email": user.get("email"), "common_dirty": False})

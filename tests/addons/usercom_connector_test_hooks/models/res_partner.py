from odoo import models


class ResPartner(models.Model):
    """What a shop with customer numbers may want otherwise. ``ref`` is Odoo's "Reference"."""

    _inherit = "res.partner"

    def _usercom_take_part(self, account):
        """Test customers stay out."""
        return super()._usercom_take_part(account).filtered(lambda p: p.ref != "TEST")

    def _usercom_payload(self, account, body):
        """The number goes along, the phone number of whom not to call stays here."""
        body = super()._usercom_payload(account, body)
        if self.ref and self.ref != "NO CALLS":
            body["customer_number"] = int(self.ref)
        if self.ref == "NO CALLS":
            body.pop("phone_number", None)
        if "city" in body:
            body["city"] = body["city"].upper()
        return body

    def _usercom_pushed(self, account, outgoing):
        """The history tells what went out."""
        super()._usercom_pushed(account, outgoing)
        self._message_log(body=f"Sent: {', '.join(sorted(outgoing))}")

    def _usercom_before_pull(self, account, vals):
        """Cities come in in capitals, and nobody's name is taken from a web form."""
        vals = super()._usercom_before_pull(account, vals)
        if self:
            vals.pop("name", None)
        if vals.get("city"):
            vals["city"] = vals["city"].title()
        if vals.get("city") == "Atlantis":
            raise ValueError("There is no such place.")
        return vals

    def _usercom_pulled(self, account, vals):
        """Who comes from a web form is somebody's task."""
        super()._usercom_pulled(account, vals)
        self._message_log(body=f"Read {self.usercom_id}: {', '.join(sorted(vals))}")

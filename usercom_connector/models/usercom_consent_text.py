import hashlib

from odoo import api, fields, models
from odoo.exceptions import UserError


class UsercomConsentText(models.Model):
    """What people are asked, word by word. Another text is another version: none is edited."""

    _name = "usercom.consent.text"
    _description = "Consent Text"
    _order = "purpose_id, version desc, id desc"
    _rec_name = "version"

    purpose_id = fields.Many2one(
        "usercom.consent.purpose", required=True, index=True, ondelete="restrict"
    )
    version = fields.Integer(required=True, readonly=True, default=0)
    lang = fields.Selection(
        lambda self: self.env["res.lang"].get_installed(),
        "Language",
        required=True,
        default=lambda self: self.env.lang or "en_US",
    )
    text = fields.Text(required=True)

    _version_uniq = models.Constraint(
        "UNIQUE(purpose_id, lang, version)", "A version has one text in each language."
    )

    @api.depends("purpose_id.name", "version", "lang")
    def _compute_display_name(self):
        for text in self:
            text.display_name = f"{text.purpose_id.name} {text.version} ({text.lang})"

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [{**self.default_get(["lang"]), **vals} for vals in vals_list]
        latest = {}
        for vals in vals_list:
            key = vals.get("purpose_id"), vals["lang"]
            if key not in latest:
                others = [("purpose_id", "=", key[0]), ("lang", "=", key[1])]
                latest[key] = max(self.search(others).mapped("version"), default=0)
            latest[key] = vals["version"] = vals.get("version") or latest[key] + 1
        return super().create(vals_list)

    def write(self, vals):
        if vals:
            raise UserError(
                self.env._(
                    "What people have been asked stays as it was. Add a new version instead."
                )
            )
        return super().write(vals)

    def _hash(self):
        """Of what somebody was shown: with it an event proves which words they were."""
        self.ensure_one()
        return hashlib.sha256(self.text.encode()).hexdigest()

    @api.model
    def _current(self, purpose, lang):
        """The text that is shown now, in a language if there is one in it, else in another."""
        texts = purpose.text_ids.sorted("version", reverse=True)
        return texts.filtered(lambda text: text.lang == lang)[:1] or texts[:1]

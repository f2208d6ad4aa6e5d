from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .. import client
from ..sync import attributes, mapping

#: The ready purposes, by what the addon's data call them, to the attribute that carries them and
#: whether they travel from the start.
DEFAULTS = {
    "usercom_connector.purpose_email": ("email_consent", True),
    "usercom_connector.purpose_sms": ("sms_consent", False),
    "usercom_connector.purpose_call": ("phone_consent", False),
}
#: What an account remembers (``usercom.account._consent_rules``) is made of these.
REMEMBERED = frozenset({"account_id", "purpose_id", "name", "active"})


class UsercomConsentAttribute(models.Model):
    """The attribute that carries a purpose in one account: a boolean of the contact."""

    _name = "usercom.consent.attribute"
    _description = "Consent Attribute"
    _order = "account_id, purpose_id"
    _rec_name = "name"

    account_id = fields.Many2one("usercom.account", required=True, index=True, ondelete="cascade")
    purpose_id = fields.Many2one(
        "usercom.consent.purpose", required=True, index=True, ondelete="cascade"
    )
    name = fields.Char(
        "Attribute", required=True, help="The key of a custom attribute of the type boolean."
    )
    active = fields.Boolean("Travels", default=True)
    trouble = fields.Selection(
        [("missing", "Missing in User.com"), ("no_boolean", "Not of the type boolean")],
        "In User.com",
        compute="_compute_trouble",
    )

    _purpose_uniq = models.Constraint(
        "UNIQUE(account_id, purpose_id)", "A purpose has one attribute in an account."
    )
    _name_uniq = models.Constraint("UNIQUE(account_id, name)", "An attribute carries one purpose.")

    @api.depends("name", "account_id.attributes_read_at")
    def _compute_trouble(self):
        """What is wrong with the attributes, as far as they have ever been read."""
        found = self.env["usercom.attribute"].search(
            [
                ("account_id", "in", self.account_id.ids),
                ("kind", "=", mapping.CONTACT),
                ("name_std", "in", self.mapped("name")),
                ("is_standard", "=", False),
                ("state", "=", "present"),
            ]
        )
        types = {(row.account_id, row.name_std): row.value_type for row in found}
        for line in self:
            value_type = types.get((line.account_id, line.name))
            if value_type == "boolean" or not line.account_id.attributes_read_at:
                line.trouble = False
            else:
                line.trouble = "no_boolean" if value_type else "missing"

    @api.constrains("account_id", "name")
    def _check_name(self):
        standard = {attribute.name for attribute in attributes.STANDARD[mapping.CONTACT]}
        mapped = self._mapped(self.account_id)
        for line in self:
            if line.name in standard | client.MASS_STANDARD:
                raise ValidationError(
                    self.env._(
                        "%(name)s is no custom attribute. Enter another key.", name=line.name
                    )
                )
            if (line.account_id.id, line.name) in mapped:
                raise ValidationError(
                    self.env._(
                        "%(name)s is mapped to a field. Delete that line first: a consent has "
                        "rules of its own.",
                        name=line.name,
                    )
                )

    @api.model
    def _mapped(self, accounts):
        """The attributes of contacts that have a mapping line, as (account id, key)."""
        lines = self.env["usercom.mapping"].with_context(active_test=False)
        found = lines.search([("account_id", "in", accounts.ids), ("kind", "=", mapping.CONTACT)])
        return {(line.account_id.id, line.attribute_id.name_std) for line in found}

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        lines._note_change()
        return lines

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & REMEMBERED:
            self._note_change()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_forgets(self):
        self.env["usercom.account"]._forget_cached()

    def _note_change(self):
        """Have what these carry travel from now on, also what was said before."""
        self.env["usercom.account"]._forget_cached()
        for account in self.filtered("active").account_id:
            account._carry_consents()

    # === ACTION METHODS === #

    def action_create(self):
        """Create the attribute in User.com."""
        return self.account_id._create_consent_attributes(self)

    # === BUSINESS METHODS === #

    @api.model
    def _prepare(self, accounts):
        """Give accounts that have none a line for each of the ready purposes."""
        having = self.with_context(active_test=False).search([("account_id", "in", accounts.ids)])
        mapped = self._mapped(accounts)
        ready = {
            self.env.ref(xmlid, raise_if_not_found=False): default
            for xmlid, default in DEFAULTS.items()
        }
        self.create(
            [
                {
                    "account_id": account.id,
                    "purpose_id": purpose.id,
                    "name": name,
                    "active": active,
                }
                for account in accounts - having.account_id
                for purpose, (name, active) in ready.items()
                if purpose and (account.id, name) not in mapped
            ]
        )

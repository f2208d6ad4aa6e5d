import ast

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

#: Active people and companies whom one can reach; internal users are staff, not customers.
DEFAULT_PARTICIPANTS = [
    ("active", "=", True),
    ("partner_share", "=", True),
    "|",
    ("email_normalized", "!=", False),
    ("phone_sanitized", "!=", False),
]


class UsercomAccount(models.Model):
    """Who takes part, and who of those is created on the other side."""

    _inherit = "usercom.account"

    create_in_odoo = fields.Boolean(
        "Create in Odoo",
        readonly=True,
        copy=False,
        tracking=True,
        help="A user in User.com whom nobody in Odoo matches becomes a contact in Odoo.",
    )
    create_in_usercom = fields.Boolean(
        "Create in User.com",
        readonly=True,
        copy=False,
        tracking=True,
        help="A contact in Odoo whom nobody in User.com matches becomes a user in User.com.",
    )
    creation_limit = fields.Integer(
        "Creations a Day",
        default=100,
        required=True,
        tracking=True,
        help="So many contacts are created within 24 hours on each side. Then creation waits, "
        "everything else goes on, and somebody is asked.",
    )
    participant_domain = fields.Char(
        "Who Takes Part",
        default=repr(DEFAULT_PARTICIPANTS),
        required=True,
        tracking=True,
        help="Only these contacts are created in User.com and kept in step. Who leaves the filter "
        "is no longer synchronised, and deleted nowhere.",
    )
    participant_count = fields.Integer("Take Part Now", compute="_compute_participant_count")

    _creation_limit_positive = models.Constraint(
        "CHECK(creation_limit >= 0)", "The ceiling of creations cannot be negative."
    )

    @api.depends("participant_domain", "company_id")
    def _compute_participant_count(self):
        # sudo: a number, and it concerns all contacts of the account's companies.
        partners = self.env["res.partner"].sudo()
        for account in self:
            try:
                account._check_participant_domain()
                count = partners.search_count(account._participants())
            except ValidationError:
                count = 0
            account.participant_count = count

    @api.constrains("participant_domain")
    def _check_participant_domain(self):
        for account in self:
            try:
                domain = Domain(ast.literal_eval(account.participant_domain))
                domain.validate(self.env["res.partner"])
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
                raise ValidationError(
                    self.env._("The filter of who takes part cannot be understood.")
                ) from error

    def _has_clear_filter(self):
        """Whether the filter can be understood: an app that it names may be uninstalled."""
        try:
            self._check_participant_domain()
        except ValidationError:
            return False
        return True

    def action_switch_creation(self):
        """Open the dialog that says how many contacts would be created, before it switches."""
        name = (
            self.env._("Create contacts in Odoo")
            if self.env.context.get("default_side") == "odoo"
            else self.env._("Create contacts in User.com")
        )
        return self._action_dialog("usercom.creation", name, self.env.context)

    def action_stop_creation(self):
        """Switch one kind of creation off."""
        side = self.env.context.get("usercom_side")
        self.write({"create_in_odoo" if side == "odoo" else "create_in_usercom": False})

    def _participants(self):
        """Which contacts take part: those of the account's filter and companies.

        Addresses of companies and people are neither people nor companies of their own. Archived
        contacts take part only where the filter names that field, as in any of Odoo's searches.

        :raises ValidationError: when the filter cannot be understood any more.
        """
        self._check_participant_domain()
        domain = Domain(ast.literal_eval(self.participant_domain))
        if all(condition.field_expr != "active" for condition in domain.iter_conditions()):
            domain &= Domain("active", "=", True)
        domain &= Domain("type", "in", ("contact", False)) | (
            Domain("is_company", "=", True) & Domain("parent_id", "=", False)
        )
        if self.company_id:
            domain &= Domain("company_id", "in", [False, self.company_id.id])
        return domain

    def _creations_left(self, origin):
        """How many more contacts may be created from one side just now."""
        count, _oldest = self.env["usercom.binding"]._created_within_a_day(self, origin)
        return self.creation_limit - count

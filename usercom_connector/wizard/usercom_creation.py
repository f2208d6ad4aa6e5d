from odoo import api, fields, models
from odoo.fields import Domain

from ..models.usercom_binding import AWAKE


class UsercomCreation(models.TransientModel):
    """Switches one kind of creation on, after saying how many contacts it will be now."""

    _name = "usercom.creation"
    _description = "Switch On Creating Contacts"

    account_id = fields.Many2one("usercom.account", required=True)
    side = fields.Selection(
        [("usercom", "In User.com"), ("odoo", "In Odoo")], "Create Contacts", required=True
    )
    count = fields.Integer("Waiting Now, at Most", compute="_compute_count")
    creation_limit = fields.Integer(related="account_id.creation_limit")
    unmatched = fields.Integer("Found by the Last List", compute="_compute_survey")
    include_existing = fields.Boolean(
        "Create these now, too",
        help="Otherwise only contacts that are saved from now on are created.",
    )

    @api.depends("account_id", "side")
    def _compute_count(self):
        for wizard in self:
            wizard.count = (
                wizard._count_existing() if wizard.side == "usercom" else wizard._count_held()
            )

    def _count_existing(self):
        """How many they are at most: two people with one address are one.

        Who of them is in User.com already, nobody knows before they are looked up.
        """
        # sudo: a number, and it concerns all contacts of the account's companies.
        partners = self.env["res.partner"].sudo()
        existing = Domain(self._existing())
        people = existing & Domain("is_company", "=", False)
        companies = partners.search_count(existing & Domain("is_company", "=", True))
        [(addresses,)] = partners._read_group(people, [], ["email_normalized:count_distinct"])
        [(numbers,)] = partners._read_group(
            people & Domain("email_normalized", "=", False),
            [],
            ["phone_sanitized:count_distinct"],
        )
        return addresses + numbers + companies

    def _existing(self):
        # sudo: contacts that the reader may not see are linked as well.
        bindings = (
            self.env["usercom.binding"]
            .sudo()
            ._search(AWAKE & Domain("account_id", "=", self.account_id.id))
        )
        return [
            *self.account_id._participants(),
            ("id", "not in", bindings.subselect("partner_id")),
        ]

    def _count_held(self):
        """How many people they are at most: one may be called about by number and by e-mail."""
        pings = self.env["usercom.ping"].search(
            [("account_res_id", "=", self.account_id.id), ("problem_code", "=", "creation_off")]
        )
        return len({ping._person() for ping in pings})

    @api.depends("account_id", "side")
    def _compute_survey(self):
        for wizard in self:
            survey = wizard.account_id._stream("survey")
            wizard.unmatched = wizard.side == "odoo" and survey.complete and survey.unmatched

    def action_switch_on(self):
        """Switch it on, and set to work on those counted."""
        self.ensure_one()
        if self.side == "odoo":
            self.account_id.create_in_odoo = True
            self.account_id._release("creation_off")
            if self.include_existing and self.unmatched:
                self.account_id._request_survey(creates=True)
        else:
            self.account_id.create_in_usercom = True
            if self.include_existing:
                self._enqueue_existing()
        return {"type": "ir.actions.act_window_close"}

    def _enqueue_existing(self):
        # sudo: creating is switched on for all contacts of the account, and all were counted.
        found = self.env["res.partner"].sudo()._search(self._existing())
        self.env["usercom.change"]._append_for_survey(self.account_id, found.subselect())
        self.account_id._request_survey()

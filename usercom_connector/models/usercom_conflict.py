from odoo import api, fields, models
from odoo.exceptions import UserError

from ..sync import mapping, merge


class UsercomConflict(models.Model):
    """A field that was changed on both sides and whose rule is to ask a person.

    Nothing of the field travels until somebody has decided. The decision moves a base: the side
    that loses counts as unchanged then, and the next round carries the other one over.
    """

    _name = "usercom.conflict"
    _description = "Conflict to Decide"
    _order = "id"

    binding_id = fields.Many2one(
        "usercom.binding", required=True, index=True, ondelete="cascade", readonly=True
    )
    account_id = fields.Many2one(related="binding_id.account_id", store=True, index=True)
    partner_id = fields.Many2one(related="binding_id.partner_id")
    mapping_id = fields.Many2one("usercom.mapping", compute="_compute_mapping_id")
    attribute = fields.Char(required=True, readonly=True)
    field_name = fields.Char("Field", compute="_compute_field_name")
    odoo_value = fields.Json(readonly=True)
    usercom_value = fields.Json(readonly=True)
    base_odoo = fields.Json(readonly=True)
    base_usercom = fields.Json(readonly=True)
    odoo_text = fields.Text("In Odoo Now", compute="_compute_texts")
    usercom_text = fields.Text("In User.com Now", compute="_compute_texts")
    base_odoo_text = fields.Text("Was in Odoo", compute="_compute_texts")
    base_usercom_text = fields.Text("Was in User.com", compute="_compute_texts")
    create_date = fields.Datetime("Waiting Since")

    _binding_attribute_uniq = models.Constraint(
        "UNIQUE(binding_id, attribute)", "A field is asked about once per contact."
    )

    @api.depends("attribute", "binding_id")
    def _compute_mapping_id(self):
        lines = self.env["usercom.mapping"].search([("account_id", "in", self.account_id.ids)])
        by_key = {(line.account_id, line.kind, line.attribute_id.name_std): line for line in lines}
        for conflict in self:
            key = conflict.account_id, conflict.binding_id.kind, conflict.attribute
            conflict.mapping_id = by_key.get(key)

    @api.depends("attribute", "mapping_id")
    @api.depends_context("lang")
    def _compute_field_name(self):
        sentence = self.env["usercom.sentence"]
        for conflict in self:
            label = conflict.mapping_id.odoo_label
            conflict.field_name = label or sentence._field_name(conflict.attribute)

    @api.depends("mapping_id", "odoo_value", "usercom_value", "base_odoo", "base_usercom")
    @api.depends_context("lang", "tz")
    def _compute_texts(self):
        sentence = self.env["usercom.sentence"]
        for conflict in self:
            converter = conflict.mapping_id.converter
            conflict.odoo_text = sentence._value(conflict.odoo_value, converter)
            conflict.usercom_text = sentence._value(conflict.usercom_value, converter)
            conflict.base_odoo_text = sentence._value(conflict.base_odoo, converter)
            conflict.base_usercom_text = sentence._value(conflict.base_usercom, converter)

    @api.depends("field_name", "partner_id")
    @api.depends_context("uid", "allowed_company_ids", "lang")
    def _compute_display_name(self):
        for conflict in self:
            conflict.display_name = f"{conflict.binding_id.display_name}: {conflict.field_name}"

    # === CRUD METHODS === #

    def unlink(self):
        accounts = self.account_id
        result = super().unlink()
        waiting = self.search([("account_id", "in", accounts.ids)]).account_id if accounts else None
        if accounts and (settled := accounts - waiting):
            settled._answered("conflict")
        return result

    # === ACTION METHODS === #

    def action_take_odoo(self):
        """Let Odoo's value go out."""
        self._still_there()._decide(mapping.ODOO_WINS)

    def action_take_usercom(self):
        """Let User.com's value come in."""
        self._still_there()._decide(mapping.USERCOM_WINS)

    def action_always(self):
        """Open the dialog that decides for this field once and for all."""
        conflict = self._still_there()
        if not conflict.mapping_id:
            raise UserError(self.env._("This has been decided meanwhile, or does not travel now."))
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Always So for This Field"),
            "res_model": "usercom.always",
            "view_mode": "form",
            "target": "new",
            "context": {"default_mapping_id": conflict.mapping_id.id},
        }

    def action_open_contact(self):
        """The contact that one of these is about."""
        conflict = self._still_there()
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": conflict.partner_id.id,
            "view_mode": "form",
        }

    def _still_there(self):
        """Those of these that nobody has decided since the reader saw them."""
        conflicts = self.exists()
        conflicts.check_access("read")
        return conflicts

    # === BUSINESS METHODS === #

    @api.model
    def _keep(self, binding, contact, merged):
        """Note what a merge asks about, and forget what it found settled."""
        open_ones = {conflict.attribute: conflict for conflict in binding.conflict_ids}
        for attribute, (ours, theirs) in merged.asked.items():
            vals = {
                "odoo_value": ours,
                "usercom_value": theirs,
                "base_odoo": _known(merged.base_odoo, attribute),
                "base_usercom": _known(merged.base_usercom, attribute),
            }
            if attribute in open_ones:
                open_ones[attribute].write(vals)
            else:
                self.create(vals | {"binding_id": binding.id, "attribute": attribute})
        settled = [
            conflict.id
            for attribute, conflict in open_ones.items()
            if attribute not in merged.asked and contact.has(attribute)
        ]
        self.browse(settled).unlink()

    def _decide(self, winner):
        """Take one side's value: what the other one holds counts as known from now on.

        :param winner: ``mapping.ODOO_WINS`` or ``mapping.USERCOM_WINS``.
        """
        base, value = (
            ("base_usercom", "usercom_value")
            if winner == mapping.ODOO_WINS
            else ("base_odoo", "odoo_value")
        )
        # sudo: bindings are not edited by hand; this is all that deciding changes in them.
        conflicts = self.sudo()
        for binding, some in conflicts.grouped("binding_id").items():
            known = {conflict.attribute: conflict[value] for conflict in some}
            binding.write({base: (binding[base] or {}) | known, "revision": binding.revision + 1})
        conflicts._look_again()
        conflicts.unlink()

    def _look_again(self):
        """Have the contacts of these compared and read again."""
        for account, bindings in self.binding_id.grouped("account_id").items():
            bindings.partner_id._usercom_enqueue(account)
            people = bindings.filtered(lambda binding: binding.kind == mapping.CONTACT)
            if subjects := [(account.id, "id", binding.usercom_id) for binding in people]:
                self.env["usercom.ping"]._append(subjects)
            if bindings - people:
                account._list_companies_soon()


def _known(base, attribute):
    value = base.get(attribute)
    return None if value == merge.UNANSWERED else value

from odoo import api, fields, models

from ..sync import merge


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
    attribute = fields.Char(required=True, readonly=True)
    field_name = fields.Char("Field", compute="_compute_field_name")
    odoo_value = fields.Json("In Odoo", readonly=True)
    usercom_value = fields.Json("In User.com", readonly=True)
    base_odoo = fields.Json("Was in Odoo", readonly=True)
    base_usercom = fields.Json("Was in User.com", readonly=True)

    _binding_attribute_uniq = models.Constraint(
        "UNIQUE(binding_id, attribute)", "A field is asked about once per contact."
    )

    @api.depends("attribute")
    @api.depends_context("lang")
    def _compute_field_name(self):
        for conflict in self:
            conflict.field_name = self.env["usercom.sentence"]._field_name(conflict.attribute)

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

    def action_take_odoo(self):
        """Let Odoo's value go out."""
        self._decide("base_usercom", "usercom_value")

    def action_take_usercom(self):
        """Let User.com's value come in."""
        self._decide("base_odoo", "odoo_value")

    def _decide(self, base, value):
        self.check_access("read")
        # sudo: bindings are not edited by hand; this is all that deciding changes in them.
        for conflict in self.sudo():
            binding = conflict.binding_id
            moved = {**(binding[base] or {}), conflict.attribute: conflict[value]}
            binding.write({base: moved, "revision": binding.revision + 1})
            binding.partner_id._usercom_enqueue(binding.account_id)
            binding._look_again(binding.usercom_id)
            conflict.unlink()


def _known(base, attribute):
    value = base.get(attribute)
    return None if value == merge.UNANSWERED else value

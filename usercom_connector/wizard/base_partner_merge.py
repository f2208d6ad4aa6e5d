from odoo import api, models

from ..sync import consent, mapping


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    @api.model
    def _update_foreign_keys(self, src_partners, dst_partner):
        # Of several bindings in one account the contact keeps one. Core would delete all of the
        # others, and their contacts in User.com would come to Odoo anew.
        # sudo: whoever may merge contacts need not be allowed to see the account's bindings.
        bindings = self.env["usercom.binding"].sudo()
        merged = bindings.search([("partner_id", "in", (src_partners | dst_partner).ids)])
        best_first = merged.sorted(
            lambda binding: (
                ("linked", "new", "gone").index(binding.state),
                binding.partner_id != dst_partner,
            )
        )
        for own in best_first.grouped(lambda binding: (binding.account_id, binding.kind)).values():
            kept, left = own[:1], own[1:]
            if kept.state == "linked" and kept.kind == mapping.CONTACT:
                # Their contacts in User.com become one as well, by the next push. Of one that was
                # just being created only the User ID is known.
                kept._join(
                    number
                    for loser in left
                    for number in (loser.usercom_id or loser.custom_id, *(loser.merge_ids or ()))
                )
            left._leave_contact()
        verdicts = self.env["usercom.verdict"].sudo()  # sudo: as above
        verdicts._move(src_partners, dst_partner)
        bindings.flush_model()
        # Bindings and consents move by SQL: what is left may differ from what the binding knows,
        # also when the merge changes no field of it.
        purposes = self.env["usercom.consent.purpose"].search([("active", "in", (True, False))])
        # sudo: a "no" counts whoever has said it.
        states = (
            self.env["usercom.consent.event"].sudo()._states(src_partners | dst_partner, purposes)
        )
        said_no = {
            (purpose, purpose._address_of(partner))
            for partner in src_partners | dst_partner
            for purpose in purposes
            if states[partner.id][purpose.id] == consent.WITHDRAWN
        }
        super()._update_foreign_keys(src_partners, dst_partner)
        dst_partner.invalidate_recordset()
        dst_partner._usercom_keep_withdrawn(said_no)
        # The people of merged companies have another employer now, by SQL, too.
        people = dst_partner.with_context(active_test=False).child_ids
        (dst_partner | people)._usercom_enqueue()

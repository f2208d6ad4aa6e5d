from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.mail import email_normalize

from ..sync import consent
from ..sync.pacing import CONSENT, EDIT


class UsercomConsentEvent(models.Model):
    """One dated word about one person's consent at one address. Events are only ever added."""

    _name = "usercom.consent.event"
    _description = "Consent Event"
    _order = "create_date desc, id desc"
    _rec_name = "state"

    partner_id = fields.Many2one("res.partner", string="Contact", index=True, ondelete="set null")
    address = fields.Char(required=True, help="The e-mail address that the consent is about.")
    purpose = fields.Selection([("email", "E-mail marketing")], required=True, default="email")
    state = fields.Selection(
        [(consent.GIVEN, "Given"), (consent.WITHDRAWN, "Withdrawn")], required=True
    )
    happened_at = fields.Datetime(
        string="Given or Withdrawn On",
        help="Empty: found without a date. Such a consent counts as older than every other word.",
    )
    source = fields.Selection(
        [("odoo", "Odoo"), ("import", "Import"), ("merge", "Merge"), ("usercom", "User.com")],
        required=True,
        default="odoo",
    )
    account_id = fields.Many2one("usercom.account", ondelete="set null")
    user_id = fields.Many2one("res.users", string="Recorded By", ondelete="set null")

    _address_idx = models.Index("(address, purpose)")

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            vals["address"] = email_normalize(vals.get("address")) or vals.get("address")
        events = super().create(vals_list)
        # A withdrawal counts for everybody with that address, so all of them may need sending.
        partners = self.env["res.partner"].sudo().with_context(active_test=False)
        withdrawn = events.filtered(lambda event: event.state == consent.WITHDRAWN)
        concerned = events.partner_id.sudo() | partners.search(
            [("email_normalized", "in", withdrawn.mapped("address"))]
        )
        concerned._usercom_enqueue(priority=CONSENT if withdrawn else EDIT)
        concerned.invalidate_recordset(["usercom_email_consent"])
        return events

    @api.model
    def _states(self, partners, purpose="email"):
        """The consent of each contact at the address it has now.

        What counts are the contact's own events at that address and everybody's withdrawals
        there. One query, however many contacts.

        :return: partner id to ``"given"``, ``"withdrawn"`` or ``None`` for never asked.
        """
        addresses = {partner.id: partner.email_normalized for partner in partners}
        wanted = tuple({address for address in addresses.values() if address})
        if not wanted:
            return dict.fromkeys(addresses)
        self.flush_model()
        by_address = {}
        for partner_id, address, state, happened_at in self.env.execute_query(
            SQL(
                """
                SELECT partner_id, address, state, happened_at
                  FROM usercom_consent_event
                 WHERE purpose = %s AND address IN %s
                """,
                purpose,
                wanted,
            )
        ):
            event = consent.Event(state == consent.GIVEN, happened_at)
            by_address.setdefault(address, []).append((partner_id, event))
        return {
            # In a form that is not saved yet the contact has a number only in its origin.
            partner.id: consent.state(
                event
                for owner, event in by_address.get(addresses[partner.id], ())
                if owner == partner._origin.id or not event.given
            )
            for partner in partners
        }

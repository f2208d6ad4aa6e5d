from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..models.usercom_consent_purpose import ADDRESSES
from ..sync import consent


class UsercomConsentWord(models.TransientModel):
    """What a person has said about a consent, as somebody who may edit the contact records it."""

    _name = "usercom.consent.word"
    _description = "Record a Consent"

    partner_id = fields.Many2one("res.partner", "Contact", required=True, ondelete="cascade")
    purpose_id = fields.Many2one("usercom.consent.purpose", required=True, ondelete="cascade")
    state = fields.Selection(
        [(consent.GIVEN, "Given"), (consent.WITHDRAWN, "Withdrawn")], required=True
    )
    address = fields.Char(compute="_compute_address")
    source = fields.Selection(
        [
            ("paper", "On paper"),
            ("phone", "By phone"),
            ("person", "In person"),
            ("email", "By e-mail"),
        ],
        "How",
        required=True,
    )
    opened_at = fields.Datetime(default=fields.Datetime.now)
    happened_at = fields.Datetime("When", required=True, default=fields.Datetime.now)
    document = fields.Char(help="Where it can be found.")
    warning = fields.Char(compute="_compute_warning")

    @api.depends("partner_id", "purpose_id")
    def _compute_address(self):
        for word in self:
            partner, purpose = word.partner_id, word.purpose_id
            word.address = partner and purpose and purpose._address_of(partner)

    @api.depends("partner_id", "purpose_id", "state", "happened_at")
    @api.depends_context("lang", "tz")
    def _compute_warning(self):
        # sudo: as on the contact
        standing = self.env["usercom.consent.standing"].sudo()
        for word in self:
            partner, purpose = word.partner_id, word.purpose_id
            [found] = standing._of(partner, purpose).values() if partner else [{}]
            state, event, _hindrance = found.get(purpose.id, (None, None, None))
            word.warning = False
            if (
                state in (consent.GIVEN, consent.WITHDRAWN)
                and event.happened_at
                and word.happened_at
                and word.happened_at < event.happened_at.replace(microsecond=0)
            ):
                word.warning = self.env._(
                    "There is a later word: %(state)s, %(since)s. This one goes on record and "
                    "changes nothing.",
                    state=standing._label(state),
                    since=standing._since(event),
                )

    def action_record(self):
        """Put it on record, with the rights of somebody who may edit the contact."""
        self.ensure_one()
        self.partner_id.check_access("write")
        now = consent.moment()
        if self.happened_at > now:
            raise ValidationError(
                self.env._("Nobody can have said this in the future. Enter when it was said.")
            )
        if self.purpose_id.channel in ADDRESSES and not self.address:
            raise ValidationError(
                self.env._(
                    "Enter a valid e-mail address or phone number on the contact first: a consent "
                    "belongs to the address it was given for."
                )
            )
        # "Now" means the moment of recording, to the microsecond: two words have an order.
        is_now = abs(self.happened_at - self.opened_at) <= timedelta(seconds=1)
        self.env["usercom.consent.event"]._record(
            self.partner_id,
            self.purpose_id,
            self.state,
            self.source,
            happened_at=now if is_now else self.happened_at,
            document=self.document,
        )
        return {"type": "ir.actions.act_window_close"}

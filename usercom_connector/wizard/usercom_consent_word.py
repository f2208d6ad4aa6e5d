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
            ("complaint", "Complaint"),
        ],
        "How",
        required=True,
    )
    opened_at = fields.Datetime(default=fields.Datetime.now)
    known_event = fields.Integer(
        compute="_compute_known_event",
        store=True,
        readonly=False,
        help="The word that counted when this was opened.",
    )
    happened_at = fields.Datetime("When", required=True, default=fields.Datetime.now)
    document = fields.Char(
        help="Where it can be found. It is part of the proof, so it stays for good, also when the "
        "person is erased: no personal data belongs here."
    )
    warning = fields.Char(compute="_compute_warning")

    @api.depends("partner_id", "purpose_id")
    def _compute_address(self):
        for word in self:
            partner, purpose = word.partner_id, word.purpose_id
            word.address = partner and purpose and purpose._address_of(partner)

    @api.depends("partner_id", "purpose_id")
    def _compute_known_event(self):
        for word in self:
            word.known_event = word._counting()[1].id

    @api.onchange("source")
    def _onchange_source(self):
        """A consent on paper or by e-mail bears a date, and "now" would overrule a "no" since."""
        is_dated = self.state == consent.GIVEN and self.source in ("paper", "email")
        if self.happened_at in (False, self.opened_at):
            self.happened_at = not is_dated and self.opened_at

    @api.depends("partner_id", "purpose_id", "state", "happened_at")
    @api.depends_context("lang", "tz")
    def _compute_warning(self):
        for word in self:
            state, event = word._counting()
            word.warning = (
                state in (consent.GIVEN, consent.WITHDRAWN)
                and event.happened_at
                and word.happened_at
                and word.happened_at < event.happened_at.replace(microsecond=0)
                and word._say_later(state, event)
            )

    def _counting(self):
        """What counts now: the state and the event that says so."""
        # sudo: as on the contact
        standing = self.env["usercom.consent.standing"].sudo()
        partner, purpose = self.partner_id, self.purpose_id
        if not partner or not purpose or not partner.sudo(False).has_access("read"):
            return None, self.env["usercom.consent.event"]
        state, event, _hindrance = standing._of(partner, purpose)[partner.id][purpose.id]
        return state, event

    def _say_later(self, state, event):
        standing = self.env["usercom.consent.standing"]
        return self.env._(
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
        if self.source == "complaint" and self.state == consent.GIVEN:
            raise ValidationError(
                self.env._("A complaint is no consent. Choose how the person gave it.")
            )
        if self.purpose_id.channel in ADDRESSES and not self.address:
            raise ValidationError(
                self.env._(
                    "Enter a valid e-mail address or phone number on the contact first: a consent "
                    "belongs to the address it was given for."
                )
            )
        # "Now" means the moment of recording, to the microsecond: two words have an order. But a
        # "no" that came in while this was open is not overruled by what was there before it.
        is_now = abs(self.happened_at - self.opened_at) <= timedelta(seconds=1)
        state, event = self._counting()
        no_meanwhile = state == consent.WITHDRAWN and event.id != self.known_event
        is_late = is_now and no_meanwhile and self.state == consent.GIVEN
        self.env["usercom.consent.event"]._record(
            self.partner_id,
            self.purpose_id,
            self.state,
            self.source,
            happened_at=now if is_now and not is_late else self.happened_at,
            document=self.document,
        )
        close = {"type": "ir.actions.act_window_close"}
        if not is_late:
            return close
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning",
                "sticky": True,
                "message": self._say_later(state, event),
                "next": close,
            },
        }

from odoo import api, fields, models
from odoo.fields import Domain

from ..sync import consent
from .usercom_consent_event import FACTS
from .usercom_consent_purpose import ADDRESSES


class UsercomConsentProof(models.AbstractModel):
    """What one person said, with the verification of each word. It reads, and writes nothing."""

    _name = "usercom.consent.proof"
    _description = "Proof of Consents"

    @api.model
    def _of(self, partner):
        """The proof for one contact, of what JSON can hold.

        Its own events, and withdrawals of others at its addresses, which count for it as well.
        """
        self.env["usercom.consent.event"]._require_manager()
        partner.check_access("read")
        # sudo: whoever may see the contact and the ledger sees all that counts for the contact
        events = self.env["usercom.consent.event"].sudo()
        purposes = self.env["usercom.consent.purpose"].sudo()
        purposes = purposes.search([("active", "in", (True, False))])
        domain = Domain("partner_id", "=", partner.id)
        for purpose in purposes.filtered(lambda purpose: purpose.channel in ADDRESSES):
            if address := purpose._address_of(partner):
                domain |= Domain(
                    [
                        ("purpose_id", "=", purpose.id),
                        ("address_hash", "=", events._hash_of(address)),
                        ("state", "=", consent.WITHDRAWN),
                    ]
                )
        events = events.search(domain, order="recorded_at, id")
        wrong = events._wrong(events.ids)
        wrong_seals = {seal.id: seal._wrong() for seal in events.seal_ids}
        states = events._states(partner, purposes)[partner.id]
        return {
            "made_at": fields.Datetime.now().isoformat(),
            # sudo: the number by which this database is known
            "database": self.env["ir.config_parameter"].sudo().get_param("database.uuid"),
            "contact": {
                "id": partner.id,
                "name": partner.display_name,
                "email": partner.email or None,
                "phone": partner.phone or None,
            },
            "states": [
                {"purpose": purpose.name, "state": states[purpose.id]} for purpose in purposes
            ],
            "events": [
                {
                    **told,
                    "verified": event.id not in wrong,
                    "wrong": wrong.get(event.id),
                    "seal": self._seal(event.seal_ids[:1], wrong_seals),
                }
                for event, told in zip(events, self._events(events), strict=True)
            ],
        }

    @api.model
    def _events(self, events):
        rows = events.read(FACTS, load=None)  # all at once: an export has very many
        return [
            {
                "id": event.id,
                "facts": event._facts(row),
                "digest": event.digest,
                "contact": event.partner_id.id or None,
                "address": event.address or None,
                "ip": event.ip or None,
                "browser": event.browser or None,
                "purpose": event.purpose_id.name,
                "recorded_by": event.user_id.name or None,
                "text": event.text_id.text or None,
                "text_version": event.text_id.display_name if event.text_id else None,
            }
            for event, row in zip(events, rows, strict=True)
        ]

    @api.model
    def _seal(self, seal, wrong):
        if not seal:
            return None
        return {
            **seal._facts(seal, seal.previous_id.digest),
            "digest": seal.digest,
            "verified": not wrong[seal.id],
            "wrong": wrong[seal.id],
        }

import hashlib
import json
import secrets

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL
from odoo.tools.mail import email_normalize

from ..sync import consent
from ..sync.pacing import CONSENT, EDIT
from .usercom_consent_purpose import ADDRESSES

#: What the digest of an event is about. The person and the address stand outside it, so that a
#: merge may point to another contact and an erasure may blank them, and the proof stays.
FACTS = (
    "purpose_id",
    "state",
    "happened_at",
    "happened_after",
    "recorded_at",
    "source",
    "actor_res_id",
    "origin",
    "document",
    "text_id",
    "subject",
    "address_hash",
    "evidence_hash",
)


class UsercomConsentEvent(models.Model):
    """One dated word about one person's consent at one address.

    Events are only ever added: nobody changes or deletes one, by whatever way. Words of a person
    are given and withdrawn. Pending (asked for, not confirmed yet) is none yet, and blocked, until
    released, says that the address takes no mail.
    """

    _name = "usercom.consent.event"
    _description = "Consent Event"
    _order = "recorded_at desc, id desc"
    _rec_name = "state"

    partner_id = fields.Many2one("res.partner", string="Contact", index=True, ondelete="set null")
    address = fields.Char(help="The e-mail address or phone number that the consent is about.")
    purpose_id = fields.Many2one(
        "usercom.consent.purpose",
        required=True,
        index=True,
        ondelete="restrict",
        default=lambda self: self.env["usercom.consent.purpose"]._email(),
    )
    state = fields.Selection(
        [
            (consent.GIVEN, "Given"),
            (consent.WITHDRAWN, "Withdrawn"),
            (consent.PENDING, "Waits for confirmation"),
            (consent.BLOCKED, "Blocked"),
            (consent.RELEASED, "No longer blocked"),
        ],
        required=True,
    )
    happened_at = fields.Datetime(
        string="Given or Withdrawn On",
        help="Empty: found without a date. Such a consent counts as older than every other word.",
    )
    happened_after = fields.Datetime(
        string="Not Before",
        help="Found by a read of User.com: said between this moment and the time of record. Of "
        "that span a consent counts from the beginning, a withdrawal from the end.",
    )
    recorded_at = fields.Datetime("Recorded On", required=True, readonly=True)
    source = fields.Selection(
        [
            ("odoo", "Odoo"),
            ("paper", "On paper"),
            ("phone", "By phone"),
            ("person", "In person"),
            ("email", "By e-mail"),
            ("portal", "Portal"),
            ("website", "Website form"),
            ("import", "Import"),
            ("merge", "Merge"),
            ("usercom", "User.com"),
            ("blacklist", "Blacklist"),
            ("complaint", "Complaint"),
            ("bounce", "Bounce"),
        ],
        required=True,
        default="odoo",
    )
    account_id = fields.Many2one("usercom.account", ondelete="set null")
    user_id = fields.Many2one("res.users", string="Recorded By", ondelete="set null")
    actor_res_id = fields.Integer(readonly=True, help="The number of the user who recorded it.")
    origin = fields.Char(help="The account of User.com, or whatever else it came from.")
    document = fields.Char(help="The page or the document where the person said so.")
    text_id = fields.Many2one("usercom.consent.text", "Shown Text", ondelete="restrict")
    ip = fields.Char("IP Address")
    browser = fields.Char()
    subject = fields.Char(
        readonly=True, help="Stands for the person, also when nobody knows any more who it was."
    )
    address_hash = fields.Char(readonly=True, help="Of the address, keyed: nobody can guess it.")
    evidence_hash = fields.Char(readonly=True, help="Of the IP address and the browser, keyed.")
    digest = fields.Char(readonly=True, help="Over the facts of this event.")

    _address_idx = models.Index("(address, purpose_id)")
    _withdrawn_idx = models.Index("(recorded_at) WHERE state = 'withdrawn'")
    _address_hash_idx = models.Index("(address_hash, purpose_id) WHERE address IS NULL")

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        subjects = self._subjects(
            {vals["partner_id"] for vals in vals_list if vals.get("partner_id")}
        )
        now = consent.moment()
        vals_list = [self._complete(vals, subjects, now) for vals in vals_list]
        events = super().create(vals_list)
        # A withdrawal counts for everybody with that address, so all of them may need sending.
        withdrawn = events.filtered(lambda event: event.state == consent.WITHDRAWN)
        concerned = events.partner_id.sudo() | withdrawn._partners_there()
        concerned._usercom_enqueue(priority=CONSENT if withdrawn else EDIT)
        concerned.invalidate_recordset(["usercom_email_consent"])
        events._project()
        return events

    def write(self, vals):
        if vals:
            raise AccessError(
                self.env._(
                    "What a person said stays on record as it was. Record a new word instead."
                )
            )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise AccessError(self.env._("What a person said stays on record."))

    @api.model
    def _record(self, partners, purpose, state, source="odoo", **facts):
        """Note the word of one or several people, who say it now unless the facts say when.

        :param facts: further values of the event (``happened_at``, ``document``, ``text_id``, ...).
        :return: the events; none for contacts without an address of the purpose's channel.
        """
        # sudo: nobody creates events directly. Whoever may call this has checked what they may.
        return self.sudo().create(
            [
                {
                    "partner_id": partner.id,
                    "address": purpose._address_of(partner),
                    "purpose_id": purpose.id,
                    "state": state,
                    "happened_at": consent.moment(),
                    "source": source,
                    "user_id": self.env.uid,
                    **facts,
                }
                for partner in partners
                if purpose.channel not in ADDRESSES or purpose._address_of(partner)
            ]
        )

    # === WHAT AN EVENT SAYS === #

    @api.model
    def _complete(self, vals, subjects, now):
        """The values of an event, with what is worked out when it is recorded."""
        absent = {"purpose_id", "source"} - vals.keys()
        vals = {**self.default_get(list(absent)), **vals} if absent else dict(vals)
        vals["address"] = email_normalize(vals.get("address")) or vals.get("address") or False
        vals["recorded_at"] = now
        partner_id = vals.get("partner_id")
        vals["subject"] = subjects.setdefault(partner_id or object(), secrets.token_hex(16))
        vals["actor_res_id"] = vals.get("user_id") or 0
        vals["address_hash"] = vals["address"] and self._hash_of(vals["address"])
        evidence = [vals.get("ip") or "", vals.get("browser") or ""]
        vals["evidence_hash"] = any(evidence) and self._hash_of(json.dumps(evidence))
        vals["digest"] = self._digest(vals)
        return vals

    @api.model
    def _subjects(self, partner_ids):
        """Partner id to the token that stands for the person, for those that have events."""
        if not partner_ids:
            return {}
        self.flush_model(["partner_id", "subject"])
        return dict(
            self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT ON (partner_id) partner_id, subject FROM usercom_consent_event
                     WHERE partner_id IN %s AND subject IS NOT NULL ORDER BY partner_id, id DESC
                    """,
                    tuple(partner_ids),
                )
            )
        )

    @api.model
    def _digest(self, vals):
        """The digest over the facts; the same for values of ``create`` and for a read row."""
        facts = {}
        for name in FACTS:
            value = vals.get(name) or None
            if name in ("happened_at", "happened_after", "recorded_at") and value:
                value = fields.Datetime.to_datetime(value).isoformat()
            facts[name] = value
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @api.model
    def _hash_of(self, text):
        # sudo: the ledger's own key, which a copy of the database keeps
        parameters = self.env["ir.config_parameter"].sudo()
        key = parameters.get_param("usercom_connector.ledger_key")
        if not key:
            key = secrets.token_hex(32)
            parameters.set_param("usercom_connector.ledger_key", key)
        return hashlib.blake2b(text.encode(), key=bytes.fromhex(key), digest_size=32).hexdigest()

    def _partners_there(self):
        """All contacts with the addresses of these events."""
        partners = self.env["res.partner"].sudo().with_context(active_test=False)
        found = partners
        for purpose, events in self.filtered("address").grouped("purpose_id").items():
            if name := ADDRESSES.get(purpose.channel):
                found |= partners.search([(name, "in", events.mapped("address"))])
        return found

    def _project(self):
        """Carry new words on to where Odoo itself keeps them, once."""

    # === WHAT THEY AMOUNT TO === #

    @api.model
    def _states(self, partners, purposes):
        """The consents of each contact at the addresses it has now.

        What counts are the contact's own events at that address and everybody's withdrawals
        there. One query, however many contacts.

        :return: partner id to purpose id to ``"given"``, ``"withdrawn"``, ``"pending"`` or ``None``
            for never asked.
        """
        return {
            partner_id: {purpose_id: consent.state_of(words) for purpose_id, words in own.items()}
            for partner_id, own in self._words(partners, purposes).items()
        }

    @api.model
    def _words(self, partners, purposes):
        """What counts of what was said, as in :meth:`_states`.

        :return: partner id to purpose id to list of (state, time).
        """
        # In a form that is not saved yet the contact has a number only in its origin.
        keys = {
            (partner.id, purpose.id): purpose._address_of(partner) or partner._origin.id
            for partner in partners
            for purpose in purposes
            if purpose.channel not in ADDRESSES or purpose._address_of(partner)
        }
        said = self._said(set(keys.values()), purposes)
        return {
            partner.id: {
                purpose.id: [
                    (state, at)
                    for owner, state, at, _event_id in said.get(
                        (purpose.id, keys.get((partner.id, purpose.id))), ()
                    )
                    if owner == partner._origin.id or state == consent.WITHDRAWN
                ]
                for purpose in purposes
            }
            for partner in partners
        }

    @api.model
    def _said(self, keys, purposes):
        """What was said at addresses, or by contacts where there is none.

        :param keys: addresses and partner ids.
        :return: (purpose id, address or partner id) to list of (partner id, state, time, event id),
            in the order of record.
        """
        addresses = [key for key in keys if isinstance(key, str)]
        owners = tuple(key for key in keys if not isinstance(key, str)) or (0,)
        if not keys or not purposes:
            return {}
        hashes = {self._hash_of(address): address for address in addresses}
        self.flush_model()
        said = {}
        for partner_id, purpose_id, address, address_hash, *word in self.env.execute_query(
            SQL(
                """
                SELECT partner_id, purpose_id, address, address_hash, state, happened_at, id
                  FROM usercom_consent_event
                 WHERE purpose_id IN %(purposes)s
                   AND (address IN %(addresses)s
                        OR (address IS NULL AND address_hash IN %(hashes)s)
                        OR (address_hash IS NULL AND partner_id IN %(owners)s))
              ORDER BY id
                """,
                purposes=tuple(purposes.ids),
                addresses=tuple(addresses) or ("",),
                hashes=tuple(hashes) or ("",),
                owners=owners,
            )
        ):
            key = address or hashes.get(address_hash) or partner_id
            said.setdefault((purpose_id, key), []).append((partner_id, *word))
        return said

    @api.model
    def _email_states(self, partners):
        """Partner id to the state of e-mail marketing, as :meth:`_states`."""
        purpose = self.env["usercom.consent.purpose"]._email()
        states = self._states(partners, purpose)
        return {partner_id: found[purpose.id] for partner_id, found in states.items()}

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
#: merge may point to another contact and an erasure may blank them, and the proof stays. A fact
#: that is empty is left out, so that one may be added later and the digests of before still hold.
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
    "text_hash",
    "subject",
    "address_hash",
    "evidence_hash",
)
TIMES = ("happened_at", "happened_after", "recorded_at")
#: Who may see what is there to prove an event, and not to work with it.
MANAGER = "usercom_connector.group_usercom_manager"


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
        help="Where the moment is not known: it lies between this one and that.",
    )
    recorded_at = fields.Datetime("Recorded On", required=True, readonly=True)
    source = fields.Selection(
        [
            ("odoo", "Odoo"),
            ("portal", "Portal"),
            ("website", "Website form"),
            ("import", "Import"),
            ("merge", "Merge"),
            ("usercom", "User.com"),
            ("blacklist", "Blacklist"),
            ("complaint", "Complaint"),
            ("bounce", "Bounce"),
            ("erased", "Said by somebody erased since"),
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
    text_hash = fields.Char(readonly=True, groups=MANAGER, help="Of the shown text, word by word.")
    ip = fields.Char("IP Address", groups=MANAGER)
    browser = fields.Char(groups=MANAGER)
    subject = fields.Char(
        readonly=True,
        groups=MANAGER,
        help="Stands for the person, also when nobody knows any more who it was.",
    )
    address_hash = fields.Char(
        readonly=True, groups=MANAGER, help="Of the address, keyed: nobody can guess it."
    )
    evidence_hash = fields.Char(
        readonly=True, groups=MANAGER, help="Of the IP address and the browser, keyed."
    )
    digest = fields.Char(readonly=True, groups=MANAGER, help="Over the facts of this event.")
    seal_ids = fields.Many2many(
        "usercom.consent.seal",
        "usercom_consent_seal_event_rel",
        "event_id",
        "seal_id",
        readonly=True,
        copy=False,
        groups=MANAGER,
    )

    _address_idx = models.Index("(address, purpose_id)")
    _address_hash_idx = models.Index("(address_hash, purpose_id)")
    _subject_idx = models.Index("(subject)")

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

    def export_data(self, fields_to_export):
        self._require_manager()
        return super().export_data(fields_to_export)

    @api.model
    def _require_manager(self):
        if not self.env.su and not self.env.user.has_group(MANAGER):
            raise AccessError(
                self.env._("What people said is shown, exported and erased by administrators only.")
            )

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
        vals = {**self.default_get(["purpose_id", "source"]), **vals}
        vals["address"] = email_normalize(vals.get("address")) or vals.get("address") or False
        vals["recorded_at"] = now
        partner_id = vals.get("partner_id")
        vals["subject"] = subjects.setdefault(partner_id or object(), secrets.token_hex(16))
        vals["actor_res_id"] = vals.get("user_id") or 0
        vals["address_hash"] = vals["address"] and self._hash_of(vals["address"])
        evidence = [vals.get("ip") or "", vals.get("browser") or ""]
        text = self.env["usercom.consent.text"].sudo().browse(vals.get("text_id") or ())
        vals["text_hash"] = bool(text) and text._hash()
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
    def _facts(self, vals):
        """What the digest is about; the same of values of ``create`` and of a read row."""
        facts = {name: vals[name] for name in FACTS if vals.get(name)}
        for name in TIMES:
            if name in facts:
                facts[name] = fields.Datetime.to_datetime(facts[name]).isoformat()
        return facts

    @api.model
    def _digest(self, vals):
        return hashlib.sha256(json.dumps(self._facts(vals), sort_keys=True).encode()).hexdigest()

    @api.model
    def _ledger_key(self):
        """The ledger's own key, which a copy of the database keeps. It is made at installation."""
        parameters = self.env["ir.config_parameter"].sudo()  # sudo: nobody may read it
        key = parameters.get_param("usercom_connector.ledger_key")
        if not key:
            key = secrets.token_hex(32)
            parameters.set_param("usercom_connector.ledger_key", key)
        return key

    @api.model
    def _hash_of(self, text):
        key = bytes.fromhex(self._ledger_key())
        return hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest()

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

    # === PROOF === #

    @api.model
    def _wrong(self, ids):
        """What does not fit in these events, each in a sentence: event id to the sentence."""
        self.flush_model()
        rows = self.env.execute_query_dict(
            SQL(
                """
                SELECT id, partner_id, user_id, address, ip, browser, digest, %s
                  FROM usercom_consent_event WHERE id IN %s
                """,
                SQL(", ").join(SQL.identifier(name) for name in FACTS),
                tuple(ids) or (0,),
            )
        )
        texts = self.env["usercom.consent.text"].sudo()  # sudo: only their hashes are compared
        texts = texts.browse({row["text_id"] for row in rows if row["text_id"]})
        hashes = {text.id: text._hash() for text in texts}
        # A merge gives a contact several subjects, but nothing gives a subject several contacts.
        torn = self.env.execute_query(
            SQL(
                """
                SELECT subject FROM usercom_consent_event
                 WHERE subject IN %s AND partner_id IS NOT NULL
              GROUP BY subject HAVING count(DISTINCT partner_id) > 1
                """,
                tuple({row["subject"] for row in rows}) or ("",),
            )
        )
        torn = {subject for (subject,) in torn}
        found = {}
        for row in rows:
            if sentence := self._wrong_in(row, hashes, torn):
                found[row["id"]] = sentence
        return found

    @api.model
    def _wrong_in(self, row, texts, torn):
        said = {"number": row["id"]}
        evidence = [row["ip"] or "", row["browser"] or ""]
        if row["digest"] != self._digest(row):
            return self.env._(
                "Event %(number)s: its facts are not the ones that were recorded.", **said
            )
        if row["address"] and row["address_hash"] != self._hash_of(row["address"]):
            return self.env._(
                "Event %(number)s: its address is not the one that was recorded.", **said
            )
        if any(evidence) and row["evidence_hash"] != self._hash_of(json.dumps(evidence)):
            return self.env._(
                "Event %(number)s: its IP address or browser are not the ones that were recorded.",
                **said,
            )
        if row["user_id"] and row["user_id"] != row["actor_res_id"]:
            return self.env._("Event %(number)s: it was recorded by another user.", **said)
        if row["text_id"] and row["text_hash"] != texts.get(row["text_id"]):
            return self.env._(
                "Event %(number)s: the text that the person was shown was changed since.", **said
            )
        if row["subject"] in torn:
            return self.env._(
                "Event %(number)s: this person's events stand with several contacts.", **said
            )
        return None

    # === ERASURE === #

    def _erase(self, partners):
        """Take these contacts out of their events, and the address out of these events.

        So is done with events of nobody at the contacts' addresses, unless another contact has the
        address. The events stay and verify, because what goes stands outside the digest. A "no"
        goes on counting by the hash of the address.

        :return: others at these addresses, to be passed to :meth:`_recall`.
        """
        self.flush_model()
        users = self.env["res.users"].sudo().with_context(active_test=False)  # sudo: as _record
        users = users.search([("partner_id", "in", partners.ids)])
        left, shared = self._addresses_left(partners)
        self.env.execute_query(
            SQL(
                """
                UPDATE usercom_consent_event
                   SET partner_id = NULL, address = NULL, ip = NULL, browser = NULL,
                       user_id = CASE WHEN user_id IN %(users)s THEN NULL ELSE user_id END,
                       create_uid = CASE WHEN create_uid IN %(users)s THEN NULL ELSE create_uid END,
                       write_uid = CASE WHEN write_uid IN %(users)s THEN NULL ELSE write_uid END
                 WHERE id IN %(events)s OR partner_id IN %(partners)s
                    OR (partner_id IS NULL AND address IN %(addresses)s)
             RETURNING id
                """,
                users=tuple(users.ids) or (0,),
                events=tuple(self.ids) or (0,),
                partners=tuple(partners.ids) or (0,),
                addresses=tuple(left) or ("",),
            )
        )
        self.invalidate_model()
        partners.invalidate_recordset(["usercom_consent_event_ids", "usercom_email_consent"])
        return shared

    @api.model
    def _addresses_left(self, partners):
        """The addresses of these contacts that nobody else has, and who else has one of them."""
        # sudo: whose address it is counts, not who may be seen
        everybody = self.env["res.partner"].sudo().with_context(active_test=False)
        left, others = set(), everybody
        for name in sorted(set(ADDRESSES.values())):
            mine = {partner[name] for partner in partners if partner[name]}
            found = everybody.search([(name, "in", list(mine)), ("id", "not in", partners.ids)])
            left |= mine - set(found.mapped(name))
            others |= found
        return left, others

    @api.model
    def _recall(self, partners):
        """Say a "no" again whose person was erased, at the address that these contacts have.

        The keyed hash tells. It takes the time of the one that was said first, so a later consent
        of the contact stands.
        """
        holders = {}
        for name in set(ADDRESSES.values()):
            for partner in partners.sudo():  # sudo: the addresses are hashed, not shown
                if partner[name]:
                    holders.setdefault(self._hash_of(partner[name]), partner)
        if not holders:
            return
        self.flush_model()
        said = self.env.execute_query(
            SQL(
                """
                SELECT gone.address_hash, gone.purpose_id, max(gone.happened_at)
                  FROM usercom_consent_event AS gone
                 WHERE gone.address IS NULL AND gone.address_hash IN %(hashes)s
                   AND gone.state = %(withdrawn)s
                   AND NOT EXISTS (
                       SELECT FROM usercom_consent_event AS known
                        WHERE known.address IS NOT NULL AND known.state = gone.state
                          AND known.address_hash = gone.address_hash
                          AND known.purpose_id = gone.purpose_id
                          AND COALESCE(known.happened_at, '-infinity')
                              >= COALESCE(gone.happened_at, '-infinity'))
              GROUP BY gone.address_hash, gone.purpose_id
                """,
                hashes=tuple(holders),
                withdrawn=consent.WITHDRAWN,
            )
        )
        for address_hash, purpose_id, at in said:
            purpose = self.env["usercom.consent.purpose"].browse(purpose_id)
            self._record(
                holders[address_hash], purpose, consent.WITHDRAWN, "erased", happened_at=at
            )

    # === WHAT THEY AMOUNT TO === #

    @api.model
    def _states(self, partners, purposes):
        """The consents of each contact at the addresses it has now.

        What counts are the contact's own events at that address and everybody's withdrawals
        there. One query, however many contacts.

        :return: partner id to purpose id to ``"given"``, ``"withdrawn"``, ``"pending"`` or ``None``
            for never asked.
        """
        # In a form that is not saved yet the contact has a number only in its origin.
        keys = {
            (partner.id, purpose.id): purpose._address_of(partner) or partner._origin.id
            for partner in partners
            for purpose in purposes
            if purpose.channel not in ADDRESSES or purpose._address_of(partner)
        }
        said = self._said(set(keys.values()), purposes)
        states = {partner.id: dict.fromkeys(purposes.ids) for partner in partners}
        for partner in partners:
            for purpose in purposes:
                key = keys.get((partner.id, purpose.id))
                own = [
                    (state, at)
                    for owner, state, at in said.get((purpose.id, key), ())
                    if owner == partner._origin.id or state == consent.WITHDRAWN
                ]
                states[partner.id][purpose.id] = consent.state_of(own)
        return states

    @api.model
    def _said(self, keys, purposes):
        """What was said at addresses, or by contacts where there is none.

        :param keys: addresses and partner ids.
        :return: (purpose id, address or partner id) to list of (partner id, state, time).
        """
        addresses = [key for key in keys if isinstance(key, str)]
        owners = tuple(key for key in keys if not isinstance(key, str)) or (0,)
        if not keys or not purposes:
            return {}
        hashes = {self._hash_of(address): address for address in addresses}
        self.flush_model()
        said = {}
        for partner_id, purpose_id, address, address_hash, state, at in self.env.execute_query(
            SQL(
                """
                SELECT partner_id, purpose_id, address, address_hash, state, happened_at
                  FROM usercom_consent_event
                 WHERE purpose_id IN %(purposes)s
                   AND (address IN %(addresses)s
                        OR (address IS NULL AND address_hash IN %(hashes)s)
                        OR (address_hash IS NULL AND partner_id IN %(owners)s))
                """,
                purposes=tuple(purposes.ids),
                addresses=tuple(addresses) or ("",),
                hashes=tuple(hashes) or ("",),
                owners=owners,
            )
        ):
            key = address or hashes.get(address_hash) or partner_id
            said.setdefault((purpose_id, key), []).append((partner_id, state, at))
        return said

    @api.model
    def _email_states(self, partners):
        """Partner id to the state of e-mail marketing, as :meth:`_states`."""
        purpose = self.env["usercom.consent.purpose"]._email()
        states = self._states(partners, purpose)
        return {partner_id: found[purpose.id] for partner_id, found in states.items()}

import hashlib
import json
import secrets

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import SQL, format_datetime
from odoo.tools.mail import email_normalize

from ..sync import consent
from ..sync.pacing import CONSENT, EDIT
from .usercom_consent_purpose import ADDRESSES, BLACKLISTS, STATES

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
BROWSER_LENGTH = 300
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
            *STATES,
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
            ("confirmation", "Confirmed by e-mail"),
            ("import", "Import"),
            ("merge", "Merge"),
            ("usercom", "User.com"),
            ("blacklist", "Blacklist"),
            ("mailing", "Mailing list"),
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
    document = fields.Char(
        help="The page or the document where the person said so. It is part of the proof, so it "
        "stays for good, also when the person is erased: no personal data belongs here."
    )
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
    is_met = fields.Boolean(
        "Contact with This Address",
        compute="_compute_is_met",
        search="_search_is_met",
        help="Whether somebody whom the reader may see has this address.",
    )
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
    _withdrawn_idx = models.Index("(recorded_at) WHERE state = 'withdrawn'")
    _address_hash_idx = models.Index("(address_hash, purpose_id)")
    _subject_idx = models.Index("(subject)")

    # === FIELDS === #

    @api.depends("purpose_id.name", "state")
    @api.depends_context("lang")
    def _compute_display_name(self):
        states = dict(self._fields["state"]._description_selection(self.env))
        for event in self:
            state = states.get(event.state, "")
            event.display_name = f"{event.purpose_id.display_name}: {state}"

    @api.depends("address")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_is_met(self):
        met = self.sudo().search([("id", "in", self.ids), ("is_met", "=", True)])
        for event in self:
            event.is_met = event in met

    def _search_is_met(self, operator, value):
        if operator != "in" or list(value) != [True]:
            return NotImplemented
        # The rule of these events asks as the superuser, and means the reader.
        partners = self.env["res.partner"].sudo(False).with_context(active_test=False)

        def to_sql(_events, alias, _query):
            there = partners._search([])
            address = SQL.identifier(alias, "address")
            there.add_where(
                SQL(" OR ").join(
                    SQL("%s = %s", partners._field_to_sql(there.table, name, there), address)
                    for name in sorted(set(ADDRESSES.values()))
                )
            )
            return SQL("EXISTS (%s)", there.select(SQL("1")))

        return Domain.custom(to_sql=to_sql)

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        subjects = self._subjects(
            {vals["partner_id"] for vals in vals_list if vals.get("partner_id")}
        )
        now = consent.moment()
        missing = {
            name for name in ("purpose_id", "source") for vals in vals_list if name not in vals
        }
        # At installation the purpose that is the default may not be there yet.
        defaults = self.default_get(list(missing)) if missing else {}
        vals_list = [self._complete({**defaults, **vals}, subjects, now) for vals in vals_list]
        events = super().create(vals_list)
        # A withdrawal counts for everybody with that address, so all of them may need sending.
        withdrawn = events.filtered(lambda event: event.state == consent.WITHDRAWN)
        concerned = events.partner_id.sudo() | withdrawn._partners_there()
        concerned._usercom_enqueue(priority=CONSENT if withdrawn else EDIT)
        concerned.invalidate_recordset(["usercom_email_consent"])
        events._project()
        self.env["usercom.consent.confirmation"]._ask(events)
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

    def _export_rows(self, fields, *, _is_toplevel_call=True):
        self._require_manager()  # here, so that an export of contacts gets none either
        return super()._export_rows(fields, _is_toplevel_call=_is_toplevel_call)

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
                self._word(partner, purpose, state, source, **facts)
                for partner in partners
                if purpose.channel not in ADDRESSES
                or facts.get("address")
                or purpose._address_of(partner)
            ]
        )

    @api.model
    def _word(self, partner, purpose, state, source="odoo", **facts):
        """The values of an event, as :meth:`_record`."""
        return {
            "partner_id": partner.id,
            "address": purpose._address_of(partner),
            "purpose_id": purpose.id,
            "state": state,
            "happened_at": consent.moment(),
            "source": source,
            "user_id": self.env.uid,
            **facts,
        }

    @api.model
    def _evidence(self):
        """The IP address and the browser of whoever the request comes from that is answered now."""
        if not request:
            return {}
        browser = request.httprequest.user_agent.string
        return {"ip": request.httprequest.remote_addr, "browser": browser[:BROWSER_LENGTH]}

    # === WHAT AN EVENT SAYS === #

    @api.model
    def _complete(self, vals, subjects, now):
        """The values of an event, with what is worked out when it is recorded."""
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
        """Carry new words on to where Odoo itself keeps them, once: its blacklists."""
        for name, channels in BLACKLISTS.items():
            self.env[name]._usercom_follow(
                self.filtered(
                    lambda event, channels=channels: (
                        event.address
                        and event.purpose_id.feeds_blacklist
                        and event.purpose_id.channel in channels
                    )
                )
            )

    def _reason(self):
        """Who said so, when, and where from, in a sentence, as a message."""
        self.ensure_one()
        facts = {
            "who": self.address,  # no name, which would outlive an erasure in a history
            "purpose": self.purpose_id.name,
            "when": format_datetime(self.env, self.happened_at or self.recorded_at),
            "where": dict(self._fields["source"]._description_selection(self.env))[self.source],
        }
        facts["where"] = ", ".join(filter(None, [facts["where"], self.origin, self.document]))
        if self.state == consent.GIVEN:
            said = self.env._("%(who)s consented to %(purpose)s on %(when)s (%(where)s).", **facts)
        else:
            said = self.env._(
                "%(who)s withdrew the consent to %(purpose)s on %(when)s (%(where)s).", **facts
            )
        return Markup("<p>%s</p>") % said

    # === OF ADDRESSES, WHOSEVER THEY ARE === #

    @api.model
    def _record_there(self, addresses, purposes, state, source, *, anew=False, **facts):
        """Note what was said at addresses: for every contact that has one of them now, and
        without a contact where nobody has, so that it counts for whoever comes later.

        What is so already gets no second event. However many addresses, a constant number of
        queries.

        :param addresses: each address to further values of its events.
        :param anew: whether it is said just now. Then a "no" gets an event also where there is an
            older one: a "yes" from in between may come later, from User.com.
        """
        # sudo: nobody creates events directly, and all contacts there are meant, also hidden ones.
        events = self.sudo()
        owners = events._owners(addresses, purposes)
        said = events._said(set(addresses), purposes)
        now = consent.moment()
        vals_list = []
        for purpose in purposes:
            for address, more in addresses.items():
                vals = {
                    "address": address,
                    "purpose_id": purpose.id,
                    "state": state,
                    "happened_at": now,
                    "source": source,
                    "user_id": self.env.uid,
                    **facts,
                    **more,
                }
                words = said.get((purpose.id, address), [])
                for partner_id in owners[purpose.id].get(address, [False]):
                    if not self._is_so(words, partner_id, state, vals["happened_at"], anew=anew):
                        vals_list.append({**vals, "partner_id": partner_id})
        if state in (consent.BLOCKED, consent.RELEASED):
            # No word of a person: automations of Odoo, which stand before the registry's own
            # ``create``, get to see none of it.
            return UsercomConsentEvent.create(events, vals_list)
        return events.create(vals_list)

    @api.model
    def _is_so(self, words, partner_id, state, at, *, anew=False):
        """Whether one more such event would say nothing new of a contact, or of nobody's address.

        :param words: of :meth:`_said`, about the address.
        """
        if state in (consent.BLOCKED, consent.RELEASED):
            return consent.is_blocked(word[1:] for word in words) == (state == consent.BLOCKED)
        if state == consent.WITHDRAWN:
            last = max((word[2] for word in words if word[1] == state and word[2]), default=None)
            if last and last >= at:
                return True
            # One act may pass here twice; it is told apart from the next by its transaction.
            if anew and not (last and last >= self.env.cr.now()):
                return False
        return self._heard(words, partner_id) == state

    @api.model
    def _heard(self, words, partner_id):
        """What words at an address amount to for one contact, or for whoever gets it."""
        return consent.state_of(
            (word[1], word[2])
            for word in words
            if word[0] == (partner_id or None) or word[1] == consent.WITHDRAWN
        )

    @api.model
    def _refused(self, addresses, purposes):
        """(purpose id, address) where a contact there, or whoever gets it, has said no."""
        return {
            key
            for key, states in self._states_there(addresses, purposes).items()
            if consent.WITHDRAWN in states
        }

    @api.model
    def _states_there(self, addresses, purposes):
        """(purpose id, address) to the states of all contacts there, or of whoever gets it.

        Only where anything was said. What waits there without a contact, because several have the
        address, waits beside them.
        """
        # sudo: a "no" counts, whoever may see the contact.
        events = self.sudo()
        owners = events._owners(addresses, purposes)
        found = {}
        for (purpose_id, address), words in events._said(set(addresses), purposes).items():
            there = owners[purpose_id].get(address, [False])
            states = {self._heard(words, partner_id) for partner_id in there}
            if self._heard(words, False) == consent.PENDING:
                states.add(consent.PENDING)
            found[purpose_id, address] = states
        return found

    @api.model
    def _owners(self, addresses, purposes):
        """Purpose id to address to the ids of all contacts that have it."""
        partners = self.env["res.partner"].with_context(active_test=False)
        found = {}
        for name in {ADDRESSES[purpose.channel] for purpose in purposes}:
            having = partners.search_fetch([(name, "in", list(addresses))], [name])
            found[name] = {key: there.ids for key, there in having.grouped(name).items()}
        return {purpose.id: found[ADDRESSES[purpose.channel]] for purpose in purposes}

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
        # Also at addresses that the contacts no longer have.
        mine = self.sudo().search([("partner_id", "in", partners.ids)]) | self  # sudo: as _record
        there = mine._partners_there() - partners
        alone = set(mine.mapped("address")) - {*there.mapped("email_normalized"), False}
        self.env["usercom.consent.confirmation"]._forget(alone)
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
        return shared | there

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

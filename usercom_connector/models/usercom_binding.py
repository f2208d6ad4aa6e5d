import hashlib
import json
import secrets
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, hmac
from odoo.tools.mail import email_normalize

from ..sync import consent, converters, mapping, merge, values
from ..sync.pacing import BULK
from ..tools.companies import MemberJob
from ..tools.exchange import DELETE, UNSUBSCRIBE, PushJob

#: Which of a contact's bindings count: those of what it is now. A person who has become a company,
#: or the other way round, keeps the other one, which sleeps.
AWAKE = (Domain("kind", "=", mapping.CONTACT) & Domain("partner_id.is_company", "=", False)) | (
    Domain("kind", "=", mapping.COMPANY) & Domain("partner_id.is_company", "=", True)
)

#: What other addons may not add to what is written: who the contact is, and consents, which have
#: rules of their own and are recorded as events.
NOT_BY_PAYLOAD = frozenset({"id", "custom_id", consent.UNSUBSCRIBED, "notifications"})


class BusyError(Exception):
    """Somebody's save holds the record right now."""


class Read(NamedTuple):
    """A read of User.com that is to be merged into the contact that it is tied to.

    ``began`` is a time before the read. ``moved`` are the attributes of addresses that a write of
    ours has changed which this answers: a consent that it shows was given, or withdrawn, for the
    old ones. ``before`` are the reads right before that write, of this contact first and of those
    that were joined with it, each with the last words known by then.
    """

    binding: models.BaseModel
    contact: object
    began: object
    moved: frozenset = frozenset()
    before: object = ()


class NamesakeThere(NamedTuple):
    """Why an e-mail address was not written: these contacts in User.com have it already."""

    usercom_ids: tuple


class UsercomBinding(models.Model):
    """The tie between one contact in Odoo and one in User.com, and what both held when they agreed.

    A binding without a contact in Odoo is what is left of a deleted one: it keeps the contact in
    User.com from being created in Odoo again. Or it is only a note of a company in User.com whom
    nobody in Odoo is (``usercom.directory``).
    """

    _name = "usercom.binding"
    _description = "User.com Binding"
    _order = "id desc"

    account_id = fields.Many2one(
        "usercom.account", required=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        "res.partner", "Contact", index="btree_not_null", ondelete="set null", readonly=True
    )
    kind = fields.Selection(
        [(mapping.CONTACT, "Contact"), (mapping.COMPANY, "Company")],
        required=True,
        default=mapping.CONTACT,
        readonly=True,
    )
    usercom_id = fields.Char("User.com ID", readonly=True, help="User.com's own number.")
    usercom_url = fields.Char("Profile", compute="_compute_usercom_url")
    custom_id = fields.Char("User ID", required=True, readonly=True, help="The ID that we assign.")
    send_custom_id = fields.Boolean(
        readonly=True, help="The contact was in User.com without a User ID; it gets ours."
    )
    custom_id_there = fields.Char(
        readonly=True, help="The User ID that User.com has, as it was last written or seen there."
    )
    is_awaited = fields.Boolean(
        readonly=True, help="The person is on the website: the User ID goes without anything else."
    )
    address_hash = fields.Char(
        readonly=True,
        help="Of the address of a contact that was deleted in Odoo, keyed: nobody can guess it.",
    )
    farewell = fields.Selection(
        [(UNSUBSCRIBE, "Unsubscribe"), (DELETE, "Delete")],
        readonly=True,
        help="What is still to become of the contact in User.com after it was deleted in Odoo.",
    )
    former_res_id = fields.Integer(readonly=True, help="The number of the contact to say it of.")
    merge_ids = fields.Json(
        readonly=True,
        help="User.com IDs, or User IDs, of the contacts that are to be joined with this one.",
    )
    merge_met = fields.Json(
        readonly=True,
        help="The words of these contacts that are on record: when they are joined, they are gone.",
    )
    state = fields.Selection(
        [
            ("new", "Being created"),
            ("linked", "Linked"),
            ("gone", "Deleted in User.com"),
            ("seen", "Seen in User.com"),
        ],
        required=True,
        default="new",
        readonly=True,
    )
    origin = fields.Selection(
        [
            ("odoo", "Created from Odoo"),
            ("usercom", "Created from User.com"),
            ("matched", "Was on both sides"),
        ],
        required=True,
        readonly=True,
    )
    member_of = fields.Char(
        readonly=True, help="User.com ID of the company that the contact was made a member of."
    )
    conflict_ids = fields.One2many("usercom.conflict", "binding_id", readonly=True)
    drift_ids = fields.One2many("usercom.consent.drift", "binding_id", readonly=True)
    base_odoo = fields.Json(readonly=True)
    base_usercom = fields.Json(readonly=True)
    refused = fields.Json(readonly=True, help="Values that User.com did not take, not sent again.")
    notices = fields.Json(readonly=True, help="What of the contact could not travel, and why.")
    notice = fields.Text("Could Not Travel", compute="_compute_notice")
    revision = fields.Integer(readonly=True, help="Grows with each change of the base.")
    synced_at = fields.Datetime("Last in Step", readonly=True)
    yes_written_at = fields.Datetime(
        readonly=True, help="A moment before the last call that wrote a consent that was given."
    )
    missed = fields.Boolean(
        readonly=True, help="User.com's edits were passed over while the contact took no part."
    )

    _partner_uniq = models.Constraint(
        "UNIQUE(account_id, partner_id, kind)", "A contact has one binding per account."
    )
    _usercom_id_uniq = models.Constraint(
        "UNIQUE(account_id, usercom_id, kind)", "A contact in User.com has one binding per account."
    )
    _custom_id_uniq = models.Constraint(
        "UNIQUE(account_id, custom_id, kind)", "A User ID belongs to one binding per account."
    )

    _created_idx = models.Index("(account_id, origin, create_date)")
    _address_hash_idx = models.Index("(account_id, address_hash) WHERE address_hash IS NOT NULL")
    _former_idx = models.Index("(former_res_id) WHERE farewell IS NOT NULL")
    # The same expressions as in ``usercom.directory._candidates``.
    _company_email_idx = models.Index(
        "(account_id, lower(base_usercom ->> 'email')) WHERE kind = 'company'"
    )
    _company_name_idx = models.Index(
        "(account_id, lower(base_usercom ->> 'name')) WHERE kind = 'company'"
    )

    @api.depends("notices")
    @api.depends_context("lang")
    def _compute_notice(self):
        sentence = self.env["usercom.sentence"]
        for binding in self:
            texts = [sentence._of(code, args) for code, args in binding.notices or ()]
            binding.notice = "\n".join(texts) or False

    @api.depends("usercom_id", "account_id", "kind")
    def _compute_usercom_url(self):
        for binding in self:
            # Where User.com shows a company is not known.
            is_person = binding.kind == mapping.CONTACT
            number = is_person and binding.usercom_id
            binding.usercom_url = binding.account_id._profile_url(number)

    @api.depends("partner_id", "usercom_id", "custom_id")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_display_name(self):
        readable = self.partner_id._filtered_access("read")
        for binding in self:
            # sudo: who may see a contact may see the name of the company it belongs to.
            name = (binding.partner_id & readable).sudo().display_name
            binding.display_name = name or binding.usercom_id or binding.custom_id

    @api.ondelete(at_uninstall=False)
    def _unlink_conflicts(self):
        # The database would delete them, and close no activity.
        self.conflict_ids.unlink()
        self.drift_ids.unlink()

    # === FINDING AND MAKING === #

    @api.model
    def _of_partners(self, account, partners):
        """The bindings of these contacts, each of the kind that the contact now is.

        :return: partner id to binding, for those that have one.
        """
        found = self.search([("account_id", "=", account.id), ("partner_id", "in", partners.ids)])
        return {binding.partner_id.id: binding for binding in found if not binding._is_asleep()}

    def _is_asleep(self):
        """Whether the contact has become the other kind, of which it has another binding."""
        return bool(self.partner_id) and self.kind != self.partner_id._usercom_kind()

    @api.model
    def _asleep(self, account, partners):
        """The bindings of the people whom these companies once were.

        :return: partner id to binding.
        """
        companies = partners.filtered("is_company")
        found = companies and self.search(
            [
                ("account_id", "=", account.id),
                ("partner_id", "in", companies.ids),
                ("kind", "=", mapping.CONTACT),
                ("state", "=", "linked"),
            ]
        )
        return {binding.partner_id.id: binding for binding in found or ()}

    def _snapshots(self, account):
        """What the contacts of these bindings hold now.

        One that has become the other kind is left as it was, like whoever does not take part.

        :return: binding id to ``Snapshot``.
        """
        snapshots = self.partner_id._usercom_snapshots(account)
        found = {binding.id: snapshots.get(binding.partner_id.id) for binding in self}
        if asleep := self.filtered(lambda binding: binding._is_asleep()):
            states = asleep.partner_id._usercom_consents(account)
            for binding in asleep:
                is_person = binding.kind == mapping.CONTACT
                found[binding.id] = replace(
                    snapshots[binding.partner_id.id],
                    rules=(),
                    kind=binding.kind,
                    consents=states[binding.partner_id.id] if is_person else {},
                    takes_part=False,
                    values={},
                    notices=[],
                )
        return found

    @api.model
    def _find(self, account, contacts, kind=mapping.CONTACT):
        """The bindings of contacts in User.com.

        Also those whose contact was being created when the answer got lost: their User ID was
        committed before the call.

        :return: the contact's number to binding, empty where there is none.
        """
        found = self.search(
            Domain("account_id", "=", account.id)
            & Domain("kind", "=", kind)
            & (
                Domain("usercom_id", "in", [str(contact.id) for contact in contacts])
                | Domain("custom_id", "in", [c.custom_id for c in contacts if c.custom_id])
            )
        )
        tied = {binding.usercom_id: binding for binding in found if binding.usercom_id}
        waiting = {binding.custom_id: binding for binding in found if not binding.usercom_id}
        return {
            contact.id: tied.get(str(contact.id)) or waiting.get(contact.custom_id) or self.browse()
            for contact in contacts
        }

    @api.model
    def _by_custom_id(self, account, contacts, kind=mapping.CONTACT):
        """The bindings that have the User IDs of these contacts.

        :return: User ID to binding.
        """
        wanted = [contact.custom_id for contact in contacts if contact.custom_id]
        found = self.search(
            [
                ("account_id", "=", account.id),
                ("kind", "=", kind),
                ("custom_id", "in", wanted),
            ]
        )
        return {binding.custom_id: binding for binding in found}

    @api.model
    def _by_usercom_id(self, account, numbers):
        """The bindings that are tied to these contacts or companies.

        :param numbers: list of (kind, User.com ID).
        :return: (kind, User.com ID) to binding.
        """
        found = self.search(
            [
                ("account_id", "=", account.id),
                ("usercom_id", "in", [number for _kind, number in numbers]),
            ]
        )
        return {(binding.kind, binding.usercom_id): binding for binding in found}

    @api.model
    def _new_custom_id(self):
        return secrets.token_hex(16)

    @api.model
    def _vals_new(self, account, partner):
        """Values of a binding for a contact that is going to be created in User.com."""
        return self._vals_of_new(account, partner)[0]

    @api.model
    def _vals_of_new(self, account, partners):
        """Values of bindings for contacts that are going to be created in User.com.

        The User ID is worked out here, once, and kept whatever becomes of the address.
        """
        expected = self._expected_ids(account, partners)
        return [
            {
                "account_id": account.id,
                "partner_id": partner.id,
                "kind": partner._usercom_kind(),
                "custom_id": expected.get(partner.id) or secrets.token_hex(16),
                "origin": "odoo",
            }
            for partner in partners
        ]

    @api.model
    def _expected_ids(self, account, partners):
        """The User IDs by which contacts may be known in User.com before Odoo gives them one.

        Those of the vendor's advice for shops: SHA-256 of the lower-case address (usercom-api.md,
        section 4). One that another contact has already, whose address it was, is not given again.

        :return: partner id to User ID, for those that may have one.
        """
        if account.user_id_strategy != "sha256":
            return {}
        people = partners.filtered(lambda p: p.email_normalized and not p.is_company)
        owners = {
            hashlib.sha256(partner.email_normalized.encode()).hexdigest(): partner.id
            for partner in people
        }
        found = self.search_fetch(
            [("account_id", "=", account.id), ("custom_id", "in", list(owners))], ["custom_id"]
        )
        taken = set(found.mapped("custom_id"))
        return {
            partner_id: custom_id
            for custom_id, partner_id in owners.items()
            if custom_id not in taken
        }

    @api.model
    def _create_linked(self, account, people):
        """Bindings for contacts that are in User.com already. A User ID they have is kept.

        Where it is another binding's, ours remains a number of Odoo's own, written nowhere.

        :param people: list of (partner, contact in User.com, origin).
        """
        owned = self._by_custom_id(account, [contact for _partner, contact, _origin in people])
        partners = self.env["res.partner"].browse(partner.id for partner, _c, _o in people)
        bindings = self.create(
            [
                vals
                | {
                    "usercom_id": str(contact.id),
                    "custom_id": vals["custom_id"]
                    if contact.custom_id in owned
                    else contact.custom_id or vals["custom_id"],
                    "send_custom_id": self._gives_user_id(account, contact),
                    "state": "linked",
                    "origin": origin,
                }
                for (_partner, contact, origin), vals in zip(
                    people, self._vals_of_new(account, partners), strict=True
                )
            ]
        )
        bindings._retry_held()
        return bindings

    @api.model
    def _gives_user_id(self, account, contact):
        return not contact.custom_id and account.user_id_strategy != "keep"

    def _tie(self, contact):
        """Let a binding that has nobody in User.com have this contact, as at a first meeting.

        A User ID that is another binding's is not kept, as in :meth:`_create_linked`.
        """
        self._forget_values()
        is_taken = contact.custom_id and self._other_with("custom_id", contact.custom_id)
        self.write(
            {
                "usercom_id": str(contact.id),
                "custom_id": (not is_taken and contact.custom_id) or self.custom_id,
                "send_custom_id": self._gives_user_id(self.account_id, contact),
                "state": "linked",
                "origin": "matched",
                "synced_at": False,
                "merge_ids": False,
                "merge_met": False,
                "revision": self.revision + 1,
            }
        )
        self._retry_held()

    def _retry_held(self):
        """Look again at what waited for a person, or for the ceiling, until these were tied."""
        held = Domain("account_res_id", "in", self.account_id.ids) & (
            Domain("due_at", "=", False) | Domain("problem_code", "=", "ceiling")
        )
        # A ping is about a person, and a company may have the same number.
        people = self.filtered(lambda binding: binding.kind == mapping.CONTACT)
        seen = Domain("lookup", "=", "id") & Domain("value", "in", people.mapped("usercom_id"))
        mine = Domain("partner_res_id", "in", self.partner_id.ids)
        for model, subject in (("usercom.ping", seen), ("usercom.change", mine)):
            rows = self.env[model].search(held & subject)
            rows.write({"problem_code": False, "problem_args": False})
            rows._retry()

    def _forget_values(self):
        """Forget all that the two sides held. Who is who stays."""
        self.conflict_ids.unlink()
        self.drift_ids.unlink()
        self.write({"base_odoo": False, "base_usercom": False, "refused": False, "notices": False})

    def _leave_contact(self):
        """Become what is left of a contact that is no more: it must not come back, nothing else."""
        self._forget_values()
        self.write({"partner_id": False})
        self._forget_user_id()

    def _forget_user_id(self):
        """Forget the User ID, which may tell the address, where the User.com ID does for it."""
        for binding in self.filtered("usercom_id"):
            binding.write(
                {
                    "custom_id": secrets.token_hex(16),
                    "custom_id_there": False,
                    "send_custom_id": False,
                }
            )

    def _leave_deleted(self):
        """Become what is left of contacts that are about to be deleted in Odoo.

        And note what the account wants to become of them in User.com: a change row, written with
        the deletion, does it.
        """
        addresses = {partner.id: partner._usercom_key() for partner in self.partner_id}
        gone = self.partner_id
        partners = self.env["res.partner"]
        others = partners.search(
            [
                ("id", "not in", gone.ids),
                ("is_company", "=", False),
                "|",
                ("email_normalized", "in", [key for key in addresses.values() if key]),
                ("phone_sanitized", "in", [key for key in addresses.values() if key]),
            ]
        )
        shared = {partner._usercom_key() for partner in others}
        for binding in self:
            key = addresses[binding.partner_id.id]
            wish, is_person = binding.account_id.on_delete, binding.kind == mapping.CONTACT
            # What somebody else in Odoo shares with the deleted one is theirs as well.
            says_it = (
                wish != "nothing" and key not in shared and binding.state != "gone" and is_person
            )
            binding.write(
                {
                    "address_hash": is_person and key and self._hash_of(key),
                    "farewell": wish if says_it else False,
                    "former_res_id": binding.partner_id.id if says_it else False,
                }
            )
        self._leave_contact()

    @api.model
    def _hash_of(self, key):
        # sudo: the database's secret
        return hmac(self.sudo().env, "usercom_connector.deleted", key)

    @api.model
    def _deleted_here(self, account, keys):
        """Which of these addresses, or numbers, belonged to contacts that were deleted in Odoo."""
        hashes = {self._hash_of(key): key for key in keys}
        found = self.search_fetch(
            [
                ("account_id", "=", account.id),
                ("partner_id", "=", False),
                ("address_hash", "in", list(hashes)),
            ],
            ["address_hash"],
        )
        return {hashes[binding.address_hash] for binding in found}

    @api.model
    def _leaving(self, account, partner_ids):
        """The bindings of contacts that were deleted and of which User.com is still to be told.

        :return: the contact's former number to binding.
        """
        found = self.search(
            [
                ("account_id", "=", account.id),
                ("former_res_id", "in", partner_ids),
                ("farewell", "!=", False),
                ("partner_id", "=", False),
            ]
        )
        return {binding.former_res_id: binding for binding in found}

    def _record_farewell(self, number, is_said=True):
        """Note that User.com was told of the deletion, or is not to be. What else is left stays."""
        was_deleted = is_said and self.farewell == DELETE
        self.write(
            {
                "farewell": False,
                "former_res_id": False,
                "merge_ids": False,
                "merge_met": False,
                "usercom_id": self.usercom_id or number or False,
                "state": "gone" if was_deleted else self.state,
            }
        )
        self._forget_user_id()

    def _join(self, numbers):
        """Have these contacts in User.com joined with this one by the next push."""
        self.ensure_one()
        known = {*(self.merge_ids or ()), *map(str, numbers)} - {self.usercom_id}
        self.merge_ids = sorted(known)
        self.partner_id._usercom_enqueue(self.account_id)

    def _meet(self, contacts, met, snapshot):
        """Take notice of contacts that are about to be joined with this one.

        :param met: their words that are on record already, by their numbers; grows.
        :return: list of values of events.
        """
        rules, found = self._consent_rules(), []
        for contact in contacts:
            known = met.get(str(contact.id), {})
            found += self._words_before([(contact, known)], snapshot)
            said = {rule.key: rule.word(contact.get(rule.attribute), None) for rule in rules}
            met[str(contact.id)] = {key: word for key, word in said.items() if word is not None}
        self.merge_met = met
        return found

    @api.model
    def _is_being_joined(self, account, contact):
        """Whether a contact in User.com is about to be joined with another one."""
        self.flush_model(["merge_ids"])
        return bool(
            self.env.execute_query(
                SQL(
                    """SELECT 1 FROM usercom_binding
                        WHERE account_id = %s AND merge_ids ?| %s LIMIT 1""",
                    account.id,
                    [str(contact.id), contact.custom_id],
                )
            )
        )

    def _enter_anew(self, partner, contact):
        """Belong to a contact that somebody has entered in place of the one that was deleted."""
        self._tie(contact)
        self.write(
            {
                "partner_id": partner.id,
                "address_hash": False,
                "farewell": False,
                "former_res_id": False,
            }
        )

    def _locked(self):
        """Those of these bindings that are kept for this transaction."""
        return self.try_lock_for_update(allow_referencing=True)

    def _other_with(self, name, value):
        return self.search(
            [
                ("account_id", "=", self.account_id.id),
                ("kind", "=", self.kind),
                (name, "=", value),
                ("id", "!=", self.id),
            ],
            limit=1,
        )

    def _mark_gone(self):
        """The contact was deleted in User.com. It is shown, and never created again by itself."""
        for binding in self:
            binding.write({"state": "gone", "revision": binding.revision + 1})

    # === OUT === #

    def _job(self, snapshot, row_ids=(), tried=False):
        """What there is to send for this binding, or ``None``.

        :param snapshot: of the contact, from ``res.partner._usercom_snapshots``.
        :param tried: whether an earlier call may have created the contact.
        """
        self.ensure_one()
        # Reading a JSON field copies it.
        refused, base_odoo = self.refused or {}, self.base_odoo or {}
        base_usercom = self.base_usercom or {}
        asked = {conflict.attribute: conflict.odoo_value for conflict in self.conflict_ids}
        wanted = merge.outgoing(snapshot.rules, snapshot.values, base_odoo)
        outgoing = {
            attribute: value
            for attribute, value in wanted.items()
            if (attribute not in refused or refused[attribute] != value)
            and (attribute not in asked or asked[attribute] != value)
        }
        to_send = {
            name: word
            for name, word in self._consents_to_send(snapshot, wanted).items()
            if refused.get(name) != word
        }
        body = converters.payload(snapshot.rules, outgoing, snapshot.context)
        merges = (self.state == "linked" and self.merge_ids) or ()
        sends_id = bool(self.usercom_id) and self.send_custom_id
        awaited = sends_id and self.is_awaited
        is_idle = self.state == "linked" and not (to_send or merges or awaited)
        if is_idle and not body:
            return None
        body, dropped, altered = self._payload(snapshot, body)
        outgoing = {name: value for name, value in outgoing.items() if name not in dropped}
        if is_idle and not body:
            return None
        if sends_id:
            # Goes along, and costs no call of its own unless the person is on the website.
            body["custom_id"] = self.custom_id
        reads_first = [r for r in snapshot.rules if r.attribute in outgoing and r.reads_first]
        return PushJob(
            partner_id=self.partner_id.id,
            row_ids=tuple(row_ids),
            kind=self.kind,
            email=snapshot.values.get(mapping.EMAIL.attribute),
            phone=snapshot.values.get(mapping.PHONE.attribute),
            tried=tried,
            creates=snapshot.takes_part and self.account_id.create_in_usercom,
            binding_id=self.id,
            usercom_id=self.usercom_id or None,
            custom_id=self.custom_id,
            revision=self.revision,
            bases={name: base for name, base in base_odoo.items() if name in outgoing},
            outgoing=outgoing,
            body=body,
            altered=altered,
            reads_first=tuple(reads_first) if self.usercom_id else (),
            context=snapshot.context,
            seen=base_usercom,
            consents=to_send,
            consent_rules=self._consent_rules(),
            states=snapshot.consents,
            merges=tuple(merges),
            met=self.merge_met or {},
        )

    def _member_job(self, snapshot, row_ids=()):
        """Which company the contact is to be put into or taken out of, or ``None``.

        Only what we put it into is taken back. A company that does not take part any more stays as
        it is, and so do its members.
        """
        self.ensure_one()
        if self.kind == mapping.COMPANY or self.state != "linked" or not snapshot.takes_part:
            return None
        before, now = self.member_of or None, snapshot.employer
        if before == now or (now and not snapshot.may_join and not before):
            return None
        return MemberJob(
            partner_id=self.partner_id.id,
            row_ids=tuple(row_ids),
            binding_id=self.id,
            usercom_id=self.usercom_id,
            into=now if snapshot.may_join else None,
            out_of=before,
        )

    def _payload(self, snapshot, plain):
        """What is written, after other addons have had their say (``_usercom_payload``).

        :param plain: what the mapping gives.
        :return: the body, the attributes that it does not hold any more, which count as not sent,
            and the canonical values of those that it holds with another value.
        """
        body = self.partner_id._usercom_payload(self.account_id, deepcopy(plain))
        if body == plain:
            return plain, set(), {}
        taken = NOT_BY_PAYLOAD | {rule.attribute for rule in self._consent_rules()}
        if own := sorted(taken & (body.keys() - plain.keys())):
            raise ValueError(f"_usercom_payload must not set {', '.join(own)}.")
        json.dumps(body, sort_keys=True)  # here, where what cannot be sent stops this contact alone
        written = {values.attribute_of(key) for key in body}
        dropped = {values.attribute_of(key) for key in plain} - written
        changed = {values.attribute_of(key) for key in plain if body.get(key) != plain[key]}
        rules = [r for r in snapshot.rules if r.attribute in changed - dropped]
        # Reads show one name.
        name = f"{body.get('first_name', '')} {body.get('last_name', '')}"
        shown = {mapping.NAME.attribute: name} | body
        altered, _notices = converters.canonical_of_contact(
            rules, shown.get, lambda key: key in shown, snapshot.context
        )
        return body, dropped, altered

    def _consent_rules(self):
        """The rules of consents; companies have none in User.com."""
        return self.account_id._consent_rules() if self.kind == mapping.CONTACT else ()

    def _consents_to_send(self, snapshot, wanted):
        """What is to be written about consents.

        :param wanted: what of the mapped values differs, also where User.com has refused it.
        :return: attribute to whether it was given.
        """
        refused, base = self.refused or {}, self.base_usercom or {}
        found = {}
        for rule in self._consent_rules():
            state = snapshot.consents.get(rule.purpose)
            # Odoo's address says nothing about the one in User.com where it cannot be sent, or is
            # not taken there: of its consent only a "no" goes. As of who does not take part.
            address = rule.address
            is_refused = (
                address in wanted and address in refused and refused[address] == wanted[address]
            )
            only_no = is_refused or not snapshot.takes_part
            if not rule.leads or (only_no and state != consent.WITHDRAWN):
                continue
            has_address = bool(address) and (
                bool(snapshot.values.get(address)) or address in wanted
            )
            word = consent.to_send(state, base.get(rule.key), has_address=has_address)
            if word is not None:
                found[rule.attribute] = word
        return found

    def _note_sending(self, job):
        """Forget the bases of what is going to be written, to be committed before the call.

        If the answer is lost, User.com may hold the one or the other. Not those of consents that
        are taken back: that is done again, and who shows a "yes" until then says nothing new.
        """
        sent = [*job.outgoing, *job.consents]
        base_odoo = (self.base_odoo or {}) | dict.fromkeys(sent, merge.UNANSWERED)
        base_usercom = dict(self.base_usercom or {})
        for rule in job.leading:
            if job.consents.get(rule.attribute):
                base_usercom.pop(rule.key, None)
        vals = {"base_odoo": base_odoo, "base_usercom": base_usercom}
        if True in job.consents.values():
            vals["yes_written_at"] = consent.moment()
        self.write(vals)

    def _record_sent(self, job, sent, snapshot):
        """Move the bases after a push.

        :return: whether this settles the job. Otherwise somebody else moved the base meanwhile,
            and what was read then may show the time before this call or after: so only what was
            written is noted, and the contact is read again.
        """
        self.ensure_one()
        settles = self.revision == job.revision
        base_odoo = {
            name: value
            for name, value in (self.base_odoo or {}).items()
            if name not in job.consents
        } | sent.outgoing
        base_usercom = {
            name: value
            for name, value in (self.base_usercom or {}).items()
            if name not in sent.outgoing
        }
        base_usercom |= {n: value for n, value in job.altered.items() if n in sent.outgoing}
        base_usercom |= {
            rule.key: sent.consents[rule.attribute]
            for rule in job.leading
            if rule.attribute in sent.consents
        }
        vals = {"revision": self.revision + 1}
        refusals = dict(sent.refused)
        if job.merges:
            left = [number for number in self.merge_ids or () if number not in job.merges]
            vals |= {"merge_ids": left or False, "merge_met": False}
        if sent.namesakes:
            refusals[mapping.EMAIL.attribute] = NamesakeThere(sent.namesakes)
        if settles:
            for name in job.outgoing.keys() - sent.outgoing.keys():
                # Was not written, so all is as before; what was refused does not go out again.
                base_odoo.pop(name, None)
                if name in job.bases:
                    base_odoo[name] = job.bases[name]
            unsent = {
                r.key for r in job.leading if r.attribute in job.consents
            } - base_usercom.keys()
            base_usercom |= {key: job.seen[key] for key in unsent & job.seen.keys()}
            base_usercom |= self._stored(job, sent, snapshot, refusals)
            refused = {
                name: value
                for name, value in (self.refused or {}).items()
                if name not in sent.outgoing
            }
            for name in refusals:
                refused[name] = job.consents.get(name, job.outgoing.get(name))
            vals |= {
                "usercom_id": sent.usercom_id,
                "state": "linked",
                "refused": refused,
            }
            if sent.custom_id:
                vals["send_custom_id"] = False
        if not job.usercom_id and sent.contact is None:
            vals["custom_id_there"] = self.custom_id  # it was created, or found, by this
        self.write(vals | {"base_odoo": base_odoo, "base_usercom": base_usercom})
        if settles:
            self._note_unsent(snapshot, refusals)
        else:
            self._look_again(sent.usercom_id)
        return settles

    def _stored(self, job, sent, snapshot, refusals):
        """What the answer to a write shows of what was written, for the base.

        :param refusals: gets what was answered, but not stored.
        """
        if sent.contact is None:
            return {}
        theirs, _notices = self._canonical(sent.contact, snapshot)
        stored = {name: theirs[name] for name in sent.outgoing if name in theirs}
        for rule in job.leading:
            if (word := sent.consents.get(rule.attribute)) is not None:
                shown = rule.shown(sent.contact.get(rule.attribute))
                if shown not in (None, word):
                    # No word of the person's, and no use in repeating it.
                    stored[rule.key] = shown
                    refusals[rule.attribute] = None
        return stored

    def _look_again(self, number):
        """Have the contact read again.

        :param number: its User.com ID.
        """
        if self.kind == mapping.COMPANY:
            self.account_id._list_companies_soon()
        else:
            self.env["usercom.ping"]._append([(self.account_id.id, "id", number)])

    def _come_back(self):
        """Read those again that take part again, and of which something was passed over."""
        missed = self.filtered(lambda binding: binding.missed and binding.state == "linked")
        people = missed.filtered(lambda binding: binding.kind == mapping.CONTACT)
        if people:
            subjects = [(one.account_id.id, "id", one.usercom_id) for one in people]
            self.env["usercom.ping"]._append(subjects, BULK)
        if missed - people:
            missed.account_id._list_companies_soon()
        missed.missed = False

    @api.model
    def _is_creating(self, account):
        """Whether a contact may be under way to User.com whose number is not known yet."""
        since = fields.Datetime.now() - timedelta(minutes=1)
        domain = [
            ("account_id", "=", account.id),
            ("kind", "=", mapping.CONTACT),
            ("state", "=", "new"),
        ]
        return bool(self.search_count([*domain, ("write_date", ">", since)], limit=1))

    def _confirmed_id(self):
        """The User ID by which User.com knows the contact, if it is really there."""
        is_there = self.state == "linked" and self.custom_id_there == self.custom_id
        return self.custom_id if is_there else False

    def _is_in_flight(self):
        """Whether a call is under way that writes to this contact, or its answer was lost."""
        return merge.UNANSWERED in (self.base_odoo or {}).values()

    def _is_saying(self):
        """Whether a call is under way that writes a consent, or the address of one.

        A read shows the time before it or after, and nobody knows which.
        """
        base, rules = self.base_odoo or {}, self._consent_rules()
        names = {rule.attribute for rule in rules}
        if self.usercom_id:
            names |= {rule.address for rule in rules}
        return any(base.get(name) == merge.UNANSWERED for name in names)

    def _is_shown_by(self, contact, rules, context):
        """Whether this shows the contact as the base has it, so that there is nothing to record.

        :param rules: of the account, and ``context`` as well.
        """
        base = self.base_usercom or {}
        context = replace(context, country=self.partner_id.country_id.code or context.country)
        theirs, notices = converters.canonical_of_contact(rules, contact.get, contact.has, context)
        words = {
            rule.key: rule.word(contact.get(rule.attribute), base.get(rule.key))
            for rule in self._consent_rules()
        }
        known = [notice for notice in self.notices or () if notice[1].get("direction") == "in"]
        return (
            self.state == "linked"
            and self.usercom_id == str(contact.id)
            and contact.custom_id in (None, self.custom_id)
            and contact.custom_id in (None, self.custom_id_there)
            and not (contact.custom_id and self.send_custom_id)
            and all(name in base and base[name] == value for name, value in theirs.items())
            and all(word in (None, base.get(key)) for key, word in words.items())
            and known == [[code, args | {"direction": "in"}] for code, args in notices]
            and not self.conflict_ids  # what is asked about may have been changed back there
        )

    def _shown(self, rules):
        """What User.com shows of this contact if nobody has edited it there since.

        :return: attribute to canonical value, and what a call shows of consents by their keys.
        """
        theirs, ours = self.base_usercom or {}, self.base_odoo or {}
        names = [rule.attribute for rule in rules]
        # After a call that answered without values, what was sent is what is to be expected.
        return (
            {name: theirs.get(name, ours.get(name)) for name in names},
            {rule.key: rule.echo(theirs.get(rule.key)) for rule in self._consent_rules()},
        )

    # === IN === #

    def _canonical(self, contact, snapshot):
        """A read of User.com in canonical form.

        :return: attribute to value, leaving out what the answer did not show and what is no value,
            and the notices about the latter.
        """
        return converters.canonical_of_contact(
            snapshot.rules, contact.get, contact.has, snapshot.context
        )

    @api.model
    def _absorb(self, account, reads, snapshots=None):
        """Merge reads of User.com into the contacts in Odoo and move the bases.

        The caller has locked the bindings, each of which stands here once, and made sure that the
        bases are those that were there when the reads began. Writes only what differs; what is
        asked of the database does not grow with the number of reads.

        :param reads: list of :class:`Read`.
        :param snapshots: what the contacts hold now, by binding id, where the caller has that.
        :raises BusyError: when a user's save holds a contact; nothing is written then.
        """
        bindings = self.browse(read.binding.id for read in reads)
        partners = bindings.partner_id
        if snapshots is None:
            snapshots = bindings._snapshots(account)
        since = min((read.began for read in reads), default=consent.moment())
        said_at = self._last_words(partners, since)
        merges = []
        for read in reads:
            binding, snapshot = read.binding, snapshots[read.binding.id]
            theirs, notices = binding._canonical(read.contact, snapshot)
            merged = merge.merge(
                snapshot.rules,
                snapshot.values,
                theirs,
                binding.base_odoo or {},
                binding.base_usercom or {},
            )
            merges.append((read, merged, notices))
        touched = self._write_into(account, merges, snapshots)
        events = [
            event
            for read, merged, _notices in merges
            for event in read.binding._consent_events(read, merged, snapshots[read.binding.id])
        ]
        if events:
            touched |= self.env["usercom.consent.event"].create(events).partner_id
        changed = bindings.filtered(lambda binding: binding.partner_id in touched)
        after = snapshots | changed._snapshots(account)
        to_send = self.env["res.partner"]
        begins = any(merged.asked for _read, merged, _notices in merges) and not (
            self.env["usercom.conflict"].search_count([("account_id", "=", account.id)], limit=1)
        )
        for read, merged, notices in merges:
            binding = read.binding
            # A consent that the next read shows is dated from here on. It must not pass a "no"
            # that somebody entered while this read was on its way.
            said = said_at.get(binding.partner_id.id)
            is_said = bool(said and said >= read.began)
            binding._move_bases(read, merged, after[binding.id])
            binding.synced_at = read.began if is_said else read.contact.read_at
            binding._set_notices("in", notices)
            snapshot = after[binding.id]
            if binding.missed == snapshot.takes_part:
                binding.missed = not snapshot.takes_part
            if binding._job(snapshot) or binding._member_job(snapshot):
                to_send |= binding.partner_id
        to_send._usercom_enqueue(account)
        if begins:
            account._ask("conflict")

    def _move_bases(self, read, merged, snapshot):
        for attribute in merged.into:
            # What Odoo made of it. Without a base where it cannot be sent back (a name whose parts
            # are longer than ours may be), or it would count as an edit.
            merged.base_odoo.pop(attribute)
            if attribute in snapshot.values:
                merged.base_odoo[attribute] = snapshot.values[attribute]
        number, custom_id = str(read.contact.id), read.contact.custom_id
        vals = {}
        if self.usercom_id != number or self.state != "linked":
            vals |= {"usercom_id": number, "state": "linked"}
        if custom_id:
            vals["send_custom_id"] = False
            if custom_id != self.custom_id and not self._other_with("custom_id", custom_id):
                vals["custom_id"] = custom_id
        if read.contact.has("custom_id") and (custom_id or False) != self.custom_id_there:
            vals["custom_id_there"] = custom_id
        if merged.base_odoo != self.base_odoo or merged.base_usercom != self.base_usercom:
            vals |= {
                "base_odoo": merged.base_odoo,
                "base_usercom": merged.base_usercom,
                "revision": self.revision + 1,
            }
        if snapshot.employer and not self.member_of and self._shows_member(read, snapshot.employer):
            vals["member_of"] = snapshot.employer  # so somebody has put it there already
        self.write(vals)
        if merged.asked or self.conflict_ids:
            self.env["usercom.conflict"]._keep(self, read.contact, merged)

    def _shows_member(self, read, number):
        """Whether a read of this contact shows that it belongs to a company."""
        return self.kind == mapping.CONTACT and number in {
            str(company.id) for company in read.contact.companies
        }

    @api.model
    def _write_into(self, account, merges, snapshots):
        """Write what comes in.

        :return: the contacts that were written.
        """
        written = self.env["res.partner"].union(
            *(read.binding.partner_id for read, merged, _notices in merges if merged.into)
        )
        if len(written.try_lock_for_update(allow_referencing=True)) != len(written):
            raise BusyError
        for read, merged, _notices in merges:
            if merged.into:
                partner = read.binding.partner_id
                snapshot = snapshots[read.binding.id]
                vals = partner._usercom_vals(account, snapshot, merged.into)
                vals = partner._usercom_before_pull(account, vals)
                if vals:
                    partner.write(vals)
                    partner._usercom_pulled(account, vals)
        return written

    @api.model
    def _last_words(self, partners, since):
        """When each of these contacts last said something about a consent in Odoo, since a time.

        Or somebody else withdrew one at the same address.

        :return: partner id to time, for those who did.
        """
        own = {
            partner: {partner.id, partner.email_normalized, partner.phone_sanitized}
            for partner in partners
        }
        addresses = {key for keys in own.values() for key in keys if isinstance(key, str)}
        events = self.env["usercom.consent.event"]
        events.flush_model()
        found = self.env.execute_query(
            SQL(
                """
                SELECT partner_id, CASE WHEN state = %(no)s THEN address END, max(happened_at)
                  FROM usercom_consent_event
                 WHERE source <> 'usercom' AND happened_at >= %(since)s
                   AND (partner_id IN %(partners)s OR (state = %(no)s AND address IN %(addresses)s))
              GROUP BY 1, 2
                """,
                no=consent.WITHDRAWN,
                since=since,
                partners=tuple(partners.ids) or (0,),
                addresses=tuple(addresses) or ("",),
            )
        )
        said = {}
        for partner, keys in own.items():
            if times := [at for owner, address, at in found if keys & {owner, address} - {None}]:
                said[partner.id] = max(times)
        return said

    def _consent_events(self, read, merged, snapshot):
        """Note the consents that a read shows in the base.

        :return: list of values of the events it tells of, as far as they are news.
        """
        rules = self._consent_rules()
        words, news = consent.heard(
            rules,
            read.contact.get,
            merged.base_usercom,
            last_read_at=self.synced_at,
            now=read.contact.read_at,
            only_no=not snapshot.takes_part,
        )
        merged.base_usercom |= words
        for rule in rules:
            merged.base_odoo.pop(rule.attribute, None)  # what was on its way, if it was
        addresses = {rule.purpose: rule.address for rule in rules}
        # After a call that answered without values, what was sent is what is to be expected.
        seen = (self.base_odoo or {}) | (self.base_usercom or {})
        if not self.synced_at:
            self._note_disagreements(news, snapshot)
        events = []
        for purpose_id, event in news.items():
            attribute = addresses[purpose_id]
            if event.given:
                reads = [] if attribute in read.moved else [(read.contact, {})]
            else:
                reads = [(read.contact, seen)]
                reads += read.before[:1] if attribute in read.moved else []
            state = consent.GIVEN if event.given else consent.WITHDRAWN
            for contact, known in reads:
                for address in self._said_to(contact, known, attribute, snapshot):
                    vals = self._event_vals(purpose_id, state, event.at, address)
                    events.append(vals | {"happened_after": event.after})
        events += self._words_before(read.before, snapshot)
        return list({(vals["purpose_id"], vals["address"]): vals for vals in events[::-1]}.values())

    def _words_before(self, reads, snapshot):
        """Each "no" that reads right before a write show, and that nobody has heard of yet.

        :param reads: list of (contact in User.com, the last words known by then).
        :return: list of values of events.
        """
        rules = self._consent_rules()
        addresses = {rule.purpose: rule.address for rule in rules}
        return [
            self._event_vals(purpose_id, consent.WITHDRAWN, contact.read_at, address)
            for contact, seen in reads
            for purpose_id in consent.written_over(rules, contact.get, seen)
            for address in self._said_to(contact, seen, addresses[purpose_id], snapshot)
        ]

    def _said_to(self, contact, seen, attribute, snapshot):
        """The addresses that a new word of User.com's may belong to, or ``[False]`` for no address.

        :param seen: what was there when it was last looked at: a "no" may have been said before the
            address was changed, and counts for whoever has the old one.
        """
        if not attribute:
            return [False]
        found = [self._address_there(contact, attribute, snapshot)]
        found.append(self._shown_address(seen.get, attribute, snapshot))
        return list(dict.fromkeys(filter(None, found)))

    def _event_vals(self, purpose_id, state, at, address):
        """Values of a word from User.com."""
        return {
            "partner_id": self.partner_id.id,
            "address": address,
            "purpose_id": purpose_id,
            "state": state,
            "happened_at": at,
            "source": "usercom",
            "origin": self.account_id.name,
            "account_id": self.account_id.id,
        }

    def _note_disagreements(self, news, snapshot):
        """List, for a person, the consents that the first read shows otherwise than Odoo."""
        said = {consent.GIVEN: True, consent.WITHDRAWN: False}
        found = {
            purpose_id: event.given
            for purpose_id, event in news.items()
            if said.get(snapshot.consents.get(purpose_id), event.given) != event.given
        }
        if found:
            self.env["usercom.consent.drift"]._note_meeting(self, found)

    @api.model
    def _lower_by_calls(self, calls):
        """Record each "no" of a call of the webhook that a "yes" of ours may have written over.

        Everything else a read shows. Nothing but a "no" is believed, so this raises no consent.

        :param calls: list of (binding, attributes that say no, when User.com said so).
        """
        suspects = [
            (binding, rule, at)
            for binding, names, at in calls
            if binding.partner_id and consent.may_be_hidden(at, binding.yes_written_at or None)
            for rule in binding._consent_rules()
            # Where it was no before, it tells nothing new.
            if rule.attribute in names and (binding.base_usercom or {}).get(rule.key) is not False
        ]
        if not suspects:
            return
        events = self.env["usercom.consent.event"]
        partners = self.union(*(binding for binding, _rule, _at in suspects)).partner_id
        purposes = self.env["usercom.consent.purpose"].browse(
            {rule.purpose for _binding, rule, _at in suspects}
        )
        words = events._words(partners, purposes)
        lowered = []
        for binding, rule, at in suspects:
            partner, own = binding.partner_id, words[binding.partner_id.id][rule.purpose]
            if consent.lowers(own, at):
                own.append((consent.WITHDRAWN, at))
                address = purposes.browse(rule.purpose)._address_of(partner)
                lowered.append(binding._event_vals(rule.purpose, consent.WITHDRAWN, at, address))
        events.create(lowered)

    def _address_there(self, contact, attribute, snapshot):
        """The address that User.com holds, about which a word was said there; else Odoo's."""
        is_email = attribute == mapping.EMAIL.attribute
        own = self.partner_id.email_normalized if is_email else self.partner_id.phone_sanitized
        return self._shown_address(contact.get, attribute, snapshot) or own

    def _shown_address(self, shown, attribute, snapshot):
        """An address that User.com shows, in the form in which Odoo's is compared.

        :param shown: gives the value of an attribute.
        """
        value, context = shown(attribute), snapshot.context
        if not value or value == merge.UNANSWERED:
            return None
        if attribute == mapping.EMAIL.attribute:
            return email_normalize(value)
        return context.phone(value, context.country)

    def _note_unsent(self, snapshot, refusals=()):
        """Note what of the contact cannot travel to User.com now.

        A refusal stands as long as the value that was refused would be sent. After that it is
        forgotten, so that the same value is tried anew when somebody enters it again.

        :param refusals: attribute to User.com's words, for what it has just refused; to ``None``
            for what it has silently not stored.
        """
        refused = self.refused or {}
        if not (refused or refusals):
            self._set_notices("out", snapshot.notices)
            return
        wanted = merge.outgoing(snapshot.rules, snapshot.values, self.base_odoo or {})
        wanted |= self._consents_to_send(snapshot, wanted)
        standing = {
            name: value
            for name, value in refused.items()
            if name in wanted and wanted[name] == value
        }
        if standing != refused:
            self.refused = standing
        kept = [
            (code, args)
            for code, args in self.notices or ()
            if code in ("refused_value", "not_stored", "email_there")
            and args["attribute"] in standing.keys() - set(refusals)
        ]
        new = [
            ("email_there", {"attribute": name, "usercom_ids": list(refusals[name].usercom_ids)})
            if isinstance(refusals[name], NamesakeThere)
            else ("refused_value", {"attribute": name, "reason": refusals[name]})
            if refusals[name]
            else ("not_stored", {"attribute": name})
            for name in refusals
        ]
        self._set_notices("out", snapshot.notices + kept + new)

    def _open_question(self):
        """The facts about a new address that waits for a person, if there is one."""
        return next((args for code, args in self.notices or () if code == "email_there"), None)

    def _ask_again(self):
        """Try again what waits for a person."""
        email = mapping.EMAIL.attribute
        for binding in self.filtered(lambda binding: binding._open_question()):
            binding.refused = {n: v for n, v in (binding.refused or {}).items() if n != email}
            binding.notices = [n for n in binding.notices if n[0] != "email_there"]

    def _set_notices(self, direction, notices):
        """Replace what could not travel in one direction.

        :param notices: list of (code, args) for ``usercom.sentence``.
        """
        known = [(code, args) for code, args in self.notices or ()]
        kept = [(code, args) for code, args in known if args.get("direction") != direction]
        found = kept + [(code, args | {"direction": direction}) for code, args in notices]
        if found != known:
            self.notices = found

    @api.model
    def _created_within_a_day(self, account, origin):
        """How many contacts were created from one side in the last 24 hours, and since when.

        With those that are being created now. What was refused created nobody.
        """
        self.flush_model()
        self.env["usercom.change"].flush_model()
        [(count, oldest)] = self.env.execute_query(
            SQL(
                """
                SELECT count(*), min(create_date) FROM usercom_binding AS binding
                 WHERE account_id = %s AND origin = %s AND create_date >= %s
                   AND (usercom_id IS NOT NULL OR EXISTS (
                           SELECT FROM usercom_change AS change
                            WHERE change.account_res_id = binding.account_id
                              AND change.partner_res_id = binding.partner_id
                              AND change.due_at IS NOT NULL))
                """,
                account.id,
                origin,
                fields.Datetime.now() - timedelta(days=1),
            )
        )
        return count, oldest

    @api.model
    def _being_created(self, account, people):
        """The bindings, not tied yet, of contacts that share an address, or a number without one.

        :param people: list of (e-mail, phone).
        :return: address or number to binding.
        """
        addresses = [email for email, _phone in people if email]
        numbers = [phone for email, phone in people if phone and not email]
        found = self.search(
            Domain("account_id", "=", account.id)
            & Domain("state", "=", "new")
            & Domain("kind", "=", mapping.CONTACT)
            & (
                Domain("partner_id.email_normalized", "in", addresses)
                | Domain("partner_id.phone_sanitized", "in", numbers)
            )
        )
        by_number = {binding.partner_id.phone_sanitized: binding for binding in found}
        return by_number | {binding.partner_id.email_normalized: binding for binding in found}

    def _rows_creating(self):
        """The rows by which these, of one account, are going to be created; the soonest first.

        There is none where a person has to see to it first: nobody waits for that.
        """
        new = self.filtered(lambda binding: binding.state == "new")
        return self.env["usercom.change"].search(
            [
                ("account_res_id", "in", new.account_id.ids),
                ("partner_res_id", "in", new.partner_id.ids),
                ("due_at", "!=", False),
            ],
            order="due_at",
        )

import hashlib
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..sync import mapping


class UsercomBinding(models.Model):
    """How a contact comes by its binding, and by its User ID."""

    _inherit = "usercom.binding"

    merge_ids = fields.Json(
        readonly=True,
        help="User.com IDs, or User IDs, of the contacts that are to be joined with this one.",
    )
    merge_met = fields.Json(
        readonly=True,
        help="The words of these contacts that are on record: when they are joined, they are gone.",
    )

    _created_idx = models.Index("(account_id, origin, create_date)")

    # === TYING === #

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

    def _confirmed_id(self):
        """The User ID by which User.com knows the contact, if it is really there."""
        is_there = self.state == "linked" and self.custom_id_there == self.custom_id
        return self.custom_id if is_there else False

    # === BEING CREATED === #

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

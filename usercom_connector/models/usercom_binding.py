from dataclasses import replace
from typing import NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain

from ..sync import mapping

#: Which of a contact's bindings count: those of what it is now. A person who has become a company,
#: or the other way round, keeps the other one, which sleeps.
AWAKE = (Domain("kind", "=", mapping.CONTACT) & Domain("partner_id.is_company", "=", False)) | (
    Domain("kind", "=", mapping.COMPANY) & Domain("partner_id.is_company", "=", True)
)


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
    conflict_ids = fields.One2many("usercom.conflict", "binding_id", readonly=True)
    drift_ids = fields.One2many("usercom.consent.drift", "binding_id", readonly=True)
    base_odoo = fields.Json(readonly=True)
    base_usercom = fields.Json(readonly=True)
    revision = fields.Integer(readonly=True, help="Grows with each change of the base.")
    synced_at = fields.Datetime("Last in Step", readonly=True)
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

    # The same expressions as in ``usercom.directory._candidates``.
    _company_email_idx = models.Index(
        "(account_id, lower(base_usercom ->> 'email')) WHERE kind = 'company'"
    )
    _company_name_idx = models.Index(
        "(account_id, lower(base_usercom ->> 'name')) WHERE kind = 'company'"
    )

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

    # === FINDING === #

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

    def _locked(self):
        """Those of these bindings that are kept for this transaction."""
        return self.try_lock_for_update(allow_referencing=True)

    # === WHAT BECOMES OF IT === #

    def _forget_values(self):
        """Forget all that the two sides held. Who is who stays."""
        self.conflict_ids.unlink()
        self.drift_ids.unlink()
        self.write({"base_odoo": False, "base_usercom": False, "refused": False, "notices": False})

    def _mark_gone(self):
        """The contact was deleted in User.com. It is shown, and never created again by itself."""
        for binding in self:
            binding.write({"state": "gone", "revision": binding.revision + 1})

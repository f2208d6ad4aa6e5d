from dataclasses import dataclass, field

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.mail import email_normalize

from ..sync import consent, mapping, values

#: Editing one of these may change what is to be sent, or whether the contact takes part at all.
CAPTURED_FIELDS = frozenset(
    {rule.odoo_field for rule in mapping.FIXED_MAPPING}
    | {"active", "is_company", "type", "company_id", "parent_id", "partner_share"}
)


@dataclass
class Snapshot:
    """What a contact holds now, in canonical form.

    ``values`` leaves out what cannot be sent; ``notices`` say why (code and facts for
    ``usercom.sentence``). ``rules`` are the mapping as it holds for this contact.
    """

    rules: tuple
    consent: str | None
    values: dict = field(default_factory=dict)
    notices: list = field(default_factory=list)


class ResPartner(models.Model):
    _inherit = "res.partner"

    usercom_id = fields.Char(
        "User.com ID",
        compute="_compute_usercom",
        search="_search_usercom_id",
        groups="base.group_user",
    )
    usercom_url = fields.Char(compute="_compute_usercom", groups="base.group_user")
    usercom_synced_at = fields.Datetime(
        "Last in Step", compute="_compute_usercom", groups="base.group_user"
    )
    usercom_status = fields.Char(
        "Synchronization", compute="_compute_usercom", groups="base.group_user"
    )
    usercom_problem = fields.Text(
        "Needs Attention", compute="_compute_usercom", groups="base.group_user"
    )
    usercom_email_consent = fields.Selection(
        [(consent.GIVEN, "Given"), (consent.WITHDRAWN, "Withdrawn")],
        "E-mail Consent",
        compute="_compute_usercom_email_consent",
        inverse="_inverse_usercom_email_consent",
        search="_search_usercom_email_consent",
        groups="base.group_user",
        help="Whether this person agreed to e-mail marketing. Empty: never asked.",
    )
    usercom_consent_event_ids = fields.One2many(
        "usercom.consent.event", "partner_id", "Consent History", groups="base.group_user"
    )

    # Core stores the normalised address without an index; matching looks for it with "=".
    _usercom_email_idx = models.Index("(email_normalized) WHERE email_normalized IS NOT NULL")

    # === COMPUTE METHODS === #

    @api.depends_context("company", "lang")
    @api.depends("email", "phone", "active", "is_company", "type", "parent_id")
    def _compute_usercom(self):
        # sudo: everybody who may read a contact may see how it stands with User.com, but not the
        # account, whose form holds the webhook's secret.
        env = self.sudo().env
        account = env["usercom.account"]._of_company(self.env.company)
        bindings = {
            binding.partner_id.id: binding
            for binding in env["usercom.binding"].search(
                [("account_id", "=", account.id), ("partner_id", "in", self._origin.ids)]
            )
        }
        problems = env["usercom.change"]._problems(account, self._origin.ids)
        for partner in self:
            binding = bindings.get(partner._origin.id, env["usercom.binding"])
            texts = [problems.get(partner._origin.id), binding.notice]
            partner.usercom_id = binding.usercom_id
            partner.usercom_url = account._profile_url(binding.usercom_id)
            partner.usercom_synced_at = binding.synced_at
            partner.usercom_status = partner._usercom_status_sentence(account, binding)
            partner.usercom_problem = "\n".join(filter(None, texts)) or False

    def _usercom_status_sentence(self, account, binding):
        if not account:
            return False
        if binding.state == "gone":
            return self.env._("Deleted in User.com. It is not created there again by itself.")
        if binding.state == "linked":
            return self.env._("Linked with User.com.")
        if binding:
            return self.env._("Being created in User.com.")
        if not self.filtered_domain(account._participants()):
            return self.env._(
                "Stays in Odoo: only active people with a valid e-mail or phone take part, no "
                "companies, addresses or internal users."
            )
        if not account.create_in_usercom:
            return self.env._("Not linked with User.com. Creating contacts there is switched off.")
        return self.env._("Not linked with User.com yet.")

    def _search_usercom_id(self, operator, value):
        if operator in Domain.NEGATIVE_OPERATORS:
            return NotImplemented
        # sudo: who may read a contact may find it by its number in User.com.
        bindings = self.env["usercom.binding"].sudo()
        account = bindings.env["usercom.account"]._of_company(self.env.company)
        mine = Domain("account_id", "=", account.id) & Domain("partner_id", "!=", False)
        domain = Domain.FALSE
        if operator == "in" and False in value:
            linked = bindings._search(mine & Domain("usercom_id", "!=", False))
            domain |= Domain("id", "not in", linked.subselect("partner_id"))
            value = [number for number in value if number]
        found = bindings._search(mine & Domain("usercom_id", operator, value))
        return domain | Domain("id", "in", found.subselect("partner_id"))

    @api.depends("email", "usercom_consent_event_ids")
    def _compute_usercom_email_consent(self):
        # sudo: the state is for everybody who may read the contact, also where a withdrawal was
        # said by another contact with the same address.
        states = self.env["usercom.consent.event"].sudo()._states(self)
        for partner in self:
            partner.usercom_email_consent = states[partner.id]

    def _inverse_usercom_email_consent(self):
        wanted = {partner: partner.usercom_email_consent for partner in self}
        # sudo: people record consents by way of the contact that they may write, and nobody
        # creates events directly.
        events = self.env["usercom.consent.event"].sudo()
        states = events._states(self)
        for partner, state in wanted.items():
            if (state or None) == states[partner.id]:
                continue
            if not state:
                raise ValidationError(
                    self.env._(
                        "A consent is on record and cannot be made unasked. If the person said "
                        "no, set it to withdrawn."
                    )
                )
            if not partner.email_normalized:
                raise ValidationError(
                    self.env._(
                        "Enter a valid e-mail address first: a consent belongs to the address it "
                        "was given for."
                    )
                )
            # A file says nothing about when: what it gives raises no consent over any "no".
            context = self.env.context
            is_import = context.get("import_file") or context.get("_import_current_module")
            undated = is_import and state == consent.GIVEN
            events.create(
                {
                    "partner_id": partner.id,
                    "address": partner.email_normalized,
                    "state": state,
                    "happened_at": False if undated else consent.moment(),
                    "source": "import" if is_import else "odoo",
                    "user_id": self.env.uid,
                }
            )

    def _usercom_keep_withdrawn(self):
        """Say the "no" again where a merge has put a "yes" behind it that was another contact's."""
        self.ensure_one()
        if self.usercom_email_consent == consent.GIVEN:
            # sudo: nobody creates events directly; whoever may merge contacts may do this.
            self.env["usercom.consent.event"].sudo().create(
                {
                    "partner_id": self.id,
                    "address": self.email_normalized,
                    "state": consent.WITHDRAWN,
                    "happened_at": consent.moment(),
                    "source": "merge",
                    "user_id": self.env.uid,
                }
            )

    def _search_usercom_email_consent(self, operator, value):
        if operator != "in":
            return NotImplemented
        # sudo: as in the compute. Same weights as ``sync.consent.state``.
        self.env["usercom.consent.event"].flush_model()
        self.flush_model(["email_normalized"])
        latest = SQL(
            """
            SELECT DISTINCT ON (contact.id) contact.id, event.state
              FROM usercom_consent_event AS event
              JOIN res_partner AS contact
                ON contact.email_normalized = event.address
               AND (event.partner_id = contact.id OR event.state = %(withdrawn)s)
             WHERE event.purpose = 'email'
          ORDER BY contact.id, COALESCE(event.happened_at, '-infinity') DESC,
                   (event.state = %(withdrawn)s) DESC
            """,
            withdrawn=consent.WITHDRAWN,
        )
        states = [state for state in value if state]
        domain = Domain.FALSE
        if states:
            found = SQL("(SELECT id FROM (%s) AS word WHERE state IN %s)", latest, tuple(states))
            domain |= Domain("id", "in", found)
        if False in value:
            domain |= Domain("id", "not in", SQL("(SELECT id FROM (%s) AS word)", latest))
        return domain

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        partners = super().create(vals_list)
        partners._usercom_enqueue()
        return partners

    def _write_multi(self, vals_list):
        # Every stored change of a contact passes here on its way to the database: also addresses,
        # which core writes past ``write`` (``_update_address``), and computed fields.
        super()._write_multi(vals_list)
        touched = [
            partner_id
            for partner_id, vals in zip(self._ids, vals_list, strict=True)
            if not CAPTURED_FIELDS.isdisjoint(vals)
        ]
        self.browse(touched)._usercom_enqueue()

    def unlink(self):
        # What stays of a deleted contact is that it must not come back, and the words about its
        # consents with the address they are about.
        # sudo: whoever may delete a contact need not be allowed to see the account's bindings.
        bindings = self.env["usercom.binding"].sudo().search([("partner_id", "in", self.ids)])
        bindings._forget_values()
        self._usercom_enqueue()  # the push finds nobody, and drops what waits for this contact
        return super().unlink()

    # === SYNCHRONIZATION === #

    def _usercom_enqueue(self, accounts=None, urgent=False):
        """Say that these contacts may need sending.

        The rows are inserted at once before the transaction commits.

        :param accounts: where to; all that capture changes if it is left out.
        :param urgent: whether they go before all others.
        """
        if not self.ids or not self.env["usercom.account"]._is_any_connected():
            return
        precommit = self.env.cr.precommit
        if "usercom_connector.changes" not in precommit.data:
            precommit.data["usercom_connector.changes"] = {}
            precommit.add(self.env["usercom.change"]._append_gathered)
        gathered = precommit.data["usercom_connector.changes"]
        for account_id in [None] if accounts is None else accounts.ids:
            for partner_id in self.ids:
                row = account_id, partner_id
                gathered[row] = urgent or gathered.get(row, False)

    def _usercom_snapshots(self, account):
        """What these contacts hold now, in canonical form.

        :return: partner id to :class:`Snapshot`.
        """
        partners = self.with_company(account.company_id or self.env.company)
        consents = self.env["usercom.consent.event"].sudo()._states(partners)  # as in the compute
        return {partner.id: partner._usercom_snapshot(consents[partner.id]) for partner in partners}

    def _usercom_snapshot(self, consent_state):
        rules = mapping.rules_for(mapping.FIXED_MAPPING, has_parent=bool(self.parent_id))
        snapshot = Snapshot(rules, consent_state)
        for rule in rules:
            self._usercom_take_value(rule, snapshot)
        if consent_state == consent.GIVEN and mapping.EMAIL.attribute not in snapshot.values:
            snapshot.consent = None  # given for an address that does not travel
        return snapshot

    def _usercom_take_value(self, rule, snapshot):
        """Put one field's canonical value into the snapshot, or a notice why it cannot be sent."""
        value, notice = self._usercom_canonical(rule)
        if notice:
            snapshot.notices.append(notice)
        else:
            snapshot.values[rule.attribute] = value

    def _usercom_canonical(self, rule):
        """One field's canonical value.

        :return: the value and ``None``, or ``None`` and the notice why it cannot be sent.
        """
        if rule is mapping.NAME:
            value = values.person_name(self.name, self.email)
        elif rule.attribute == mapping.COUNTRY.attribute:
            value = self.country_id.code or None
        else:
            value = values.text(self[rule.odoo_field])
        if value and rule is mapping.EMAIL:
            value = email_normalize(value)
            if not value:
                return None, ("not_an_email", {})
        if value and rule is mapping.PHONE:
            value = self._phone_format(fname="phone", force_format="E164")
            if not value:
                return None, ("not_a_phone", {})
        if value and values.too_long(rule, value):
            code = "name_too_long" if rule is mapping.NAME else "too_long"
            return None, (code, {"attribute": rule.attribute, "limit": rule.limit})
        return value, None

    @api.model
    def _usercom_vals(self, account, into):
        """Values for ``write`` or ``create``.

        :param into: attribute to canonical value.
        """
        by_attribute = {rule.attribute: rule for rule in mapping.FIXED_MAPPING}
        vals = {}
        for attribute, value in into.items():
            field_name = by_attribute[attribute].odoo_field
            if field_name == "country_id" and value:
                value = self.env["res.country"].search([("code", "=", value)], limit=1).id
            elif field_name == "phone" and value:
                value = self._phone_format(number=value, force_format="INTERNATIONAL") or value
            vals[field_name] = value or False
        return vals

    @api.model
    def _usercom_same_person(self, account, email, phone):
        """All contacts that have this address, or this number where there is no address.

        Archived ones too: they are found, not created again.
        """
        domain = Domain("company_id", "in", [False, account.company_id.id])
        if not account.company_id:
            domain = Domain.TRUE
        if email:
            domain &= Domain("email_normalized", "=", email)
        elif phone:
            domain &= Domain("phone_sanitized", "=", phone)
        else:
            return self.browse()
        return self.with_context(active_test=False).search(domain)

from dataclasses import dataclass, field, replace
from itertools import compress

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ..sync import consent, converters, mapping, values
from ..sync.pacing import EDIT
from .usercom_binding import AWAKE
from .usercom_consent_purpose import ADDRESSES, STATES
from .usercom_consent_standing import HINDERED, NEVER, OPEN

#: Editing one of these may change whether, and where, the contact takes part at all. What is mapped
#: is captured besides (``usercom.account._captured_fields``).
ALWAYS_CAPTURED = frozenset(
    {"active", "is_company", "type", "company_id", "parent_id", "partner_share", "email", "phone"}
)


@dataclass
class Snapshot:
    """What a contact holds now, in canonical form.

    ``values`` leaves out what cannot be sent; ``notices`` say why (code and facts for
    ``usercom.sentence``). ``rules`` are the mapping as it holds for this contact, and ``context``
    is what converting by them needs to know of it. ``consents`` map a purpose to the word about it
    at the contact's address. ``employer`` is the User.com ID of the company
    that the contact belongs to, if it is linked, and ``may_join`` says whether that takes part.
    """

    rules: tuple
    context: converters.Context
    consents: dict
    kind: str = mapping.CONTACT
    takes_part: bool = True
    employer: str | None = None
    may_join: bool = False
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
        STATES,
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

    # Core stores the normalised address and number without an index; matching looks for them
    # with "=". If one of the two had none, looking for both at once would read all contacts.
    _usercom_email_idx = models.Index("(email_normalized) WHERE email_normalized IS NOT NULL")
    _usercom_phone_idx = models.Index("(phone_sanitized) WHERE phone_sanitized IS NOT NULL")

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
                AWAKE
                & Domain("account_id", "=", account.id)
                & Domain("partner_id", "in", self._origin.ids)
            )
        }
        problems = env["usercom.change"]._problems(account, self._origin.ids)
        sentence = self.env["usercom.sentence"]
        for partner in self:
            binding = bindings.get(partner._origin.id, env["usercom.binding"])
            asked = binding.conflict_ids.mapped("attribute")
            texts = [problems.get(partner._origin.id), binding.notice]
            texts += [sentence._say_conflict(attribute=attribute) for attribute in asked]
            partner.usercom_id = binding.usercom_id
            partner.usercom_url = binding.usercom_url
            partner.usercom_synced_at = binding.synced_at
            partner.usercom_status = partner._usercom_status_sentence(account, binding)
            partner.usercom_problem = "\n".join(filter(None, texts)) or False

    def _usercom_status_sentence(self, account, binding):
        if not account:
            return False
        if not account._has_clear_filter():
            return self.env["usercom.sentence"]._of("unclear_filter")
        if binding.state == "gone":
            return self.env._("Deleted in User.com. It is not created there again by itself.")
        if binding.state == "linked" and not self._usercom_take_part(account):
            return self.env._(
                "Linked with User.com, but not kept in step any more: the account's filter of who "
                "takes part leaves it out."
            )
        if binding.state == "linked":
            return self.env._("Linked with User.com.")
        if binding:
            return self.env._("Being created in User.com.")
        if not self._usercom_take_part(account):
            return self.env._(
                "Stays in Odoo: it is an address of another contact, or the account's filter of "
                "who takes part leaves it out."
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
        mine = AWAKE & Domain("account_id", "=", account.id)
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
        states = self.env["usercom.consent.event"].sudo()._email_states(self)
        for partner in self:
            partner.usercom_email_consent = states[partner.id]

    def _inverse_usercom_email_consent(self):
        wanted = {partner: partner.usercom_email_consent for partner in self}
        # sudo: people record consents by way of the contact that they may write, and nobody
        # creates events directly.
        events = self.env["usercom.consent.event"].sudo()
        states = events._email_states(self)
        for partner, state in wanted.items():
            if (state or None) == states[partner.id]:
                continue
            if state not in (consent.GIVEN, consent.WITHDRAWN):
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

    def _usercom_keep_withdrawn(self, said_no):
        """Say the "no" again where a merge has put a "yes" behind it that was another contact's.

        Also at addresses that the contact has not got: it may take them over, now or later.

        :param said_no: purpose and address (``False`` where the purpose has none) of each "no".
        """
        self.ensure_one()
        purposes = self.env["usercom.consent.purpose"].union(*(purpose for purpose, _a in said_no))
        # sudo: whoever may merge contacts may do this.
        events = self.env["usercom.consent.event"].sudo()
        said = events._said({address or self.id for _purpose, address in said_no}, purposes)
        for purpose, address in said_no:
            words = said.get((purpose.id, address or self.id), ())
            if events._heard(words, self.id) == consent.GIVEN:
                events._record(self, purpose, consent.WITHDRAWN, "merge", address=address)

    def _search_usercom_email_consent(self, operator, value):
        if operator != "in":
            return NotImplemented
        names = {consent.GIVEN: [OPEN, HINDERED], False: [NEVER]}
        standings = {name for state in value for name in names.get(state, [state])}
        return Domain("usercom_email_standing", "in", standings)

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        partners = super().create(vals_list)
        partners._usercom_enqueue()
        return partners

    def write(self, vals):
        result = super().write(vals)
        # Lists of records, tags say, have no column here and so do not pass ``_write_multi``.
        captured = self.env["usercom.account"]._captured_fields().intersection(vals)
        if any(self._fields[name].type in ("many2many", "one2many") for name in captured):
            self._usercom_enqueue()
        return result

    def _write_multi(self, vals_list):
        # Every change of a column passes here on its way to the database: also addresses, which
        # core writes past ``write`` (``_update_address``), and computed fields.
        super()._write_multi(vals_list)
        captured = self.env["usercom.account"]._captured_fields() | ALWAYS_CAPTURED
        touched = [
            partner_id
            for partner_id, vals in zip(self._ids, vals_list, strict=True)
            if not captured.isdisjoint(vals)
        ]
        self.browse(touched)._usercom_enqueue()
        addresses = set(ADDRESSES.values())
        self.browse(
            partner_id
            for partner_id, vals in zip(self._ids, vals_list, strict=True)
            if any(vals.get(name) for name in addresses)
        )._usercom_recall()

    def _usercom_recall(self):
        """Before the commit, see whether somebody who was erased said no where these are now."""
        if not self.ids:
            return
        precommit = self.env.cr.precommit
        if "usercom_connector.recall" not in precommit.data:
            precommit.data["usercom_connector.recall"] = set()
            # sudo: whose address it is now counts, not who may read purposes
            precommit.add(self.sudo()._usercom_recall_gathered)
        precommit.data["usercom_connector.recall"].update(self.ids)

    @api.model
    def _usercom_recall_gathered(self):
        gathered = self.env.cr.precommit.data.pop("usercom_connector.recall", ())
        self.env["usercom.consent.event"]._recall(self.browse(gathered).exists())

    def unlink(self):
        # What stays of a deleted contact is that it must not come back, and the words about its
        # consents without the person, with the keyed hash of the address they are about.
        # sudo: whoever may delete a contact need not be allowed to see the account's bindings.
        bindings = self.env["usercom.binding"].sudo().search([("partner_id", "in", self.ids)])
        bindings._leave_deleted()
        # Its people lose their employer by a foreign key, past ``write``.
        self.with_context(active_test=False).child_ids._usercom_enqueue()
        self._usercom_enqueue()  # the push finds nobody, and drops what waits for this contact
        events = self.env["usercom.consent.event"]
        others = events._erase(self)
        result = super().unlink()
        events._recall(others)  # a "no" of who is gone counts for who is there
        return result

    def action_usercom_erase(self):
        """Take the person out of the ledger; the contact itself stays."""
        events = self.env["usercom.consent.event"]
        events._require_manager()
        self.check_access("write")
        events._recall(self | events._erase(self))

    def action_usercom_proof(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_url",
            "url": f"/usercom/consents/proof/{self.id}",
            "target": "new",
        }

    # === HOOKS === #
    # For addons that build on this one; docs/developers.md says more, with an example of each. They
    # run as the superuser. An exception parks the row of the contact with its traceback.

    def _usercom_take_part(self, account):
        """Those of these contacts that take part. To be narrowed, not widened.

        Asked when something is to be sent and when something comes in, of many at a time.
        """
        return self.filtered_domain(account._participants())

    def _usercom_payload(self, account, body):
        """What is written for this contact, which has something to send.

        Asked whenever there may be something to send, so it must change nothing. What is left out
        counts as not sent.

        :param body: User.com's names to values, as they go out; empty where only a consent does.
        :return: the body; it must not hold an ID or a consent that was not in it.
        """
        return body

    def _usercom_pushed(self, account, outgoing):
        """After a call that wrote to this contact, in the transaction that records it.

        :param outgoing: attribute to canonical value, as User.com has taken them.
        """

    def _usercom_before_pull(self, account, vals):
        """The values that are written into this contact, or create it.

        What is left out counts as decided: it is not brought again until it changes in User.com.

        :param vals: as for ``write``; where nobody is created yet, ``self`` is empty.
        """
        return vals

    def _usercom_pulled(self, account, vals):
        """After values from User.com were written into this contact, in the same transaction.

        A contact that they created is tied by now.
        """

    # === SYNCHRONIZATION === #

    def _usercom_enqueue(self, accounts=None, priority=EDIT):
        """Say that these contacts may need sending.

        The rows are inserted at once before the transaction commits.

        :param accounts: where to; all that capture changes if it is left out.
        :param priority: of ``usercom.queue``.
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
                gathered[row] = min(priority, gathered.get(row, priority))

    def _usercom_key(self):
        """By what this contact is found in User.com: the address, or the number without one."""
        return self.email_normalized or self.phone_sanitized or False

    def _usercom_kind(self):
        """What this contact is in User.com."""
        return mapping.COMPANY if self.is_company else mapping.CONTACT

    def _usercom_snapshots(self, account):
        """What these contacts hold now, in canonical form.

        :return: partner id to :class:`Snapshot`.
        """
        # In no reader's language: what travels does not depend on who looks.
        partners = self.with_company(account.company_id or self.env.company).with_context(lang=None)
        consents = partners._usercom_consents(account)
        context = account._context()
        participants = set(partners._usercom_take_part(account)._ids)
        rules = {
            (kind, has_parent): mapping.rules_for(account._rules(kind), has_parent=has_parent)
            for kind in (mapping.CONTACT, mapping.COMPANY)
            for has_parent in (False, True)
        }
        employers = partners._usercom_employers(account)
        snapshots = {
            partner.id: partner._usercom_snapshot(
                rules[partner._usercom_kind(), bool(partner.parent_id)],
                replace(context, country=partner.country_id.code or context.country),
                account,
                consents[partner.id],
            )
            if partner.id in participants
            # Whoever does not take part any more is left as they are, but a "no" still travels.
            else Snapshot(
                (), context, consents[partner.id], partner._usercom_kind(), takes_part=False
            )
            for partner in partners
        }
        for partner in partners:
            snapshot = snapshots[partner.id]
            if snapshot.kind == mapping.COMPANY:
                snapshot.consents = {}  # companies have none in User.com
            else:
                employer = employers.get(partner.parent_id.id, (None, False))
                snapshot.employer, snapshot.may_join = employer
        return snapshots

    def _usercom_employers(self, account):
        """The companies that these contacts belong to, as far as they are linked.

        :return: partner id of the company to its User.com ID and whether it takes part.
        """
        companies = self.parent_id.filtered("is_company")
        if not companies:
            return {}
        linked = self.env["usercom.binding"].search(
            [
                ("account_id", "=", account.id),
                ("kind", "=", mapping.COMPANY),
                ("state", "=", "linked"),
                ("partner_id", "in", companies.ids),
            ]
        )
        participants = linked.partner_id._usercom_take_part(account)
        return {
            binding.partner_id.id: (binding.usercom_id, binding.partner_id in participants)
            for binding in linked
        }

    def _usercom_consents(self, account):
        """The words about consents that travel, at the contacts' addresses.

        :return: partner id to purpose id to given, withdrawn, or ``None`` where there is no word.
        """
        purpose_ids = {rule.purpose for rule in account._consent_rules()}
        purposes = self.env["usercom.consent.purpose"].browse(purpose_ids)
        # sudo: what is sent is what counts, whoever of the contacts at the address has said it.
        states = self.env["usercom.consent.event"].sudo()._states(self, purposes)
        words = (consent.GIVEN, consent.WITHDRAWN)
        return {
            partner_id: {p: state if state in words else None for p, state in found.items()}
            for partner_id, found in states.items()
        }

    def _usercom_snapshot(self, rules, context, account, consents):
        snapshot = Snapshot(rules, context, consents, self._usercom_kind())
        for rule in rules:
            try:
                raw = self._usercom_raw(rule)
                value = converters.canonical(rule, raw, context)
            except converters.CannotTravel as error:
                snapshot.notices.append((error.code, error.args_))
                continue
            if rule.converter == "name":
                value = values.person_name(value, self.email)  # the address may stand in for it
            snapshot.values[rule.attribute] = value
        for rule in account._consent_rules():
            is_given = consents.get(rule.purpose) == consent.GIVEN
            if is_given and rule.address and not self._usercom_travels(rule.address, snapshot):
                consents[rule.purpose] = None  # given for an address that does not travel
        return snapshot

    def _usercom_travels(self, attribute, snapshot):
        """Whether the address that consents belong to is the one that User.com gets."""
        own = {"email": self.email_normalized, "phone_number": self.phone_sanitized}
        return snapshot.values.get(attribute) == own[attribute]

    def _usercom_raw(self, rule):
        """The plain value at the end of a rule's path, as ``sync.converters`` takes it."""
        *hops, leaf = rule.odoo_field.split(".")
        record = self
        for hop in hops:
            record = record[hop][:1]
        value = record[leaf]
        if not isinstance(value, models.BaseModel):
            return value
        if value._name == "res.country":
            return value.code
        if value._name == "res.country.state":
            return f"{value.country_id.code}-{value.code}" if value else False
        return value.mapped("display_name")

    @api.model
    def _usercom_vals(self, account, snapshot, into):
        """Values for ``write`` or ``create``.

        :param snapshot: anything with the ``rules`` and the ``context`` of the contact.
        :param into: attribute to canonical value.
        """
        by_attribute = {rule.attribute: rule for rule in snapshot.rules}
        vals = {}
        for attribute, value in into.items():
            rule = by_attribute[attribute]
            raw = converters.to_odoo(rule, value, snapshot.context)
            vals[rule.odoo_field] = self._usercom_resolve(account, rule, raw, snapshot.context)
        return vals

    @api.model
    def _usercom_resolve(self, account, rule, raw, context):
        """A plain value as ``write`` takes it: records by what is known of them."""
        field = self._fields[rule.odoo_field]
        if not field.relational:
            if rule.converter == "phone" and raw:
                return self._phone_format(number=raw, force_format="INTERNATIONAL") or raw
            return raw
        if field.comodel_name in ("res.country", "res.country.state"):
            return account._place_ids().get(raw, False)
        known = context.selections[rule.odoo_field]
        return [fields.Command.set([known[name] for name in raw if name in known])]

    @api.model
    def _usercom_create(self, account, people):
        """Contacts for people from User.com whom nobody in Odoo is, as far as they take part.

        Whether somebody does is known of a contact that is there: the others are undone.

        :param people: list of (contact in User.com, attribute to canonical value).
        :return: list of (contact, contact in User.com, values that it was created with).
        """
        partners = self.with_company(account.company_id or self.env.company)
        snapshot = Snapshot(account._rules(mapping.CONTACT), account._context(), {})
        vals_list = []
        for _contact, theirs in people:
            name = theirs.get("name") or theirs.get("email") or theirs.get("phone_number")
            into = {r.attribute for r in snapshot.rules if r.into} & theirs.keys()
            vals = partners._usercom_vals(account, snapshot, {a: theirs[a] for a in into})
            vals |= {"name": name, "company_id": account.company_id.id}
            vals_list.append(partners._usercom_before_pull(account, vals))
        with self.env.cr.savepoint() as savepoint:
            created = partners.create(vals_list)
            participants = set(created._usercom_take_part(account)._ids)
            takes_part = [contact.id in participants for contact in created]
            if not all(takes_part):
                savepoint.rollback()
        if not all(takes_part):
            people, vals_list = ([*compress(some, takes_part)] for some in (people, vals_list))
            created = partners.create(vals_list)
        body = self.env._("Created from a contact in User.com (%(account)s).", account=account.name)
        created._message_log_batch(bodies=dict.fromkeys(created.ids, body))
        contacts = [contact for contact, _theirs in people]
        return list(zip(created, contacts, vals_list, strict=True))

    @api.model
    def _usercom_same_people(self, account, people):
        """All contacts that have one of these addresses, or numbers where there is no address.

        Archived ones too: they are found, not created again.

        :param people: attribute to canonical value of each.
        :return: address or number to contacts.
        """
        addresses = [shown["email"] for shown in people if shown.get("email")]
        numbers = [shown.get("phone_number") for shown in people if not shown.get("email")]
        domain = Domain("email_normalized", "in", addresses) | Domain(
            "phone_sanitized", "in", [number for number in numbers if number]
        )
        if account.company_id:
            domain &= Domain("company_id", "in", [False, account.company_id.id])
        partners = self.with_context(active_test=False)
        partners = partners.with_company(account.company_id or self.env.company)
        same = {}
        for partner in partners.search(domain):
            for key in (partner.email_normalized, partner.phone_sanitized):
                if key in addresses or key in numbers:
                    same[key] = same.get(key, self.browse()) | partner
        return same

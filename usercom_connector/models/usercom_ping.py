from functools import partial

from odoo import api, fields, models
from odoo.tools import split_every

from ..sync import consent
from ..tools import exchange
from .usercom_queue import RECORDED_TOGETHER


class UsercomPing(models.Model):
    """A row that says "look at this contact in User.com". It holds no value to be believed."""

    _name = "usercom.ping"
    _inherit = "usercom.queue"
    _description = "Contact to Read"

    _direction = "pull"
    _cron_xmlid = "usercom_connector.ir_cron_pull"
    _subject = ("lookup", "value")

    lookup = fields.Selection(
        [
            ("id", "User.com ID"),
            ("custom_id", "User ID"),
            ("key", "Browser key"),
            ("email", "E-mail"),
            ("none", "No contact named"),
        ],
        "Known By",
        required=True,
        readonly=True,
    )
    value = fields.Char(readonly=True)
    usercom_url = fields.Char("Profile", compute="_compute_usercom_url")

    _due_idx = models.Index("(account_res_id, due_at)")
    _subject_idx = models.Index("(account_res_id, value)")

    @api.depends("lookup", "value")
    def _compute_display_name(self):
        lookups = dict(self._fields["lookup"]._description_selection(self.env))
        for row in self:
            row.display_name = f"{lookups.get(row.lookup)} {row.value or ''}".strip()

    @api.depends("lookup", "value", "account_id")
    def _compute_usercom_url(self):
        for row in self:
            row.usercom_url = row.lookup == "id" and row.account_id._profile_url(row.value)

    def _person(self):
        """Who in User.com waits to be created, as far as it is known: equal for the same one."""
        number = (self.problem_args or {}).get("usercom_id")
        return ("id", number) if number else (self.lookup, self.value)

    # === WORKING OFF === #

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        done = len(groups)
        revisions = self._in_transaction(lambda: self._plan(account, groups))
        jobs = [subject for subject, rows in groups.items() if subject[0] != "none"]
        began = consent.moment()
        answers = exchange.run_all(jobs, lambda subject: exchange.read(usercom, *subject), deadline)
        for some in split_every(RECORDED_TOGETHER, answers):
            self._in_transaction(
                partial(self._record, account, stream, groups, some, revisions, began)
            )
        return done

    @api.model
    def _plan(self, account, groups):
        """Note how the bases stand before the reads begin.

        A read is merged only into the base that was there when it began: otherwise an older read
        would undo a newer push.

        :return: binding id to revision.
        """
        self._hold_back(account, groups, "usercom")
        for (lookup, _value), rows in groups.items():
            if lookup == "none":
                rows._park("no_identity")
        wanted = {"id": [], "custom_id": []}
        for lookup, value in groups:
            wanted.get(lookup, []).append(value)
        bindings = self.env["usercom.binding"].search(
            [
                ("account_id", "=", account.id),
                "|",
                ("usercom_id", "in", wanted["id"]),
                ("custom_id", "in", wanted["custom_id"]),
            ]
        )
        return {binding.id: binding.revision for binding in bindings}

    @api.model
    def _record(self, account, stream, groups, answers, revisions, began):
        left = account._creations_left("usercom")
        for subject, answer in answers:
            rows = groups[subject].exists()
            if rows._settle_failure(account, stream, answer):
                continue
            created = rows._guarded(
                partial(rows._record_one, account, subject, answer, revisions, began, left > 0)
            )
            left -= bool(created)
        if any(isinstance(answer, list) for _subject, answer in answers):
            stream._succeeded()

    def _record_one(self, account, subject, found, revisions, began, may_create):
        """Take in one contact.

        :return: whether it was created.
        """
        bindings = self.env["usercom.binding"]
        if not found:
            if subject[0] == "id":
                bindings.search(
                    [("account_id", "=", account.id), ("usercom_id", "=", subject[1])]
                )._mark_gone()
            self.unlink()
            return False
        if len(found) > 1:
            self._append([(account.id, "id", str(contact.id)) for contact in found])
            self.unlink()
            return False
        [contact] = found
        binding = bindings._find(account, contact)
        if not binding:
            return self._take_in(account, contact, began, may_create)
        if not binding.partner_id:
            self.unlink()  # deleted in Odoo: it does not come back by itself
        elif not account._covers(binding.partner_id):
            self.unlink()  # has moved to another company: stays as it is here
        elif binding.usercom_id and revisions.get(binding.id) != binding.revision:
            self._append([(account.id, "id", str(contact.id))])
            self.unlink()
        else:
            binding._lock()
            binding._absorb(contact, began)
            self.unlink()
        return False

    def _take_in(self, account, contact, began, may_create):
        """Find the contact in Odoo that this is, or create it where that is switched on."""
        partners = self.env["res.partner"].with_company(account.company_id or self.env.company)
        bindings = self.env["usercom.binding"]
        theirs, _notices = bindings.new({"account_id": account.id})._canonical(contact)
        email, phone = theirs.get("email"), theirs.get("phone_number")
        if not contact.is_user or not (email or phone):
            self.unlink()  # a mere visitor, or nobody one could write to
            return False
        same = partners._usercom_same_person(account, email, phone)
        people = same.filtered(
            lambda partner: (
                not partner.is_company and partner.type == "contact" and partner.partner_share
            )
        )
        if len(people) > 1:
            self._park("several_here", partner_ids=people.ids)
            return False
        if same and not people:
            self._park("not_taking_part", partner_ids=same.ids)
            return False
        mine = [("account_id", "=", account.id)]
        tied = bindings.search([*mine, ("partner_id", "in", people.ids)], limit=1)
        if tied.state == "linked":
            self._park("taken_here", partner_ids=people.ids)
            return False
        if ahead := tied._rows_creating():
            self._wait_behind(ahead, 30)  # the push finds out that it is this one
            return False
        if contact.custom_id:
            other = bindings.search([*mine, ("custom_id", "=", contact.custom_id)], limit=1)
            if other and other != tied:
                self._park("user_id_taken", partner_id=other.partner_id.id)
                return False
        if tied:
            # Deleted there and here again, or refused when we would have created it.
            tied._lock()
            tied._tie(contact)
            tied._absorb(contact, began)
            self.unlink()
            return False
        created = not people
        if created:
            if not account.create_in_odoo:
                # The number tells how many people wait: one may be called about by its e-mail, too.
                self._park("creation_off", usercom_id=str(contact.id))
                return False
            if not may_create:
                self._wait_for_ceiling(account, "usercom")
                return False
            people = self._create_partner(account, partners, theirs)
        binding = bindings._create_linked(
            account, people, contact, "usercom" if created else "matched"
        )
        binding._absorb(contact, began)
        self.unlink()
        return created

    @api.model
    def _create_partner(self, account, partners, theirs):
        name = theirs.get("name") or theirs.get("email") or theirs.get("phone_number")
        vals = partners._usercom_vals(account, theirs | {"name": name})
        partner = partners.create(vals | {"company_id": account.company_id.id})
        partner._message_log(
            body=self.env._(
                "Created from a contact in User.com (%(account)s).", account=account.name
            )
        )
        return partner

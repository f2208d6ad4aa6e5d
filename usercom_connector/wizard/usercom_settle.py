import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import client
from ..models.usercom_verdict import DIFFERENT, LEFT, SAME
from ..sync import mapping
from ..tools import exchange


class UsercomSettle(models.TransientModel):
    """Shows side by side who may be whom, and takes the answer.

    What User.com shows is read when it is opened.
    """

    _name = "usercom.settle"
    _description = "Settle Who Is Who"

    account_id = fields.Many2one("usercom.account", required=True, readonly=True)
    change_id = fields.Integer(readonly=True)
    ping_id = fields.Integer(readonly=True)
    problem_code = fields.Char(readonly=True)
    problem = fields.Text("Question", compute="_compute_problem")
    partner_res_id = fields.Integer(readonly=True)
    usercom_id = fields.Char(readonly=True)
    line_ids = fields.One2many("usercom.settle.line", "wizard_id", readonly=True)
    subject_ids = fields.One2many(
        "usercom.settle.line", "wizard_id", domain=[("is_subject", "=", True)], readonly=True
    )
    candidate_ids = fields.One2many(
        "usercom.settle.line", "wizard_id", domain=[("is_subject", "=", False)], readonly=True
    )
    has_candidates = fields.Boolean(compute="_compute_has_candidates")

    @api.depends("change_id", "ping_id")
    @api.depends_context("lang")
    def _compute_problem(self):
        for wizard in self:
            wizard.problem = wizard._row().problem

    @api.depends("candidate_ids")
    def _compute_has_candidates(self):
        for wizard in self:
            wizard.has_candidates = bool(wizard.candidate_ids)

    # === OPENING === #

    @api.model
    def _open(self, row):
        """The action that shows the wizard for a row of one of the queues."""
        row.ensure_one()
        row.check_access("read")
        account = row.account_id
        if not row.can_settle:
            raise UserError(self.env._("There is nothing to settle here."))
        account.check_access("read")
        if account.is_other_database:
            raise UserError(self.env["usercom.sentence"]._of("other_database"))
        opened = self._of_change if row._direction == "push" else self._of_ping
        try:
            with account._client() as usercom:
                vals, lines = opened(account, row, usercom)
        except ValueError as error:
            sentence = self.env["usercom.sentence"]._of(account._address_trouble())
            raise UserError(sentence) from error
        except client.UserComError as error:
            sentence = self.env["usercom.sentence"]._of(str(error.kind))
            raise UserError(sentence) from error
        wizard = self.create(
            vals
            | {
                "account_id": account.id,
                "problem_code": row.problem_code,
                "line_ids": [fields.Command.create(line) for line in lines],
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Settle Who Is Who"),
            "res_model": self._name,
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
        }

    @api.model
    def _of_change(self, account, row, usercom):
        partner = self.env["res.partner"].browse(row.partner_res_id).exists()
        if not partner:
            raise UserError(self.env._("This contact was deleted."))
        # sudo: what the row is about decides who it may be, also where the reader sees less of it.
        partner = partner.sudo()
        snapshot = partner._usercom_snapshots(account)[partner.id]
        bindings = self.env["usercom.binding"].sudo()
        binding = bindings._of_partners(account, partner).get(partner.id)
        job = exchange.PushJob(
            partner_id=partner.id,
            row_ids=(),
            email=snapshot.values.get(mapping.EMAIL.attribute),
            phone=snapshot.values.get(mapping.PHONE.attribute),
            context=snapshot.context,
            expected_id=bindings._expected_ids(account, partner).get(partner.id),
            **row._written(partner),
        )
        found = [
            contact
            for contact in exchange.look_up(usercom, job)
            if not binding or str(contact.id) != binding.usercom_id
        ]
        lines = [self._line_of_partner(account, partner, is_subject=True)]
        lines += [self._line_of_contact(account, contact) for contact in found]
        return {"change_id": row.id, "partner_res_id": partner.id}, lines

    @api.model
    def _of_ping(self, account, row, usercom):
        args = row.problem_args or {}
        number = args.get("usercom_id") or (row.lookup == "id" and row.value)
        try:
            contact = usercom.contact(number)
        except client.Gone as error:
            raise UserError(
                self.env._("This contact was deleted in User.com. Ignore the row.")
            ) from error
        ids = {*args.get("partner_ids", ()), *filter(None, [args.get("partner_id")])}
        # sudo: as above
        partners = self.env["res.partner"].sudo().browse(sorted(ids)).exists()
        lines = [self._line_of_contact(account, contact, is_subject=True)]
        lines += [self._line_of_partner(account, partner) for partner in partners]
        return {"ping_id": row.id, "usercom_id": str(contact.id)}, lines

    @api.model
    def _line_of_partner(self, account, partner, is_subject=False):
        tied = self.env["usercom.binding"].sudo()._of_partners(account, partner).get(partner.id)
        line = {"is_subject": is_subject, "partner_res_id": partner.id}
        if tied and tied.usercom_id:
            line |= {
                "tied_to": self.env._("User.com %(number)s", number=tied.usercom_id),
                "is_tied": tied.state == "linked",
            }
        if not partner.sudo(False)._filtered_access("read"):
            sentence = self.env["usercom.sentence"]
            return line | {"name": sentence._contact_names(partner.ids)}
        return line | {
            "name": partner.display_name,
            "email": partner.email,
            "phone": partner.phone,
            "city": partner.city,
            "created": fields.Datetime.to_string(partner.create_date),
            "seen": fields.Datetime.to_string(partner.write_date),
            "archived": not partner.active,
        }

    @api.model
    def _line_of_contact(self, account, contact, is_subject=False):
        bindings = self.env["usercom.binding"].sudo()
        tied = bindings._find(account, [contact])[contact.id]
        names = self.env["usercom.sentence"]._contact_names(tied.partner_id.ids)
        return {
            "is_subject": is_subject,
            "usercom_id": str(contact.id),
            "custom_id": contact.custom_id,
            "name": contact.name,
            "email": contact.email,
            "phone": contact.phone_number,
            "city": contact.get("city"),
            "created": str(contact.get("created_at") or "")[:19].replace("T", " "),
            "seen": str(contact.get("last_seen") or "")[:19].replace("T", " "),
            "tied_to": names or False,
            "is_tied": bool(tied.partner_id),
        }

    # === ANSWERS === #

    def action_different(self):
        """None of these: it may be created although the address exists."""
        row = self._answer(DIFFERENT, self.candidate_ids)
        if self.problem_code == "deleted_here":
            self._let_back_in(row)
        row._retry()
        row._wake()
        return self._close()

    def action_leave(self):
        """Nothing is to become of it."""
        row = self._answer(LEFT, self.candidate_ids)
        if self.problem_code == "deleted_here":
            self._keep_out()
        row._drop()
        return self._close()

    def _same(self, line):
        """This candidate is the same person.

        Where one of the two is tied already, the tie changes hands; the one that loses it is left.
        """
        row = self._answer(SAME, line)
        others = self.candidate_ids - line
        self._say(LEFT, others)
        partner, number = self._pair(line)
        bindings = self.env["usercom.binding"].sudo()  # sudo: as in _answer
        own = bindings._of_partners(self.account_id, partner).get(partner.id, bindings)
        other = bindings.search(
            [
                ("account_id", "=", self.account_id.id),
                ("kind", "=", mapping.CONTACT),
                ("usercom_id", "=", number),
            ]
        )
        if other.partner_id or own.state == "linked":
            if not line.may_hand_over:
                raise UserError(
                    self.env._("This has changed meanwhile. Close it and open it again.")
                )
            shown = line if line.usercom_id else self.subject_ids
            self._hand_over(partner, shown._as_read(), own, other)
        row._retry()
        row._wake()
        return self._close()

    def _hand_over(self, partner, contact, own, other):
        number = str(contact.id)
        verdicts = self.env["usercom.verdict"].sudo()  # sudo: as in _answer
        losers = [(other.partner_id, number)] if other.partner_id else []
        losers += [(partner, own.usercom_id)] if own.usercom_id else []
        verdicts._say(self.account_id, losers, LEFT, self.env.user)
        # A tie of its own: what is under way for the old one finds it gone, and leaves this alone.
        bindings = own.browse()
        pending = other.custom_id if other.send_custom_id else False
        (own | other).unlink()
        binding = bindings._create_linked(self.account_id, [(partner, contact, "matched")])
        if pending:
            binding.custom_id = pending
        self.env["usercom.ping"].sudo()._append([(self.account_id.id, "id", number)])

    def _join(self, line):
        """The same person: their two contacts in User.com become one."""
        row = self._answer(SAME, line)
        partner, number = self._pair(line)
        bindings = self.env["usercom.binding"].sudo()  # sudo: as in _answer
        own = bindings._of_partners(self.account_id, partner).get(partner.id, bindings)
        if own.state != "linked" or (line.is_tied and not line.partner_res_id):
            raise UserError(
                self.env._(
                    "These two cannot be joined here: each belongs to a contact of its own in "
                    "Odoo. Merge the contacts in Odoo; that joins them in User.com, too."
                )
            )
        own._join([number])
        if self.change_id:
            row._retry()
            row._wake()
        else:
            row._drop()
        return self._close()

    def _answer(self, answer, lines):
        """Remember an answer about these candidates.

        :return: the row, with the right to see to it.
        """
        self.ensure_one()
        row = self._row()
        if not row:
            raise UserError(self.env._("This has been settled meanwhile."))
        row.check_access("read")
        self._say(answer, lines)
        # sudo: rows, ties and answers are not edited by hand; who may see the row may settle it.
        return row.sudo()

    def _say(self, answer, lines):
        pairs = [self._pair(line) for line in lines]
        # sudo: as in _answer
        self.env["usercom.verdict"].sudo()._say(self.account_id, pairs, answer, self.env.user)

    def _pair(self, line):
        partners = self.env["res.partner"].sudo()  # sudo: only who it is, not what is known of them
        partner = partners.browse(self.partner_res_id or line.partner_res_id).exists()
        return partner, self.usercom_id or line.usercom_id

    def _let_back_in(self, row):
        """Forget that somebody with this address was deleted in Odoo."""
        self._tombstones().address_hash = False

    def _keep_out(self):
        """Keep this one out of Odoo, too."""
        stones = self._tombstones()
        bindings = stones.browse()
        if stones and not bindings._by_usercom_id(
            self.account_id, [(mapping.CONTACT, self.usercom_id)]
        ):
            bindings.create(
                {
                    "account_id": self.account_id.id,
                    "usercom_id": self.usercom_id,
                    "custom_id": secrets.token_hex(16),
                    "state": "linked",
                    "origin": "matched",
                    "address_hash": stones[0].address_hash,
                }
            )

    def _tombstones(self):
        bindings = self.env["usercom.binding"].sudo()  # sudo: as in _answer
        [subject] = self.subject_ids
        context = self.account_id.sudo()._context()
        email = subject.email and context.email(subject.email)
        key = email or (subject.phone and context.phone(subject.phone, context.country))
        return bindings.search(
            Domain("account_id", "=", self.account_id.id)
            & Domain("partner_id", "=", False)
            & Domain("address_hash", "=", bindings._hash_of(key or ""))
        )

    def _row(self):
        if self.change_id:
            return self.env["usercom.change"].browse(self.change_id).exists()
        return self.env["usercom.ping"].browse(self.ping_id).exists()

    @api.model
    def _close(self):
        return {"type": "ir.actions.client", "tag": "soft_reload"}


class UsercomSettleLine(models.TransientModel):
    """Somebody on one of the two sides, as they are now."""

    _name = "usercom.settle.line"
    _description = "Settle Who Is Who: Contact"
    _order = "id"

    wizard_id = fields.Many2one("usercom.settle", required=True, ondelete="cascade")
    is_subject = fields.Boolean(readonly=True)
    partner_res_id = fields.Integer(readonly=True)
    usercom_id = fields.Char(readonly=True)
    custom_id = fields.Char(readonly=True)
    side = fields.Char(compute="_compute_side")
    name = fields.Char(readonly=True)
    email = fields.Char("E-mail", readonly=True)
    phone = fields.Char(readonly=True)
    city = fields.Char(readonly=True)
    created = fields.Char(readonly=True)
    seen = fields.Char("Last Seen or Changed", readonly=True)
    archived = fields.Boolean(readonly=True)
    tied_to = fields.Char(readonly=True)
    is_tied = fields.Boolean(readonly=True)
    may_join = fields.Boolean(compute="_compute_may")
    may_tie = fields.Boolean(compute="_compute_may")
    may_hand_over = fields.Boolean(compute="_compute_may")

    @api.depends("partner_res_id", "usercom_id")
    @api.depends_context("lang")
    def _compute_side(self):
        for line in self:
            line.side = (
                self.env._("User.com %(number)s", number=line.usercom_id)
                if line.usercom_id
                else self.env._("Odoo")
            )

    def _as_read(self):
        """What ties need to know of this contact of User.com."""
        answer = {"id": int(self.usercom_id), "custom_id": self.custom_id or None}
        return client.Contact.from_json(answer)

    @api.depends("is_tied", "wizard_id.problem_code")
    def _compute_may(self):
        for line in self:
            code = line.wizard_id.problem_code
            line.may_join = code == "taken_here" or (code == "email_there" and not line.is_tied)
            line.may_hand_over = line.is_tied and code != "email_there"
            line.may_tie = not line.is_tied and code != "email_there"

    def action_same(self):
        """This is the same person."""
        self.ensure_one()
        if not (self.may_tie or self.may_hand_over):
            raise UserError(self.env._("There is nothing to settle here."))
        return self.wizard_id._same(self)

    def action_join(self):
        """This is the same person, whose contacts in User.com become one."""
        self.ensure_one()
        if not self.may_join:
            raise UserError(self.env._("There is nothing to settle here."))
        return self.wizard_id._join(self)

from dataclasses import replace
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL, split_every

from .. import client
from ..sync import consent, mapping, merge
from ..sync.pacing import CONSENT, EDIT
from ..tools import exchange
from .usercom_binding import Read
from .usercom_queue import RECORDED_TOGETHER


class UsercomChange(models.Model):
    """A row that says "this contact may need sending", written in the transaction of the edit."""

    _name = "usercom.change"
    _inherit = "usercom.queue"
    _description = "Change to Send"

    _direction = "push"
    _cron_xmlid = "usercom_connector.ir_cron_push"
    _subject = ("partner_res_id",)

    partner_res_id = fields.Integer("Contact Number", required=True, readonly=True)
    partner_id = fields.Many2one("res.partner", "Contact", compute="_compute_partner_id")

    _due_idx = models.Index("(account_res_id, priority, due_at)")
    _partner_idx = models.Index("(partner_res_id)")

    @api.depends("partner_res_id")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_partner_id(self):
        # Empty where the reader may not see the contact: Odoo shows the name of what stands here.
        partners = self.env["res.partner"].browse(self.mapped("partner_res_id")).exists()
        readable = {partner.id: partner for partner in partners._filtered_access("read")}
        for row in self:
            row.partner_id = readable.get(row.partner_res_id)

    @api.depends("partner_res_id")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_display_name(self):
        for row in self:
            # sudo: who may see a contact may see the name of the company it belongs to.
            name = row.partner_id.sudo().display_name
            row.display_name = name or str(row.partner_res_id)

    def _contacts(self):
        return self.partner_id | super()._contacts()

    def action_ignore(self):
        """Give these rows up, and what they were to send as long as it stays as it is.

        Otherwise the next night's comparison would find it again. A consent is not given up: where
        that is what differs, it is sent with the next edit or in the next night.
        """
        rows = self._still_there()
        # Of what our code cannot deal with, it is not known what there is to send.
        # sudo: bindings are not edited by hand; this is all that ignoring changes in them.
        rows.filtered(lambda row: row.problem_code != "unexpected").sudo()._forgo()
        return super().action_ignore()

    def _forgo(self):
        """Note what these rows would send like values that User.com has refused."""
        for account in self.account_id:
            rows = self.filtered(lambda row, account=account: row.account_id == account)
            partners = self.env["res.partner"].browse(rows.mapped("partner_res_id")).exists()
            bindings = self.env["usercom.binding"]._of_partners(account, partners)
            snapshots = partners.browse(bindings)._usercom_snapshots(account)
            for partner_id, binding in bindings.items():
                snapshot = snapshots[partner_id]
                unsent = merge.outgoing(snapshot.rules, snapshot.values, binding.base_odoo or {})
                if unsent:
                    binding.refused = (binding.refused or {}) | unsent

    @api.model
    def _append_gathered(self):
        """Insert what this transaction's edits have gathered (``res.partner._usercom_enqueue``)."""
        gathered = self.env.cr.precommit.data.pop("usercom_connector.changes", {})
        rows = [
            SQL("(%s::integer, %s, %s)", account_id, partner_id, priority)
            for (account_id, partner_id), priority in gathered.items()
        ]
        if not rows:
            return
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change
                            (account_res_id, partner_res_id, due_at, attempts, priority)
                SELECT account.id, edit.partner_id, %(now)s, 0, edit.priority
                  FROM (VALUES %(rows)s) AS edit (account_id, partner_id, priority)
                  JOIN usercom_account AS account
                    ON account.id = COALESCE(edit.account_id, account.id)
                 WHERE account.active AND account.state IN ('running', 'paused')
              ORDER BY account.id, edit.partner_id
                """,
                now=fields.Datetime.now(),
                rows=SQL(", ").join(rows),
            )
        )
        if self.env.cr.rowcount:
            self._wake()

    @api.model
    def _problems(self, account, partner_ids):
        """Partner id to the sentence that says why its changes wait."""
        rows = self.search(
            [
                ("account_res_id", "=", account.id),
                ("partner_res_id", "in", partner_ids),
                ("problem_code", "!=", False),
            ]
        )
        return {row.partner_res_id: row.problem for row in rows}

    # === WORKING OFF === #

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        done = len(groups)
        jobs = self._in_transaction(lambda: self._plan(account, groups))
        to_look_up = [job for job in jobs if job.binding_id is None]
        if to_look_up:
            began = consent.moment()
            answers = exchange.run_all(
                to_look_up,
                lambda job: exchange.look_up(usercom.within(deadline, job.priority), job),
                deadline,
            )
            jobs = [job for job in jobs if job.binding_id is not None]
            for some in split_every(RECORDED_TOGETHER, answers):
                jobs += self._in_transaction(partial(self._bind, account, stream, some, began))
            if stream._is_resting() or not account._may_run():
                return done  # the look-up was answered by a 429, or by a refusal of the account
        began = consent.moment()
        calls = exchange.in_fewest_calls(jobs)
        calls.sort(key=lambda call: call.priority)
        answers = exchange.run_all(
            calls,
            lambda call: exchange.send_any(usercom.within(deadline, call.priority), call),
            deadline,
        )
        answers = exchange.by_contact(answers)
        for some in split_every(RECORDED_TOGETHER, answers):
            self._in_transaction(partial(self._record, account, stream, some, began))
        self._in_transaction(partial(self._adapt_batch, stream, answers))
        return done

    @api.model
    def _plan(self, account, groups):
        """Work out what is to be done; rows for which there is nothing to do go at once.

        :return: list of ``exchange.PushJob``, without a binding where the contact is to be looked
            up first.
        """
        self._hold_back(account, groups, "odoo")
        pieces = [(rows, partner_id) for (partner_id,), rows in groups.items()]
        return self._in_bulk(pieces, partial(self._plan_some, account))

    @api.model
    def _plan_some(self, account, pieces):
        partners = self.env["res.partner"].with_context(active_test=False)
        partners = partners.browse(partner_id for _rows, partner_id in pieces).exists()
        partners = partners.with_company(account.company_id or self.env.company)
        by_id = {partner.id: partner for partner in partners if account._covers(partner)}
        bindings = self.env["usercom.binding"]._of_partners(account, partners)
        snapshots = partners.browse(by_id)._usercom_snapshots(account)
        jobs, done = [], self.browse()
        for rows, partner_id in pieces:
            binding = bindings.get(partner_id)
            # A contact that has moved to another company stays as it is over there.
            snapshot = partner_id in by_id and snapshots.get(partner_id)
            is_company = snapshot and snapshot.kind == mapping.COMPANY
            if (
                not snapshot
                or is_company
                or (binding.state == "gone" if binding else not snapshot.takes_part)
            ):
                done += rows
            elif binding:
                job = rows._job_of(binding, snapshot, tried=True)
                if job and rows[:1].problem_code == "alone":
                    job = replace(job, alone=True)
                jobs += [job] if job else []
                done += self.browse() if job else rows
            else:
                email, phone = snapshot.values.get("email"), snapshot.values.get("phone_number")
                if email or phone:
                    jobs.append(
                        exchange.PushJob(
                            partner_id=partner_id,
                            row_ids=rows._ids,
                            priority=rows._first_priority(),
                            email=email,
                            phone=phone,
                        )
                    )
                else:
                    rows._park("no_address")  # what Odoo takes for one need not travel
        done._drop()
        return jobs

    def _job_of(self, binding, snapshot, tried=False):
        """What these rows have to send, noted in the binding; nothing where there is nothing."""
        binding._note_unsent(snapshot)
        job = binding._job(snapshot, self._ids, tried)
        if not job:
            return None
        binding._note_sending(job)
        return replace(job, priority=CONSENT if job.consent is False else self._first_priority())

    def _first_priority(self):
        return min((row.priority for row in self), default=EDIT)

    @api.model
    def _bind(self, account, stream, answers, began):
        """Tie each contact that was looked up to the one that was found, or to a new User ID.

        Committed before the first call that could create anything.

        :return: list of jobs to send.
        """
        places = [account._creations_left("odoo")]
        pieces = [
            (rows, job, answer)
            for rows, (job, answer) in zip(self._left_of(answers), answers, strict=True)
            if not rows._settle_failure(account, stream, answer)
        ]
        return self._in_bulk(pieces, partial(self._bind_some, account, began, places))

    @api.model
    def _left_of(self, answers):
        """The rows of each answered job that are still there."""
        left = self.browse(i for job, _answer in answers for i in job.row_ids).exists()
        by_id = {row.id: row for row in left}
        return [
            self.browse(i for i in job.row_ids if i in by_id).with_prefetch(left._ids)
            for job, _answer in answers
        ]

    @api.model
    def _bind_some(self, account, began, places, pieces):
        bindings = self.env["usercom.binding"]
        left = places[0]
        partners = self.env["res.partner"].browse(job.partner_id for _rows, job, _found in pieces)
        # Who has left the filter since the look-up is as good as deleted.
        partners = partners.exists()._usercom_take_part(account)
        tied = bindings._of_partners(account, partners)
        contacts = [contact for _rows, _job, found in pieces for contact in found]
        owners = bindings._find(account, contacts)
        custom_ids = bindings._by_custom_id(account, contacts)
        ahead = bindings._being_created(account, [(job.email, job.phone) for _r, job, _f in pieces])
        to_link, to_create, taken, done = [], [], set(), self.browse()
        by_id = {partner.id: partner for partner in partners}
        for rows, job, found in pieces:
            partner = by_id.get(job.partner_id)
            if not partner or partner.id in tied:
                # Deleted, or tied by the other direction meanwhile: the next round sees it.
                rows._wait(0, "busy")
            elif len(found) > 1:
                rows._park("several_there", usercom_ids=[str(contact.id) for contact in found])
            elif found:
                [contact] = found
                if contact.id in taken:
                    rows._wait(0, "busy")  # another one of this batch is this contact
                    continue
                binding = rows._tie_found(partner, contact, owners, custom_ids)
                if binding is not None:
                    taken.add(contact.id)
                    to_link.append((rows, partner, contact, binding))
            elif not account.create_in_usercom:
                done += rows
            elif waiting := (ahead.get(job.email or job.phone) or bindings)._rows_creating():
                rows._wait_behind(waiting)  # it will be found by the next look
            elif (job.email or job.phone) in {key for _rows, key, _partner in to_create}:
                rows._wait(1, "being_created", partner_id=to_create[-1][2].id)
            elif left <= 0:
                rows._wait_for_ceiling(account, "odoo")
            else:
                left -= 1
                to_create.append((rows, job.email or job.phone, partner))
        linked = bindings._create_linked(
            account, [(p, contact, "matched") for _r, p, contact, tie in to_link if not tie]
        )
        by_partner = {binding.partner_id.id: binding for binding in linked}
        found_ones = [
            Read(tie or by_partner[partner.id], contact, began)
            for _rows, partner, contact, tie in to_link
        ]
        bindings._absorb(account, found_ones)
        created = bindings.create([bindings._vals_new(account, p) for _r, _k, p in to_create])
        bound = [(piece[0], read.binding) for piece, read in zip(to_link, found_ones, strict=True)]
        bound += [(piece[0], new) for piece, new in zip(to_create, created, strict=True)]
        done._drop()
        jobs = self._jobs_of_bound(account, bound)
        places[0] = left  # last: what fails before is undone, and done again one by one
        return jobs

    @api.model
    def _jobs_of_bound(self, account, bound):
        """What there is to send for contacts that have just got their binding."""
        partners = self.env["res.partner"].union(*(binding.partner_id for _rows, binding in bound))
        snapshots = partners._usercom_snapshots(account)
        jobs, done = [], self.browse()
        for rows, binding in bound:
            if any(row.problem_code for row in rows):
                rows.write({"problem_code": False})  # it waits for no place under the ceiling
            job = rows._job_of(binding, snapshots[binding.partner_id.id])
            jobs += [job] if job else []
            done += self.browse() if job else rows
        done._drop()
        return jobs

    def _tie_found(self, partner, contact, owners, custom_ids):
        """The binding that a contact and the only one that was found for it are tied by.

        Empty where it is to be made, and ``None`` where these rows have been parked.

        :param owners: User.com ID to binding, and ``custom_ids`` User ID to binding.
        """
        other = owners[contact.id]
        if other.partner_id:
            self._park("taken_there", usercom_id=str(contact.id), partner_id=other.partner_id.id)
            return None
        if other:
            # Its contact in Odoo was deleted, and somebody entered the person anew.
            other.write({"partner_id": partner.id, "state": "linked"})
            return other
        if owner := custom_ids.get(contact.custom_id):
            self._park("user_id_taken", partner_id=owner.partner_id.id)
            return None
        return other

    @api.model
    def _record(self, account, stream, answers, began):
        """Record what came of the calls, and drop the rows that are settled."""
        pieces, bindings = [], self.env["usercom.binding"]
        existing = bindings.browse(job.binding_id for job, _answer in answers).exists()
        by_id = {binding.id: binding for binding in existing}
        locked = existing._locked()
        for rows, (job, answer) in zip(self._left_of(answers), answers, strict=True):
            binding = by_id.get(job.binding_id, bindings)
            if isinstance(answer, client.Gone):
                binding._mark_gone()
                rows._drop()
            elif rows._settle_failure(account, stream, answer):
                continue
            elif binding and binding not in locked:
                rows._wait(1, "busy")
            else:
                pieces.append((rows, binding, job, answer))
        self._in_bulk(pieces, partial(self._record_some, account, began))
        if any(isinstance(answer, exchange.Sent) for _job, answer in answers):
            stream._succeeded()

    def _settle_failure(self, account, stream, answer):
        if isinstance(answer, exchange.RefusedTogether):
            self._wait(0, "alone")
            return True
        return super()._settle_failure(account, stream, answer)

    @api.model
    def _record_some(self, account, began, pieces):
        bindings = self.env["usercom.binding"].union(*(piece[1] for piece in pieces))
        snapshots = bindings.partner_id._usercom_snapshots(account)
        owners = bindings._by_usercom_id(
            account,
            [(job.kind, s.usercom_id) for _r, _b, job, s in pieces if isinstance(s, exchange.Sent)],
        )
        reads, done = [], self.browse()
        for rows, binding, job, sent in pieces:
            if not binding:
                done += rows
            elif isinstance(sent, exchange.Overtaken):
                if binding.state == "new":
                    binding.unlink()
                rows._wait(0, "busy")  # looked up anew, as if it had never been tried
            elif not binding.partner_id:
                # Deleted in Odoo meanwhile. What stays is that it must not come back.
                binding.write({"usercom_id": sent.usercom_id, "state": "linked"})
                done += rows
            elif (owner := owners.get((job.kind, sent.usercom_id), binding)) != binding:
                binding.unlink()
                rows._park(
                    "taken_there", usercom_id=sent.usercom_id, partner_id=owner.partner_id.id
                )
            elif not binding._record_sent(job, sent, snapshots[binding.partner_id.id]):
                rows._wait(0, "busy")
            else:
                done += rows
                if sent.contact is None:
                    binding.synced_at = began
                else:
                    moved = "email" in sent.outgoing
                    reads.append(Read(binding, sent.contact, began, moved))
        self.env["usercom.binding"]._absorb(account, reads)
        done._drop()
        return []

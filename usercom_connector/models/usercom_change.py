from dataclasses import replace
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL, split_every

from .. import client
from ..sync import consent
from ..tools import exchange
from .usercom_binding import TakenError
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

    _due_idx = models.Index("(account_res_id, due_at)")
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

    @api.model
    def _append_gathered(self):
        """Insert what this transaction's edits have gathered (``res.partner._usercom_enqueue``)."""
        gathered = self.env.cr.precommit.data.pop("usercom_connector.changes", {})
        rows = [
            SQL("(%s::integer, %s, %s)", account_id, partner_id, urgent)
            for (account_id, partner_id), urgent in gathered.items()
        ]
        if not rows:
            return
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change
                            (account_res_id, partner_res_id, due_at, attempts, urgent)
                SELECT account.id, edit.partner_id, %(now)s, 0, edit.urgent
                  FROM (VALUES %(rows)s) AS edit (account_id, partner_id, urgent)
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
            answers = exchange.run_all(to_look_up, partial(exchange.look_up, usercom), deadline)
            jobs = [job for job in jobs if job.binding_id is not None]
            for some in split_every(RECORDED_TOGETHER, answers):
                jobs += self._in_transaction(partial(self._bind, account, stream, some, began))
            if stream._is_resting() or not account._may_run():
                return done  # the look-up was answered by a 429, or by a refusal of the account
        began = consent.moment()
        answers = exchange.run_all(jobs, partial(exchange.send, usercom), deadline)
        for some in split_every(RECORDED_TOGETHER, answers):
            self._in_transaction(partial(self._record, account, stream, some, began))
        return done

    @api.model
    def _plan(self, account, groups):
        """Work out what is to be done; rows for which there is nothing to do go at once.

        :return: list of ``exchange.PushJob``, without a binding where the contact is to be looked
            up first.
        """
        self._hold_back(account, groups, "odoo")
        ids = [partner_id for (partner_id,) in groups]
        partners = self.env["res.partner"].with_context(active_test=False).browse(ids).exists()
        bindings = {
            binding.partner_id.id: binding
            for binding in self.env["usercom.binding"].search(
                [("account_id", "=", account.id), ("partner_id", "in", ids)]
            )
        }
        partners = partners.with_company(account.company_id or self.env.company)
        consents = self.env["usercom.consent.event"]._states(partners)
        by_id = {partner.id: partner for partner in partners}
        participants = set(partners.filtered_domain(account._participants()).ids)
        jobs = []
        for (partner_id,), rows in groups.items():
            job = rows._guarded(
                partial(
                    self._plan_one,
                    rows,
                    by_id.get(partner_id),
                    bindings.get(partner_id),
                    consents.get(partner_id),
                    partner_id in participants,
                )
            )
            if job:
                jobs.append(job)
        return jobs

    @api.model
    def _plan_one(self, rows, partner, binding, consent_state, takes_part):
        job = None
        if binding and not binding.account_id._covers(partner):
            binding = partner = None  # has moved to another company: stays as it is over there
        if partner and binding and binding.state != "gone":
            snapshot = partner._usercom_snapshot(consent_state)
            job = rows._job_of(binding, snapshot)
            return job and replace(
                job,
                tried=True,
                email=snapshot.values.get("email"),
                phone=snapshot.values.get("phone_number"),
            )
        if partner and not binding and takes_part:
            snapshot = partner._usercom_snapshot(consent_state)
            email, phone = snapshot.values.get("email"), snapshot.values.get("phone_number")
            if not (email or phone):
                rows._park("no_address")  # what Odoo takes for one need not travel
                return None
            job = exchange.PushJob(
                partner_id=partner.id, row_ids=tuple(rows.ids), email=email, phone=phone
            )
        if not job:
            rows.unlink()
        return job

    def _job_of(self, binding, snapshot):
        """What these rows have to send; where that is nothing, they go."""
        binding._note_unsent(snapshot)
        job = binding._job(snapshot, self.ids)
        if job:
            binding._note_sending(job)
        else:
            self.unlink()
        return job

    @api.model
    def _bind(self, account, stream, answers, began):
        """Tie each contact that was looked up to the one that was found, or to a new User ID.

        Committed before the first call that could create anything.

        :return: list of jobs to send.
        """
        left = account._creations_left("odoo")
        jobs = []
        for job, answer in answers:
            rows = self.browse(job.row_ids).exists()
            if rows._settle_failure(account, stream, answer):
                continue
            binding = rows._guarded(partial(rows._bind_one, account, job, answer, began, left > 0))
            if not binding:
                continue
            rows.write({"problem_code": False})  # it waits for no place under the ceiling
            left -= binding.state == "new"
            ready = rows._guarded(partial(rows._job_of_bound, binding))
            if ready:
                jobs.append(ready)
        return jobs

    def _job_of_bound(self, binding):
        partner = binding.partner_id
        snapshots = partner._usercom_snapshots(binding.account_id)
        return self._job_of(binding, snapshots[partner.id])

    def _bind_one(self, account, job, found, began, may_create):
        """The binding for one contact, or nothing when its rows have been dealt with."""
        bindings = self.env["usercom.binding"]
        partner = self.env["res.partner"].browse(job.partner_id).exists()
        mine = [("account_id", "=", account.id)]
        if not partner or bindings.search([*mine, ("partner_id", "=", partner.id)], limit=1):
            # Deleted, or tied by the other direction meanwhile: the next round sees how it is now.
            self._wait(0, "busy")
            return None
        if len(found) > 1:
            self._park("several_there", usercom_ids=[str(contact.id) for contact in found])
            return None
        if found:
            [contact] = found
            other = bindings._find(account, contact)
            if other.partner_id:
                self._park(
                    "taken_there", usercom_id=str(contact.id), partner_id=other.partner_id.id
                )
                return None
            if other:
                # Its contact in Odoo was deleted, and somebody entered the person anew.
                other.write({"partner_id": partner.id, "state": "linked"})
                binding = other
            else:
                if owner := contact.custom_id and bindings.search(
                    [*mine, ("custom_id", "=", contact.custom_id)], limit=1
                ):
                    self._park("user_id_taken", partner_id=owner.partner_id.id)
                    return None
                binding = bindings._create_linked(account, partner, contact, "matched")
            binding._absorb(contact, began)
            return binding
        if not account.create_in_usercom:
            self.unlink()
            return None
        if ahead := bindings._being_created(account, job.email, job.phone)._rows_creating():
            self._wait_behind(ahead)  # it will be found by the next look
            return None
        if not may_create:
            self._wait_for_ceiling(account, "odoo")
            return None
        return bindings._create_new(account, partner)

    @api.model
    def _record(self, account, stream, answers, began):
        """Record what came of the calls, and drop the rows that are settled."""
        for job, answer in answers:
            rows = self.browse(job.row_ids).exists()
            binding = self.env["usercom.binding"].browse(job.binding_id).exists()
            if isinstance(answer, client.Gone):
                binding._mark_gone()
                rows.unlink()
            elif not rows._settle_failure(account, stream, answer):
                rows._guarded(partial(rows._record_one, binding, job, answer, began))
        if any(isinstance(answer, exchange.Sent) for _job, answer in answers):
            stream._succeeded()

    def _record_one(self, binding, job, sent, began):
        if not binding:
            self.unlink()
            return
        binding._lock()
        if isinstance(sent, exchange.Overtaken):
            if binding.state == "new":
                binding.unlink()
            self._wait(0, "busy")  # looked up anew, as if it had never been tried
            return
        if not binding.partner_id:
            # Deleted in Odoo meanwhile. What stays is that it must not come back.
            binding.write({"usercom_id": sent.usercom_id, "state": "linked"})
            self.unlink()
            return
        try:
            settled = binding._record_sent(job, sent, began)
        except TakenError as taken:
            owner = binding._other_with("usercom_id", taken.usercom_id)
            binding.unlink()
            self._park("taken_there", usercom_id=taken.usercom_id, partner_id=owner.partner_id.id)
            return
        if settled:
            self.unlink()
        else:
            self._wait(0, "busy")

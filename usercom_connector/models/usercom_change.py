import time
from dataclasses import replace
from functools import partial

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, split_every
from odoo.tools.mail import email_split

from ..sync import consent, mapping, merge
from ..sync.pacing import CONSENT, EDIT
from ..tools import companies, exchange
from .usercom_queue import RECORDED_TOGETHER


class UsercomChange(models.Model):
    """A row that says "this contact may need sending", written in the transaction of the edit."""

    _name = "usercom.change"
    _inherit = "usercom.queue"
    _description = "Change to Send"

    _direction = "push"
    _cron_xmlid = "usercom_connector.ir_cron_push"
    _subject = ("partner_res_id",)
    _questions = ("several_there", "taken_there", "user_id_taken", "email_there")

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

    def _compute_can_settle(self):
        super()._compute_can_settle()
        for row in self.filtered("can_settle"):
            # sudo: only what it is. The questions are about people, and are asked of users there.
            partner = self.env["res.partner"].sudo().browse(row.partner_res_id)
            row.can_settle = not partner.exists().is_company

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
            leaving = self.env["usercom.binding"]._leaving(account, rows.mapped("partner_res_id"))
            for binding in leaving.values():
                binding._record_farewell(None, is_said=False)

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
    def _has_chore(self, stream):
        return self.env["usercom.directory"]._is_due(stream)

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        started, done = time.monotonic(), len(groups)
        jobs = self._in_transaction(lambda: self._plan(account, groups))
        jobs, unlisted = self._in_transaction(partial(self._seek_companies, account, stream, jobs))
        jobs = self._bind_unknown(account, stream, usercom, jobs, deadline)
        if jobs is None:
            return done  # the look-up was answered by a 429, or by a refusal of the account
        members = [job for job in jobs if isinstance(job, companies.MemberJob)]
        jobs = [job for job in jobs if isinstance(job, exchange.PushJob)]
        jobs = self._meet_joined(account, stream, usercom, jobs, deadline)
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
            members += self._in_transaction(partial(self._record, account, stream, some, began))
        seconds = time.monotonic() - started
        self._in_transaction(partial(self._adapt_batch, stream, answers, seconds))
        if self._in_transaction(lambda: stream._is_resting() or not account._may_run()):
            return done
        answers = exchange.run_all(
            members, partial(companies.move_member, usercom.within(deadline)), deadline
        )
        for some in split_every(RECORDED_TOGETHER, answers):
            self._in_transaction(partial(self._record_members, account, stream, some))
        self._list_companies(account, stream, usercom, unlisted, deadline)
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
        leaving = self.env["usercom.binding"]._leaving(
            account, [partner_id for _rows, partner_id in pieces if partner_id not in partners._ids]
        )
        expected = self.env["usercom.binding"]._expected_ids(
            account, partners.browse(by_id.keys() - bindings.keys())
        )
        asleep = self.env["usercom.binding"]._asleep(account, partners.browse(by_id))
        sleeping = self.env["usercom.binding"].union(*asleep.values())._snapshots(account)
        participants = {i for i, snapshot in snapshots.items() if snapshot.takes_part}
        known = self.env["usercom.binding"].union(*bindings.values())
        known.filtered(lambda binding: binding.partner_id.id in participants)._come_back()
        jobs, done = [], self.browse()
        for rows, partner_id in pieces:
            if partner_id in leaving:
                jobs.append(rows._job_of_deleted(leaving[partner_id]))
                continue
            binding = bindings.get(partner_id)
            # A contact that has moved to another company stays as it is over there.
            snapshot = partner_id in by_id and snapshots.get(partner_id)
            person = asleep.get(partner_id)
            if not snapshot:
                done += rows
            elif person and (job := rows._job_of(person, sleeping[person.id], tried=True)):
                jobs.append(job)  # a "no" of whoever has become a company; the rest comes after it
            elif binding.state == "gone" if binding else not snapshot.takes_part:
                done += rows
            elif binding:
                job = rows._job_of(binding, snapshot, tried=True)
                if isinstance(job, exchange.PushJob) and rows[:1].problem_code == "alone":
                    job = replace(job, alone=True)
                jobs += [job] if job else []
                done += self.browse() if job else rows._settled(binding)
            elif snapshot.kind == mapping.COMPANY:
                email, name = snapshot.values.get("email"), by_id[partner_id].name
                jobs.append(
                    exchange.PushJob(
                        partner_id=partner_id,
                        row_ids=rows._ids,
                        kind=mapping.COMPANY,
                        email=email,
                        name=name,
                    )
                )
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
                            context=snapshot.context,
                            expected_id=expected.get(partner_id),
                            **self._written(by_id[partner_id]),
                        )
                    )
                else:
                    rows._park("no_address")  # what Odoo takes for one need not travel
        done._drop()
        unknown = {
            job.partner_id for job in jobs if job.binding_id is None and job.kind == mapping.CONTACT
        }
        if unknown:
            surveyed = self._still_surveyed(account, list(unknown))
            # A number may be written there in a form that only a look-up finds.
            jobs = [
                replace(job, surveyed=True)
                if job.binding_id is None and job.email and job.partner_id in surveyed
                else job
                for job in jobs
            ]
        return self._with_strangers(account, jobs)

    @api.model
    def _written(self, partner):
        """How else a contact may be known in User.com, for a ``exchange.PushJob`` that looks."""
        [email] = (email_split(partner.email) or [None])[:1]
        return {
            "written_email": email if (email or "").lower() == partner.email_normalized else None,
            "written_phone": partner.phone or None,
        }

    @api.model
    def _with_strangers(self, account, jobs):
        """The jobs, told who in User.com is surely somebody else."""
        people = [j for j in jobs if isinstance(j, exchange.PushJob) and j.kind == mapping.CONTACT]
        asking = [job for job in people if job.email or job.phone]
        asking = [j for j in asking if mapping.EMAIL.attribute in j.body or not j.usercom_id]
        partners = self.env["res.partner"].browse(job.partner_id for job in asking)
        strangers = self.env["usercom.verdict"]._strangers(account, partners) if asking else {}
        withdrawing = [job for job in people if job.withdrawn]
        tied = self._tied_at_addresses_of(account, withdrawing) if withdrawing else frozenset()
        return [
            replace(job, strangers=strangers.get(job.partner_id, job.strangers), tied=tied)
            if isinstance(job, exchange.PushJob) and (tied or job.partner_id in strangers)
            else job
            for job in jobs
        ]

    @api.model
    def _tied_at_addresses_of(self, account, jobs):
        """The numbers of those in User.com that are tied to contacts with addresses of these."""
        partners = self.env["res.partner"].with_context(active_test=False)
        partners = partners.search(
            Domain("email_normalized", "in", [job.email for job in jobs if job.email])
            | Domain("phone_sanitized", "in", [job.phone for job in jobs if job.phone])
        )
        bindings = self.env["usercom.binding"]._of_partners(account, partners)
        return frozenset(filter(None, (binding.usercom_id for binding in bindings.values())))

    def _job_of_deleted(self, binding):
        """What User.com is to be told of a contact that was deleted in Odoo."""
        return exchange.PushJob(
            partner_id=binding.former_res_id,
            row_ids=self._ids,
            binding_id=binding.id,
            usercom_id=binding.usercom_id or None,
            custom_id=binding.custom_id,
            merges=tuple(binding.merge_ids or ()),
            consent_rules=binding._consent_rules(),
            farewell=binding.farewell,
        )

    @api.model
    def _still_leaving(self, jobs):
        """The jobs, without farewells to contacts that somebody has entered anew meanwhile."""
        farewells = {
            job.binding_id for job in jobs if isinstance(job, exchange.PushJob) and job.farewell
        }
        if not farewells:
            return jobs
        leaving = self.env["usercom.binding"].browse(farewells).exists().filtered("farewell")
        over = farewells - set(leaving._ids)
        return [job for job in jobs if job.binding_id not in over]

    def _settled(self, binding):
        """These rows, if nothing of the contact waits for a person; else they show what does."""
        if (question := binding._open_question()) is None:
            return self
        self._park("email_there", usercom_ids=question["usercom_ids"])
        return self.browse()

    def _retry(self):
        asking = self.filtered(lambda row: row.problem_code == "email_there")
        for account_id, rows in asking.grouped("account_res_id").items():
            self.env["usercom.binding"].search(
                [
                    ("account_id", "=", account_id),
                    ("partner_id", "in", rows.mapped("partner_res_id")),
                ]
            )._ask_again()
        return super()._retry()

    def _job_of(self, binding, snapshot, tried=False):
        """What these rows have to send, noted in the binding; nothing where there is nothing."""
        binding._note_unsent(snapshot)
        job = binding._job(snapshot, self._ids, tried)
        if not job:
            return binding._member_job(snapshot, self._ids)
        binding._note_sending(job)
        says_no = False in job.consents.values()
        return replace(job, priority=CONSENT if says_no else self._first_priority())

    def _first_priority(self):
        return min((row.priority for row in self), default=EDIT)

    @api.model
    def _left_of(self, answers):
        """The rows of each answered job that are still there."""
        left = self.browse(i for job, _answer in answers for i in job.row_ids).exists()
        by_id = {row.id: row for row in left}
        return [
            self.browse(i for i in job.row_ids if i in by_id).with_prefetch(left._ids)
            for job, _answer in answers
        ]

    def _settle_failure(self, account, stream, answer):
        if isinstance(answer, exchange.RefusedTogether):
            self._wait(0, "alone")
            return True
        return super()._settle_failure(account, stream, answer)

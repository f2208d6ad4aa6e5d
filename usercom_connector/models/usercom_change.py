import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL, split_every
from odoo.tools.mail import email_normalize, email_split

from .. import client
from ..sync import consent, mapping, merge, waiting
from ..sync.pacing import BULK, CONSENT, EDIT
from ..tools import companies, exchange
from .usercom_binding import Read
from .usercom_queue import RECORDED_TOGETHER
from .usercom_stream import HELD_FOR
from .usercom_verdict import SAME

#: Marks what waits for a survey that has not begun.
NEXT_SURVEY = -1
#: So many contacts are created at a time that a survey has not met: whoever appears in User.com
#: after the look at what has changed there, once a round, and before the call, is not noticed.
SURVEYED_TOGETHER = 800
#: A failing list of companies is not begun anew for so many seconds, if only it itself wants it.
LIST_WAITS = 600
#: So long a withdrawal may take before somebody is told.
LATE_AFTER = timedelta(hours=1)
#: So far back withdrawals are looked at when nobody has looked before.
LOOKS_BACK = timedelta(days=1)


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

    survey = fields.Integer(
        readonly=True,
        help="The contact waits for this survey, or was not in User.com when it ended.",
    )

    _due_idx = models.Index("(account_res_id, priority, due_at)")
    _survey_idx = models.Index("(account_res_id) WHERE survey <> 0")
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

    @api.model
    def _append_people_of(self, bindings):
        """Have the people of companies looked at, which are linked now.

        One statement, however many they are. Who is not linked is none of its business.
        """
        linked = bindings.filtered(lambda binding: binding.kind == mapping.COMPANY)
        if not linked.partner_id:
            return
        linked.flush_model()
        self.env["res.partner"].flush_model(["parent_id"])
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change
                            (account_res_id, partner_res_id, due_at, attempts, priority)
                SELECT binding.account_id, binding.partner_id, %s, 0, %s
                  FROM usercom_binding AS binding
                  JOIN res_partner AS contact ON contact.id = binding.partner_id
                 WHERE binding.account_id = %s AND binding.kind = %s AND binding.state <> 'gone'
                   AND contact.parent_id IN %s
                """,
                fields.Datetime.now(),
                BULK,
                linked.account_id.id,
                mapping.CONTACT,
                tuple(linked.partner_id.ids),
            )
        )
        self._wake()

    # === SURVEY === #

    @api.model
    def _append_for_survey(self, account, partners):
        """Insert a row for each contact of a query, to wait for a survey that is asked for now.

        One statement, however many: the database makes a row of each contact it finds.
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change (account_res_id, partner_res_id, due_at, attempts,
                                            priority, problem_code, survey)
                SELECT %s, id, %s, 0, %s, 'listing', %s FROM (%s) AS contact
                """,
                account.id,
                fields.Datetime.now() + HELD_FOR,
                BULK,
                NEXT_SURVEY,
                partners,
            )
        )

    @api.model
    def _hold_for_survey(self, account, number):
        """Let what is due for contacts that are not linked wait for a survey.

        It saves them the look-up: the survey links whom it meets. Should it never end, they go by
        themselves after a while.
        """
        self._update_survey(
            account,
            SQL(
                "survey = %s, due_at = %s, problem_code = 'listing', problem_args = NULL",
                number,
                fields.Datetime.now() + HELD_FOR,
            ),
            SQL(
                """
                due_at IS NOT NULL AND (due_at <= %s OR survey <> 0) AND NOT EXISTS (
                    SELECT FROM usercom_binding AS binding
                     WHERE binding.account_id = account_res_id
                       AND binding.partner_id = partner_res_id
                )
                """,
                fields.Datetime.now(),
            ),
        )

    @api.model
    def _release_from_survey(self, account, number, is_complete):
        """Let go on what waited for a survey.

        :param is_complete: whether it has seen everybody. Then who is not linked is not there.
        """
        mark = SQL("survey") if is_complete else SQL("NULL")
        self._update_survey(
            account,
            SQL("survey = %s, %s", mark, self._due_now()),
            SQL("due_at IS NOT NULL AND survey IN (%s, %s)", NEXT_SURVEY, number),
        )
        self._wake()

    @api.model
    def _unmark_known(self, account, contacts):
        """Have contacts looked up after all whose address, or User ID to be, a list shows.

        Where they were linked, that costs nothing.

        :param contacts: as a page shows them.
        """
        emails = {email_normalize(contact.email) for contact in contacts if contact.email}
        known = SQL("email_normalized IN %s", tuple(filter(None, emails)) or ("",))
        if account.user_id_strategy == "sha256":
            custom_ids = tuple(c.custom_id for c in contacts if c.custom_id) or ("",)
            known = SQL(
                "(%s OR encode(sha256(email_normalized::bytea), 'hex') IN %s)", known, custom_ids
            )
        updated = self._update_survey(
            account,
            SQL("survey = NULL, %s", self._due_now()),
            SQL(
                """
                due_at IS NOT NULL AND survey <> 0 AND EXISTS (
                    SELECT FROM res_partner WHERE id = partner_res_id AND %s
                )
                """,
                known,
            ),
        )
        if updated:
            self._wake()

    @api.model
    def _due_now(self):
        return SQL("due_at = %s, problem_code = NULL, problem_args = NULL", fields.Datetime.now())

    @api.model
    def _update_survey(self, account, changes, condition):
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE usercom_change SET %s WHERE account_res_id = %s AND %s",
                changes,
                account.id,
                condition,
            )
        )
        self.invalidate_model(flush=False)
        return self.env.cr.rowcount

    @api.model
    def _still_surveyed(self, account, partner_ids):
        """Those of these contacts whose rows all say that the last survey did not meet them.

        An edit since, which may be of the address, is a row that does not say so.
        """
        survey = self.env["usercom.stream"]._of(account, "survey")
        rows = self.search(
            [("account_res_id", "=", account.id), ("partner_res_id", "in", partner_ids)]
        )
        edited = rows.filtered(lambda row: not row.survey or row.survey != survey.complete)
        return set(partner_ids) - set(edited.mapped("partner_res_id"))

    # === WITHDRAWALS THAT ARE LATE === #

    @api.model
    def _cron_drain(self):
        for account in self.env["usercom.account"].search([("state", "in", ("running", "paused"))]):
            try:
                self._in_transaction(partial(self._watch_withdrawals, account))
            except Exception as error:
                self.env.cr.rollback()
                self._log_unexpected(error, account)  # and the rows are worked off all the same
        super()._cron_drain()

    @api.model
    def _watch_withdrawals(self, account):
        """Tell the account's responsible, once, of withdrawals that User.com has not got in time.

        What has been delivered is not looked at again.
        """
        stream = self.env["usercom.stream"]._of(account, "push")
        until = fields.Datetime.now() - LATE_AFTER
        since = stream.withdrawals_until or until - LOOKS_BACK
        if until - since < timedelta(minutes=1) and not stream.is_late:
            return
        oldest = self._oldest_undelivered(account, since, until)
        stream.withdrawals_until = oldest - consent.NEXT_MOMENT if oldest else until
        if bool(oldest) != stream.is_late:
            stream.is_late = bool(oldest)
            if oldest:
                account._ask("withdrawal")
            else:
                account._answered("withdrawal")

    @api.model
    def _oldest_undelivered(self, account, since, until):
        """When the first withdrawal was recorded that User.com does not show yet, if there is one.

        Of those that were recorded in this time, and that still count.
        """
        rules = [rule for rule in account._consent_rules() if rule.leads]
        if not rules:
            return None
        self.env.flush_all()
        found = self.env.execute_query(
            SQL(
                """
                WITH event AS (
                    SELECT partner_id, address, recorded_at FROM usercom_consent_event
                     WHERE state = %s AND purpose_id IN %s
                       AND recorded_at > %s AND recorded_at <= %s
                )
                SELECT contact_id, min(recorded_at) FROM (
                    SELECT partner_id AS contact_id, recorded_at FROM event
                 UNION ALL
                    SELECT contact.id, recorded_at FROM event
                      JOIN res_partner AS contact ON contact.email_normalized = address
                 UNION ALL
                    SELECT contact.id, recorded_at FROM event
                      JOIN res_partner AS contact ON contact.phone_sanitized = address
                ) AS concerned
                 WHERE contact_id IS NOT NULL GROUP BY contact_id
                """,
                consent.WITHDRAWN,
                tuple({rule.purpose for rule in rules}),
                since,
                until,
            )
        )
        recorded_at = dict(found)
        partners = self.env["res.partner"].browse(recorded_at)
        bindings = self.env["usercom.binding"]._of_partners(account, partners)
        states = partners.browse(bindings)._usercom_consents(account)
        return min(
            (
                recorded_at[partner_id]
                for partner_id, binding in bindings.items()
                if binding.kind == mapping.CONTACT and binding.state != "gone"
                if any(
                    states[partner_id][rule.purpose] == consent.WITHDRAWN
                    and (binding.base_usercom or {}).get(rule.key) is not False
                    for rule in rules
                )
            ),
            default=None,
        )

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
    def _bind_unknown(self, account, stream, usercom, jobs, deadline):
        """Look up and tie those that have no binding.

        :return: the jobs to send, ``None`` where the account is not to be called now.
        """
        to_look_up = [job for job in jobs if job.binding_id is None and not job.surveyed]
        surveyed = [job for job in jobs if job.binding_id is None and job.surveyed]
        jobs = [job for job in jobs if job.binding_id is not None]
        if not surveyed and not to_look_up:
            return jobs
        if surveyed:
            bound, unsure = self._bind_surveyed(account, stream, usercom, surveyed, deadline)
            jobs += bound
            to_look_up += unsure
        began = consent.moment()
        answers = exchange.run_all(
            to_look_up,
            lambda job: companies.look_up_any(usercom.within(deadline, job.priority), job),
            deadline,
        )
        for of_kind in exchange.by_kind(answers):
            for some in split_every(RECORDED_TOGETHER, of_kind):
                jobs += self._in_transaction(partial(self._bind, account, stream, some, began))
        may_go = self._in_transaction(lambda: not stream._is_resting() and account._may_run())
        return self._in_transaction(partial(self._still_leaving, jobs)) if may_go else None

    @api.model
    def _meet_joined(self, account, stream, usercom, jobs, deadline):
        """Record what contacts say no to that are about to be joined with others.

        Committed before the first call that could join them: after that nobody can read it.

        :return: the jobs to send.
        """
        joining = [job for job in jobs if job.merges and not job.farewell]
        if not joining:
            return jobs
        answers = exchange.run_all(
            joining,
            lambda job: exchange.to_be_joined(usercom.within(deadline, job.priority), job),
            deadline,
        )
        met = self._in_transaction(partial(self._record_met, account, stream, answers))
        jobs = [job for job in jobs if job not in joining]
        return jobs + met

    @api.model
    def _record_met(self, account, stream, answers):
        bindings, events, met = self.env["usercom.binding"], [], []
        bindings = bindings.browse(job.binding_id for job, _answer in answers).exists()
        locked, snapshots = bindings._locked(), bindings._snapshots(account)
        for rows, (job, answer) in zip(self._left_of(answers), answers, strict=True):
            binding = locked & bindings.browse(job.binding_id)
            if rows._settle_failure(account, stream, answer):
                continue
            if not binding.partner_id:
                rows._wait(0, "busy")
                continue
            job = replace(job, met=dict(job.met))
            events += binding._meet(answer, job.met, snapshots[binding.id])
            met.append(job)
        self.env["usercom.consent.event"].create(events)
        return met

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
        return [
            replace(job, strangers=strangers[job.partner_id])
            if job.partner_id in strangers
            else job
            for job in jobs
        ]

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
    def _bind_surveyed(self, account, stream, usercom, jobs, deadline):
        """Tie contacts to new User IDs that a survey has not met in User.com.

        Right before, whoever has appeared there since the survey is taken in by way of the poll.

        :return: list of jobs to send, and list of those that have to be looked up after all.
        """
        jobs = jobs[:SURVEYED_TOGETHER]  # the others are still due
        began = consent.moment()
        is_full = self._in_transaction(lambda: account._creations_left("odoo") <= 0)
        # Where none is to be created, they are put off without a call.
        ceiling = 0 if is_full else None
        is_known = is_full or self.env["usercom.ping"]._catch_up(account, usercom, deadline)
        if is_known is None:
            rows = self.browse(row_id for job in jobs for row_id in job.row_ids)
            later = {"due_at": fields.Datetime.now() + timedelta(seconds=1)}
            self._in_transaction(lambda: rows.exists().write(later))
            return [], []
        if not is_known:
            return [], jobs
        bound = []
        for some in split_every(RECORDED_TOGETHER, jobs):
            bind = partial(self._bind_absent, account, stream, some, began, ceiling)
            bound += self._in_transaction(bind)
        return bound, []

    @api.model
    def _bind_absent(self, account, stream, jobs, began, places):
        absent = self._still_surveyed(account, [job.partner_id for job in jobs])
        met = [job for job in jobs if job.partner_id not in absent]
        rows = self.browse(row_id for job in met for row_id in job.row_ids)
        rows.exists().write({"survey": False, "due_at": fields.Datetime.now()})
        answers = [(job, []) for job in jobs if job.partner_id in absent]
        return self._bind(account, stream, answers, began, places)

    @api.model
    def _bind(self, account, stream, answers, began, places=None):
        """Tie each contact that was looked up to the one that was found, or to a new User ID.

        Committed before the first call that could create anything.

        :param places: how many may be created at most, if that is not what the ceiling leaves.
        :return: list of jobs to send.
        """
        places = [account._creations_left("odoo") if places is None else places]
        pieces = [
            (rows, job, answer)
            for rows, (job, answer) in zip(self._left_of(answers), answers, strict=True)
            if not rows._settle_failure(account, stream, answer)
        ]
        is_company = answers[0][0].kind == mapping.COMPANY
        bind_some = self._bind_companies if is_company else self._bind_some
        return self._in_bulk(pieces, partial(bind_some, account, began, places))

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
        pieces, sure, done = self._as_answered(account, partners, owners, pieces)
        to_link, to_create, taken = [], [], set()
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
                is_sure = (partner.id, contact.id) in sure
                binding = rows._tie_found(account, partner, contact, owners, custom_ids, is_sure)
                if binding is not None:
                    taken.add(contact.id)
                    to_link.append((rows, partner, contact, binding))
            elif not account.create_in_usercom:
                done += rows
            elif waiting := (ahead.get(job.email or job.phone) or bindings)._rows_creating():
                rows.survey = False
                rows._wait_behind(waiting)  # it will be found by the next look
            elif (job.email or job.phone) in {key for _rows, key, _partner in to_create}:
                rows.survey = False
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
        to_be = partners.browse(partner.id for _rows, _key, partner in to_create)
        created = bindings.create(bindings._vals_of_new(account, to_be))
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
        return self._with_strangers(account, jobs)

    @api.model
    def _as_answered(self, account, partners, owners, pieces):
        """What was found, without what a person has answered already.

        :return: the pieces with whoever may still be meant, the pairs (partner id, number in
            User.com) that are surely the same person, and the rows of which nothing is to become.
        """
        verdicts = self.env["usercom.verdict"]
        numbers = [contact.id for _rows, _job, found in pieces for contact in found]
        said = verdicts._answers(account, partners, numbers)
        left, sure, done = [], set(), self.browse()
        for rows, job, found in pieces:
            answers = [said.get((job.partner_id, str(contact.id))) for contact in found]
            meant = verdicts._narrow_down(found, answers)
            is_sure = SAME in answers and len(meant) == 1
            if meant is None or (is_sure and owners[meant[0].id].partner_id):
                # Left by a person's answer; or the other contact of this person's has the tie.
                done += rows
                continue
            left.append((rows, job, meant))
            sure |= {(job.partner_id, contact.id) for contact in meant if is_sure}
        return left, sure, done

    def _tie_found(self, account, partner, contact, owners, custom_ids, is_sure):
        """The binding that a contact and the only one that was found for it are tied by.

        Empty where it is to be made, and ``None`` where these rows have been parked.

        :param owners: User.com ID to binding, and ``custom_ids`` User ID to binding.
        :param is_sure: whether a person said that this is the same person.
        """
        other = owners[contact.id]
        if other.partner_id:
            self._park("taken_there", usercom_id=str(contact.id), partner_id=other.partner_id.id)
            return None
        if other:
            if other._is_being_joined(account, contact):
                self._wait(1, "busy")  # it is no more when that is done
                return None
            # Its contact in Odoo was deleted, and somebody entered the person anew.
            other._enter_anew(partner, contact)
            return other
        owner = custom_ids.get(contact.custom_id)
        if owner and not is_sure:
            self._park("user_id_taken", partner_id=owner.partner_id.id, usercom_id=str(contact.id))
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
            if answer is None and not job.tried and binding.state == "new":
                binding.unlink()  # was not even tried: nothing has to be looked for next time
            elif isinstance(answer, client.Gone):
                binding._mark_gone()
                if not binding._is_asleep():
                    rows._drop()
            elif rows._settle_failure(account, stream, answer):
                continue
            elif binding and binding not in locked:
                rows._wait(1, "busy")
            else:
                pieces.append((rows, binding, job, answer))
        members = self._in_bulk(pieces, partial(self._record_some, account, began))
        if any(isinstance(answer, exchange.Sent) for _job, answer in answers):
            stream._succeeded()
        return members

    def _settle_failure(self, account, stream, answer):
        if isinstance(answer, exchange.RefusedTogether):
            self._wait(0, "alone")
            return True
        return super()._settle_failure(account, stream, answer)

    @api.model
    def _record_some(self, account, began, pieces):
        bindings = self.env["usercom.binding"].union(*(piece[1] for piece in pieces))
        snapshots = bindings._snapshots(account)
        owners = bindings._by_usercom_id(
            account,
            [(job.kind, s.usercom_id) for _r, _b, job, s in pieces if isinstance(s, exchange.Sent)],
        )
        reads, settled, pushed, words, done = [], [], [], [], self.browse()
        for rows, binding, job, sent in pieces:
            owner = isinstance(sent, exchange.Sent) and owners.get((job.kind, sent.usercom_id))
            outcome = rows._settle_without_base(binding, job, sent, owner or binding)
            if outcome is not None:
                done += outcome
                continue
            pushed += [(binding, sent)]
            # After a creation, whose answer shows no values, what was sent is what was there.
            seen = (binding.base_odoo or {}) | job.bases | job.seen
            before = [(sent.fresh, seen)] if sent.fresh else []
            before += [(contact, job.met.get(str(contact.id), {})) for contact in sent.joined]
            if sent.lowered:
                partner = binding.partner_id
                purposes = self.env["usercom.consent.purpose"].browse(sent.lowered)
                partner._usercom_keep_withdrawn({(p, p._address_of(partner)) for p in purposes})
            if not binding._record_sent(job, sent, snapshots[binding.id]):
                words += binding._words_before(before, snapshots[binding.id])
                rows._wait(0, "busy")
                continue
            settled.append((rows, binding, job))
            if sent.contact is None:
                binding.synced_at = began
            else:
                moved = frozenset(sent.outgoing)
                reads.append(Read(binding, sent.contact, began, moved, before))
        self.env["usercom.consent.event"].create(words)
        lowered = words or any(sent.lowered for _binding, sent in pushed)
        bindings._absorb(account, reads, None if lowered else snapshots)
        for binding, sent in pushed:
            if sent.written:
                binding.partner_id._usercom_pushed(account, sent.outgoing)
        done._drop()
        return self._settle_written(settled, snapshots)

    def _settle_without_base(self, binding, job, sent, owner):
        """Deal with an answer that moves no base.

        :param owner: the binding of the contact that User.com answered with.
        :return: those of these rows that are done, ``None`` where it is another answer.
        """
        if not binding:
            return self
        if isinstance(sent, exchange.Overtaken):
            if binding.state == "new":
                binding.unlink()
            self._wait(0, "busy")  # looked up anew, as if it had never been tried
        elif job.farewell:
            if binding.farewell == job.farewell:  # not entered anew meanwhile
                binding._record_farewell(sent.usercom_id)
            return self
        elif not binding.partner_id:
            # Deleted in Odoo meanwhile. What stays is that it must not come back.
            binding.write({"usercom_id": sent.usercom_id, "state": "linked"})
            binding._forget_user_id()
            return self
        elif owner != binding:
            binding.unlink()
            self._park("taken_there", usercom_id=sent.usercom_id, partner_id=owner.partner_id.id)
        else:
            return None
        return self.browse()

    @api.model
    def _settle_written(self, settled, snapshots):
        """Drop the rows of what has been written, unless there is a membership to see to.

        :param settled: list of (rows, binding, job).
        :return: list of ``companies.MemberJob``.
        """
        members, done, created = [], self.browse(), self.env["usercom.binding"]
        for rows, binding, job in settled:
            if job.kind == mapping.COMPANY and not job.usercom_id:
                created += binding
            if member := binding._member_job(snapshots[binding.id], rows._ids):
                members.append(member)
            elif not binding._is_asleep():  # else the company that it has become is still to go
                done += rows._settled(binding)
        self._append_people_of(created)
        done._drop()
        return members

    # === COMPANIES === #

    @api.model
    def _seek_companies(self, account, stream, jobs):
        """Look into the list of User.com's companies for those that are not tied yet.

        :return: the jobs to go on with, and those that have to wait for the list.
        """
        unknown = [j for j in jobs if j.binding_id is None and j.kind == mapping.COMPANY]
        if not unknown:
            return jobs, []
        others = [j for j in jobs if j.binding_id is not None or j.kind != mapping.COMPANY]
        directory = self.env["usercom.directory"]
        if not directory._is_fresh(stream):
            return others, unknown
        return others + directory._seek(account, unknown), []

    @api.model
    def _list_companies(self, account, stream, usercom, unlisted, deadline):
        """Read the list of companies on, where it is due or somebody waits for it.

        One page at the least, and no more after the deadline; the next round goes on there.

        :param unlisted: jobs of companies that cannot be looked up without it.
        """
        directory = self.env["usercom.directory"]
        if not unlisted and not self._in_transaction(lambda: directory._is_due(stream)):
            return
        cursor = self._in_transaction(partial(directory._begin, stream))
        error = None
        while error is None:
            began = consent.moment()
            try:
                found, cursor = companies.page(usercom.within(deadline, BULK), cursor)
            except client.UserComError as exc:
                error = exc
                break
            self._in_transaction(
                partial(directory._take_page, account, stream, began, found, cursor)
            )
            if not cursor:
                return  # those who waited are still due
            if time.monotonic() > deadline:
                break
        self._in_transaction(partial(self._put_off, account, stream, unlisted, error))

    @api.model
    def _put_off(self, account, stream, jobs, error):
        """Let companies wait for the list, which has failed or is longer than one round."""
        rows_left = set(self.browse(i for job in jobs for i in job.row_ids).exists()._ids)
        pieces = [self.browse(i for i in job.row_ids if i in rows_left) for job in jobs]
        if error is None:
            for rows in pieces:
                rows._wait(1, "listing_companies")
        elif isinstance(error, client.AccountRefused):
            account._pause(str(error.kind))
        else:
            if not isinstance(error, client.AgainLater):
                error = client.AgainLater(error.kind)
            for rows in pieces:
                rows._postpone(error)
            stream._failed(str(error.kind), error.retry_after)
            seconds = max(LIST_WAITS, waiting.pause(1, error.retry_after))
            self.env["usercom.directory"]._give_up(stream, seconds)

    @api.model
    def _bind_companies(self, account, began, places, pieces):
        """Tie companies to those that were found, or to a new Company ID, as for people."""
        bindings, directory = self.env["usercom.binding"], self.env["usercom.directory"]
        partners = self.env["res.partner"].browse(job.partner_id for _rows, job, _found in pieces)
        partners = partners.exists()
        tied = bindings._of_partners(account, partners)
        found_ones = [company for _rows, _job, found in pieces for company in found]
        owners = bindings._find(account, found_ones, mapping.COMPANY)
        custom_ids = bindings._by_custom_id(account, found_ones, mapping.COMPANY)
        ahead = directory._being_created(account)
        reads, bound, to_create, begun, done = [], [], [], {}, self.browse()
        for rows, job, found in pieces:
            partner = partners & partners.browse(job.partner_id)
            keys = directory._keys(job.email, job.name)
            if not partner or partner.id in tied or partner._usercom_kind() != job.kind:
                rows._wait(0, "busy")  # the next round sees what it is now
            elif len(found) > 1:
                rows._park("several_companies_there", usercom_ids=[str(c.id) for c in found])
            elif found:
                [company] = found
                binding = rows._tie_company(account, partner, company, owners, custom_ids)
                if binding:
                    owners[company.id] = tied[partner.id] = binding
                    reads.append(Read(binding, company, began))
                    bound.append((rows, binding))
            elif not account.create_in_usercom:
                done += rows
            elif creating := bindings.union(*map(ahead.get, keys & ahead.keys()))._rows_creating():
                rows._wait_behind(creating, code="company_being_created")
            elif namesakes := [begun[key] for key in keys if key in begun]:
                rows._wait(1, "company_being_created", partner_id=namesakes[0].id)
            elif places[0] <= len(to_create):
                rows._wait_for_ceiling(account, "odoo")
            else:
                to_create.append((rows, partner))
                begun |= dict.fromkeys(keys, partner)
        created = bindings.create([bindings._vals_new(account, p) for _rows, p in to_create])
        bindings._absorb(account, reads)
        self._append_people_of(bindings.union(*(binding for _rows, binding in bound)))
        bound += zip((rows for rows, _partner in to_create), created, strict=True)
        done._drop()
        jobs = self._jobs_of_bound(account, bound)
        places[0] -= len(to_create)
        return jobs

    def _tie_company(self, account, partner, company, owners, custom_ids):
        """The binding of a company and the only one that was found for it.

        Nothing when its rows have been put aside.

        :param owners: User.com ID to binding, and ``custom_ids`` Company ID to binding.
        """
        owner, namesake = owners[company.id], custom_ids.get(company.custom_id)
        if owner.partner_id:
            self._park(
                "company_taken_there", usercom_id=str(company.id), partner_id=owner.partner_id.id
            )
        elif owner and owner.state != "seen":
            self._wait(0, "busy")  # deleted in Odoo meanwhile: the next look passes it over
        elif namesake and namesake != owner:
            self._park("user_id_taken", partner_id=namesake.partner_id.id)
        elif owner:
            owner.partner_id = partner
            owner._tie(company)
            return owner
        else:
            return owner._create_linked(account, [(partner, company, "matched")])
        return None

    @api.model
    def _record_members(self, account, stream, answers):
        """Record who has been made a member of which company."""
        rows_left = set(self.browse(i for job, _a in answers for i in job.row_ids).exists()._ids)
        bindings, done = self.env["usercom.binding"], self.browse()
        existing = bindings.browse(job.binding_id for job, _answer in answers).exists()
        for job, answer in answers:
            rows = self.browse(i for i in job.row_ids if i in rows_left)
            binding = existing & bindings.browse(job.binding_id)
            if isinstance(answer, client.Gone):
                binding._mark_gone()
                done += rows
            elif isinstance(answer, companies.CompanyGone):
                gone = bindings._by_usercom_id(account, [(mapping.COMPANY, job.into)])
                bindings.union(*gone.values())._mark_gone()
                rows._wait(0, "busy")  # it goes without an employer
            elif not rows._settle_failure(account, stream, answer):
                binding.member_of = job.into
                done += rows
        done._drop()
        if any(answer is True for _job, answer in answers):
            stream._succeeded()

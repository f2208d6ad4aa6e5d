import time
from dataclasses import replace
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL, split_every

from .. import client
from ..sync import consent, mapping, waiting
from ..tools import companies, exchange
from .usercom_binding import Read
from .usercom_queue import BULK, RECORDED_TOGETHER

#: A failing list of companies is not begun anew for so many seconds, if only it itself wants it.
LIST_WAITS = 600


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

    # === WORKING OFF === #

    @api.model
    def _has_chore(self, stream):
        return self.env["usercom.directory"]._is_due(stream)

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        done = len(groups)
        jobs = self._in_transaction(lambda: self._plan(account, groups))
        jobs, unlisted = self._in_transaction(partial(self._seek_companies, account, stream, jobs))
        to_look_up = [job for job in jobs if job.binding_id is None]
        if to_look_up:
            began = consent.moment()
            look_up = partial(companies.look_up_any, usercom)
            answers = exchange.run_all(to_look_up, look_up, deadline)
            jobs = [job for job in jobs if job.binding_id is not None]
            for of_kind in exchange.by_kind(answers):
                for some in split_every(RECORDED_TOGETHER, of_kind):
                    jobs += self._in_transaction(partial(self._bind, account, stream, some, began))
            if stream._is_resting() or not account._may_run():
                return done  # the look-up was answered by a 429, or by a refusal of the account
        members = [job for job in jobs if isinstance(job, companies.MemberJob)]
        jobs = [job for job in jobs if isinstance(job, exchange.PushJob)]
        began = consent.moment()
        calls = exchange.in_fewest_calls(jobs)
        answers = exchange.run_all(calls, partial(exchange.send_any, usercom), deadline)
        answers = exchange.by_contact(answers)
        for some in split_every(RECORDED_TOGETHER, answers):
            members += self._in_transaction(partial(self._record, account, stream, some, began))
        self._in_transaction(partial(self._adapt_batch, stream, answers))
        if self._in_transaction(lambda: stream._is_resting() or not account._may_run()):
            return done
        answers = exchange.run_all(members, partial(companies.move_member, usercom), deadline)
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
        asleep = self.env["usercom.binding"]._asleep(account, partners.browse(by_id))
        sleeping = self.env["usercom.binding"].union(*asleep.values())._snapshots(account)
        jobs, done = [], self.browse()
        for rows, partner_id in pieces:
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
                done += self.browse() if job else rows
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
                            partner_id=partner_id, row_ids=rows._ids, email=email, phone=phone
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
        if job:
            binding._note_sending(job)
        return job or binding._member_job(snapshot, self._ids)

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
        partners = partners.exists()
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
        places[0] = left
        return self._jobs_of_bound(account, bound)

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
        reads, settled, done = [], [], self.browse()
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
            elif not binding._record_sent(job, sent, snapshots[binding.id]):
                rows._wait(0, "busy")
            else:
                settled.append((rows, binding, job))
                if sent.contact is None:
                    binding.synced_at = began
                else:
                    moved = "email" in sent.outgoing
                    reads.append(Read(binding, sent.contact, began, moved))
        bindings._absorb(account, reads)
        done._drop()
        return self._settle_written(settled, snapshots)

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
                done += rows
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
                found, cursor = companies.page(usercom, cursor)
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
                rows._wait(1, "listing")
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

from dataclasses import replace
from functools import partial

from odoo import api, models

from .. import client
from ..sync import mapping
from ..tools import exchange
from .usercom_binding import Read


class UsercomChange(models.Model):
    """Recording what came of the calls."""

    _inherit = "usercom.change"

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
        pieces = [
            (rows, job, answer)
            for rows, (job, answer) in zip(self._left_of(answers), answers, strict=True)
            if not rows._settle_failure(account, stream, answer)
        ]
        met = self._in_bulk(pieces, partial(self._meet_some, account))
        going_on = {job.binding_id for job in met}
        self._record_unwritten([j for j, _answer in answers if j.binding_id not in going_on])
        return met

    @api.model
    def _meet_some(self, account, pieces):
        bindings, events, met = self.env["usercom.binding"], [], []
        bindings = bindings.browse(job.binding_id for _rows, job, _answer in pieces).exists()
        locked, snapshots = bindings._locked(), bindings._snapshots(account)
        for rows, job, answer in pieces:
            binding = locked & bindings.browse(job.binding_id)
            if not binding.partner_id:
                rows._wait(0, "busy")
                continue
            job = replace(job, met=dict(job.met))
            events += binding._meet(answer, job.met, snapshots[binding.id])
            met.append(job)
        self.env["usercom.consent.event"].create(events)
        return met

    @api.model
    def _record_unwritten(self, jobs):
        """Of consents that were not written it is known again what User.com says."""
        pushes = [job for job in jobs if isinstance(job, exchange.PushJob) and job.binding_id]
        giving = [job for job in pushes if True in job.consents.values()]
        bindings = self.env["usercom.binding"].browse(job.binding_id for job in giving)
        locked = bindings.exists()._locked() if giving else bindings
        for job in giving:
            (locked & bindings.browse(job.binding_id))._note_unwritten(job)

    @api.model
    def _record(self, account, stream, answers, began):
        """Record what came of the calls, and drop the rows that are settled."""
        pieces, bindings = [], self.env["usercom.binding"]
        self._record_unwritten(
            [j for j, answer in answers if not exchange.may_have_written(answer)]
        )
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
            before = []
            if sent.fresh:
                # After a creation, whose answer shows no values, what was sent is what was there.
                before = [(sent.fresh, (binding.base_odoo or {}) | job.bases | job.seen)]
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
        # They are read, and noted to have said no: else an older "no" would be heard some day.
        elsewhere = {number for _binding, sent in pushed for number in sent.elsewhere}
        if elsewhere:
            subjects = [(account.id, "id", str(number)) for number in sorted(elsewhere)]
            self.env["usercom.ping"]._append(subjects)
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

from functools import partial

from odoo import api, models
from odoo.tools import split_every

from ..sync import consent, mapping
from ..tools import companies, exchange
from .usercom_binding import Read
from .usercom_queue import RECORDED_TOGETHER
from .usercom_verdict import SAME


class UsercomChange(models.Model):
    """Tying contacts, before they are sent, to whom a look-up has found, or to new User IDs."""

    _inherit = "usercom.change"

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
        if not may_go:
            self._in_transaction(partial(self._record_unwritten, jobs))
            return None
        return self._in_transaction(partial(self._still_leaving, jobs))

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

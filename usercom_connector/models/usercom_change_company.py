import time
from functools import partial

from odoo import api, models
from odoo.tools import SQL

from .. import client
from ..sync import consent, mapping, waiting
from ..sync.pacing import BULK
from ..tools import companies
from .usercom_binding import Read

#: A failing list of companies is not begun anew for so many seconds, if only it itself wants it.
LIST_WAITS = 600


class UsercomChange(models.Model):
    """Companies, which are looked for in a list, and their members."""

    _inherit = "usercom.change"

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
        people = SQL(
            """
            SELECT binding.account_id, binding.partner_id
              FROM usercom_binding AS binding
              JOIN res_partner AS contact ON contact.id = binding.partner_id
             WHERE binding.account_id = %s AND binding.kind = %s AND binding.state <> 'gone'
               AND contact.parent_id IN %s
            """,
            linked.account_id.id,
            mapping.CONTACT,
            tuple(linked.partner_id.ids),
        )
        self._append_all(people, BULK)
        self._wake()

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

from dataclasses import replace
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..sync import companies, mapping, values
from .usercom_binding import Read

#: So old may the list be when a company is looked for in it, and after so long it is read again.
LIST_AGE = timedelta(days=1)


class UsercomDirectory(models.AbstractModel):
    """Which companies are in User.com.

    Companies cannot be searched for there (usercom-api.md, section 1.5), so they are listed. Of
    each that nobody in Odoo is, a binding in the state "seen" keeps the number, the Company ID, the
    name and the e-mail address; nothing else of it is stored.
    """

    _name = "usercom.directory"
    _description = "Companies in User.com"

    # === WHEN === #

    @api.model
    def _is_fresh(self, stream):
        """Whether the list is new enough to say that a company is not in User.com."""
        listed_at = stream.companies_listed_at
        return bool(listed_at) and listed_at > fields.Datetime.now() - LIST_AGE

    @api.model
    def _is_due(self, stream):
        """Whether to read the list for its own sake: because companies are linked by it."""
        due_at = stream.companies_due_at
        if due_at and due_at > fields.Datetime.now():
            return False
        linked = [
            ("account_id", "=", stream.account_id.id),
            ("kind", "=", mapping.COMPANY),
            ("state", "=", "linked"),
            ("partner_id", "!=", False),
        ]
        return bool(self.env["usercom.binding"].search_count(linked, limit=1))

    # === LISTING === #

    @api.model
    def _begin(self, stream):
        """Go on with the list that was begun, or begin anew.

        :return: where it goes on.
        """
        if not stream.companies_begun_at:
            stream.write({"companies_begun_at": fields.Datetime.now(), "companies_cursor": False})
        return stream.companies_cursor or None

    @api.model
    def _take_page(self, account, stream, began, found, cursor):
        """Take in one page of the list.

        :param began: a time before the page was read.
        :param cursor: where the list goes on.
        """
        self._take_companies(account, stream, began, found)
        stream.companies_cursor = cursor
        if not cursor:
            self._finish(account, stream)

    @api.model
    def _finish(self, account, stream):
        begun_at = stream.companies_begun_at
        stream.write(
            {
                "companies_listed_at": begun_at,
                "companies_due_at": begun_at + LIST_AGE,
                "companies_begun_at": False,
            }
        )
        unseen = Domain("synced_at", "<", begun_at) & Domain("state", "=", "seen")
        bindings = self.env["usercom.binding"]
        bindings.search(Domain("account_id", "=", account.id) & unseen).unlink()

    @api.model
    def _give_up(self, stream, seconds):
        """Begin anew after a while."""
        due_at = fields.Datetime.now() + timedelta(seconds=seconds)
        stream.write(
            {"companies_begun_at": False, "companies_cursor": False, "companies_due_at": due_at}
        )

    @api.model
    def _take_companies(self, account, stream, began, found):
        bindings = self.env["usercom.binding"]
        tied = bindings._find(account, found, mapping.COMPANY)
        known = bindings.union(*tied.values())
        known.filtered(lambda binding: binding.state == "seen").synced_at = fields.Datetime.now()
        snapshots = known._snapshots(account)
        reads, to_create = {}, {}
        for company in found:
            binding = tied[company.id]
            noted = {"name": values.text(company.name), "email": values.text(company.email)}
            if not binding:
                to_create[company.id] = (company, noted)
            elif binding.state == "seen":
                if binding.base_usercom != noted:
                    binding.base_usercom = noted
            elif self._is_news(binding, company, snapshots[binding.id]):
                reads[binding.id] = Read(binding, company, began)
        self._absorb(account, list(reads.values()))
        self._create_seen(account, to_create.values())

    @api.model
    def _is_news(self, binding, company, snapshot):
        """Whether a company that is linked shows something else than when it was last read."""
        if binding.state != "linked" or snapshot is None:
            return False
        base = binding.base_usercom or {}
        theirs, _notices = binding._canonical(company, snapshot)
        return any(name not in base or base[name] != value for name, value in theirs.items())

    @api.model
    def _absorb(self, account, reads):
        """Merge what is new; one that fails stops no other, and is read again with the next list.

        :raises BusyError: when a user's save holds one of them.
        """
        changes, bindings = self.env["usercom.change"], self.env["usercom.binding"]
        locked = bindings.union(*(read.binding for read in reads))._locked()

        def absorb(pieces):
            bindings._absorb(account, [read for _rows, read in pieces])
            return []

        changes._in_bulk([(changes, read) for read in reads if read.binding in locked], absorb)

    @api.model
    def _create_seen(self, account, found):
        """Note companies that nobody in Odoo is."""
        bindings = self.env["usercom.binding"]
        owned = set(bindings._by_custom_id(account, [c for c, _noted in found], mapping.COMPANY))
        vals_list = []
        for company, noted in found:
            theirs = company.custom_id
            is_free = theirs and theirs not in owned
            owned.add(theirs)
            vals_list.append(
                {
                    "account_id": account.id,
                    "kind": mapping.COMPANY,
                    "usercom_id": str(company.id),
                    "custom_id": theirs if is_free else bindings._new_custom_id(),
                    "send_custom_id": not theirs,
                    "base_usercom": noted,
                    "synced_at": fields.Datetime.now(),
                    "state": "seen",
                    "origin": "matched",
                }
            )
        bindings.create(vals_list)

    # === FINDING === #

    @api.model
    def _seek(self, account, jobs):
        """Tell companies that are to be looked up which ones in User.com they may be.

        :param jobs: list of ``exchange.PushJob``.
        :return: the jobs with their candidates.
        """
        index = companies.Index(self._known(account, jobs))
        return [
            replace(job, candidates=tuple(index.candidates(job.email, job.name))) for job in jobs
        ]

    @api.model
    def _known(self, account, jobs):
        """The companies in User.com with the address or name of one of these."""
        self.env["usercom.binding"].flush_model()
        emails = [job.email for job in jobs if job.email]
        names = [values.text(job.name) for job in jobs if job.name]
        rows = self.env.execute_query(
            SQL(
                """
                SELECT usercom_id, base_usercom ->> 'email', base_usercom ->> 'name'
                  FROM usercom_binding
                 WHERE account_id = %(account)s AND kind = 'company'
                   AND state IN ('seen', 'linked') AND usercom_id IS NOT NULL
                   AND (lower(base_usercom ->> 'email') = ANY (
                            SELECT lower(email) FROM unnest(%(emails)s::text[]) AS email)
                     OR lower(base_usercom ->> 'name') = ANY (
                            SELECT lower(name) FROM unnest(%(names)s::text[]) AS name))
                """,
                account=account.id,
                emails=emails,
                names=names,
            )
        )
        return [companies.Known(*row) for row in rows]

    @api.model
    def _keys(self, email, name):
        """By what two companies in Odoo would be taken for one."""
        return {companies.folded(email), companies.folded(name)} - {None}

    @api.model
    def _being_created(self, account):
        """The bindings, not tied yet, of the companies that are being created in User.com.

        :return: e-mail address or name, as it is compared, to binding.
        """
        new = self.env["usercom.binding"].search(
            [
                ("account_id", "=", account.id),
                ("kind", "=", mapping.COMPANY),
                ("state", "=", "new"),
            ]
        )
        return {
            key: binding
            for binding in new
            for key in self._keys(binding.partner_id.email_normalized, binding.partner_id.name)
        }

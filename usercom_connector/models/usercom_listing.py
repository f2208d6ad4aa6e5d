import logging
import time
from datetime import timedelta
from functools import partial

import psycopg2.extensions
from odoo import api, models
from odoo.tools import split_every

from .. import client
from ..sync import consent, converters, mapping
from ..sync.pacing import BULK
from ..tools import exchange
from ..tools.worker_lock import worker_lock
from .usercom_binding import Read
from .usercom_queue import RECORDED_TOGETHER, ROUND_SECONDS

_logger = logging.getLogger(__name__)

#: So many pages are read before they are recorded, where a pass should be short.
READ_AHEAD = 10
#: So long somebody who needs the poll's worker waits for another one to end its batch.
WORKER_WAITS = 1.0


class UsercomListing(models.AbstractModel):
    """Contacts of User.com that are read a page at a time: what changed, and all of them.

    It is part of the action that reads contacts, and works under its lock. What a page shows is
    believed as a read is, and needs no second one. Contacts that are as their base has it cost no
    write. What has to wait, or needs a person, becomes a row of the queue.
    """

    _name = "usercom.listing"
    _inherit = "usercom.queue"
    _description = "Contacts Read by the Page"

    # === WORKING OFF === #

    @api.model
    def _lists_due(self, account):
        streams = self.env["usercom.stream"]
        if account.poll_minutes:
            streams._of(account, "poll")
        return streams._lists_due(account)

    @api.model
    def _count_due(self, accounts):
        return super()._count_due(accounts) + len(self.env["usercom.stream"]._lists_due(accounts))

    def _seconds_to_next(self, accounts):
        found = [
            super()._seconds_to_next(accounts),
            self.env["usercom.stream"]._seconds_to_next_page(accounts),
        ]
        return min((seconds for seconds in found if seconds is not None), default=None)

    @api.model
    def _read_pages(self, account, lists, usercom, deadline):
        """One page of each of these lists.

        :return: how many were read.
        """
        pull = self.env["usercom.stream"]._of(account, self._direction)
        pages = 0
        for stream in lists:
            if account._may_run() and not pull._is_resting():
                pages += self._read_page(account, stream, usercom, deadline)
        return pages

    @api.model
    def _read_page(self, account, stream, usercom, deadline, at_a_time=1):
        """Read one page, or some, record them, and move on to the next one. Commits.

        A defect rests this list, and nothing else.

        :return: whether all that was asked for was read.
        """
        try:
            call, target, number, known_at = self._in_transaction(stream._begin_page)
            began = consent.moment()
            view, pages = usercom.within(deadline, BULK), []
            while len(pages) < at_a_time and (not pages or target):
                get = partial(call, view, cursor=target)
                [(_get, page)] = exchange.run_all([get], lambda get: get(), deadline)
                if not isinstance(page, client.ContactPage):
                    break
                pages.append((page, consent.moment()))
                target = page.next
            record = partial(self._record_page, account, stream, known_at, began)
            for read, read_at in pages:
                # The rest of a page is read again if this is where it ends: nothing is lost then.
                *first, last = [*split_every(RECORDED_TOGETHER, read.contacts)] or [()]
                for contacts in first:
                    self._in_transaction(partial(record, contacts))
                self._in_transaction(partial(record, last, read, number, read_at))
            if isinstance(page, client.ContactPage):
                return True
            self._in_transaction(partial(self._settle_page_failure, account, stream, page))
        except Exception as error:
            self.env.cr.rollback()
            self.env.invalidate_all()
            self._log_unexpected(error, stream)
            stream._failed("unexpected", patience=1)
            self.env.cr.commit()  # pylint: disable=invalid-commit
        return False

    @api.model
    def _settle_page_failure(self, account, stream, answer):
        if answer is None:
            return  # not begun: still due
        if isinstance(answer, client.AccountRefused):
            account._pause(str(answer.kind))
        elif isinstance(answer, client.AgainLater):
            stream._failed(str(answer.kind), answer.retry_after, patience=1)
        elif isinstance(answer, client.RecordRefused):
            stream._failed("list_refused", patience=1)
            if stream.direction != "poll":
                stream._end_survey("failed")
        else:
            raise answer

    @api.model
    def _catch_up(self, account, usercom, deadline):
        """See all that has changed in User.com before this round, for another direction's worker.

        One look a round: each shows again what the round itself has created.

        :param deadline: of the round.
        :return: whether that is so; ``None`` when it is not, but will be soon.
        """
        since = max(time.monotonic() - deadline + ROUND_SECONDS, 0.0)
        started = consent.moment() - timedelta(seconds=since)
        patience = min(time.monotonic() + WORKER_WAITS, deadline)
        while True:
            with worker_lock(self.env.cr.dbname, account.id, self._direction) as mine:
                # The lock was taken after this transaction began to look: look again.
                self.env.cr.commit()  # pylint: disable=invalid-commit
                self.env.invalidate_all()
                if mine:
                    return self._poll_up_to(started, account, usercom, deadline)
            if time.monotonic() > patience:
                return None
            time.sleep(0.05)

    @api.model
    def _poll_up_to(self, started, account, usercom, deadline):
        stream = self.env["usercom.stream"]._of(account, "poll")
        while time.monotonic() < deadline:
            if stream.known_up_to and stream.known_up_to >= started:
                return True
            if stream._is_resting() or not self._read_page(
                account, stream, usercom, deadline, READ_AHEAD
            ):
                return False
        return None

    # === OUTCOMES === #

    @api.model
    def _record_page(
        self, account, stream, known_at, began, contacts, page=None, number=0, read_at=None
    ):
        """Take in contacts of a page.

        :param known_at: from before the page was read, in the database's clock.
        :param page: with its last contacts, and when it was read; then the list moves on.
        :param number: of the survey that the page was read for.
        """
        creates = account.create_in_odoo and (stream.direction == "poll" or stream.creates)
        places = [account._creations_left("usercom") if creates else 0]
        take = partial(self._take_page, account, creates, places, known_at, began)
        if stream.direction == "drift":
            take = partial(self._take_consents, account, known_at, began)
        linked = unmatched = 0
        for some_linked, some_unmatched in self._in_savepoints(account, contacts, take):
            linked += some_linked
            unmatched += some_unmatched
        if stream.direction == "survey" and (linked or unmatched):
            stream.linked += linked
            stream.unmatched += unmatched
        if page is None or not stream._is_still(number):
            return
        if page.unreadable:
            _logger.warning(
                "User.com account %s: %s of the %s contacts on a page could not be read and were "
                "passed over.",
                account.id,
                page.unreadable,
                page.unreadable + len(page.contacts),
            )
        stream._end_page(page, read_at)

    @api.model
    def _in_savepoints(self, account, contacts, take):
        """Take in these contacts together; where that fails, each on its own.

        What fails then becomes a row of the queue, which says why it does.

        :return: list of what ``take`` gives.
        """
        if not contacts:
            return []
        try:
            with self.env.cr.savepoint():
                return [take(contacts)]
        except psycopg2.extensions.TransactionRollbackError:
            raise
        except Exception as error:
            _logger.debug("A page is taken in one by one after a %s.", type(error).__name__)
        if len(contacts) > 1:
            return [
                done
                for contact in contacts
                for done in self._in_savepoints(account, [contact], take)
            ]
        self._append_missing(account, contacts)
        return []

    @api.model
    def _take_page(self, account, creates, places, known_at, began, contacts):
        """Take in contacts.

        :param places: how many more may be created; counted down.
        :return: how many were linked or created, and how many users match nobody in Odoo.
        """
        bindings = self.env["usercom.binding"]
        rules, context = account._rules(mapping.CONTACT), account._context()
        shown = {
            contact.id: converters.canonical_of_contact(rules, contact.get, contact.has, context)[0]
            for contact in contacts
        }
        found = bindings._find(account, contacts)
        reads = self._changed_on_page(account, found, known_at, began, contacts, rules, context)
        unknown = [contact for contact in contacts if not found[contact.id]]
        linked, _rows, aside = (
            self._take_in(account, began, places, [(self, c) for c in unknown], creates)
            if unknown
            else ({}, self, [])
        )
        bindings._absorb(account, reads + list(linked.values()))
        self.env["usercom.change"]._unmark_known(account, contacts)
        self._append_missing(account, aside)
        settled = {read.contact.id for read in linked.values()} | {c.id for c in aside}
        unmatched = [
            contact
            for contact in unknown
            if contact.is_user
            and contact.id not in settled
            and (shown[contact.id].get("email") or shown[contact.id].get("phone_number"))
        ]
        return len(linked), len(unmatched)

    @api.model
    def _take_consents(self, account, known_at, began, contacts):
        """Take in those of these contacts that are linked, and compare their consents.

        Nobody is linked or created by that.
        """
        bindings = self.env["usercom.binding"]
        rules, context = account._rules(mapping.CONTACT), account._context()
        found = bindings._find(account, contacts)
        known = [contact for contact in contacts if found[contact.id]]
        reads = self._changed_on_page(account, found, known_at, began, known, rules, context)
        bindings._absorb(account, reads)
        self.env["usercom.consent.drift"]._compare(account, found, known, known_at)
        return 0, 0

    @api.model
    def _changed_on_page(self, account, found, known_at, began, contacts, rules, context):
        """The reads of those bound contacts that a page shows otherwise than their base has them.

        A page is merged only into the base that was there when it was read. Which contacts it
        would show was not known then, so the time when a binding was last written has to tell.
        """
        changed = [
            (found[contact.id], contact)
            for contact in contacts
            if (
                partner := found[contact.id].partner_id
            )  # else deleted in Odoo: it does not come back
            and account._covers(partner)
            and not found[contact.id]._is_shown_by(contact, rules, context)
        ]
        bindings = self.env["usercom.binding"]
        locked = bindings.union(*(binding for binding, _contact in changed))._locked()
        reads, doubtful = [], []
        for binding, contact in changed:
            if binding not in locked or binding._is_in_flight() or binding.write_date >= known_at:
                doubtful.append(contact)
            else:
                reads.append(Read(binding, contact, began))
        self._append_missing(account, doubtful, seen=True)
        return reads

    @api.model
    def _append_missing(self, account, contacts, seen=False):
        """Have these contacts read by themselves, unless that is to be done already.

        :param seen: whether what was seen here saves the read if it turns out to be ours.
        """
        if not contacts:
            return
        numbers = [str(contact.id) for contact in contacts]
        waiting = self.search(
            [
                ("account_res_id", "=", account.id),
                ("lookup", "=", "id"),
                ("value", "in", numbers),
            ]
        ).mapped("value")
        for contact in contacts:
            if str(contact.id) not in waiting:
                digest = self._digest_of(account.id, contact) if seen else None
                self._append([(account.id, "id", str(contact.id))], digest=digest)

from datetime import timedelta, timezone
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL

from .. import client
from ..sync import consent, waiting

#: So many transport failures in a row rest the whole account.
FAILURES_BEFORE_REST = 3
#: The first poll of an account looks back so far.
FIRST_WINDOW = timedelta(days=1)
#: What is dated further ahead of our clock than this is no date to go by.
CLOCKS_APART = timedelta(days=1)
#: Changes that wait for a survey go by themselves after this time, should it never end.
HELD_FOR = timedelta(days=1)


class UsercomStream(models.Model):
    """How one account's work in one direction is going, and how far its lists have been read.

    Only the scheduled actions write here, and who asks for a survey. A list is read a page at a
    time and goes on where it stopped: ``target`` is saved in the commit of the page before it.

    The **poll** reads what changed since its cursor, in User.com's clock. A single page shows all
    of it at one moment, so the cursor moves to the latest date on it. While several pages are read,
    somebody may change a contact whose page is past already: the cursor stays behind by the time
    that the reading took, and the poll goes on from there until a pass brings nothing newer.

    The **survey** reads all contacts once. Its number is what marks the changes that waited for it.
    The comparison of consents, **drift**, goes the same way; nothing waits for it.
    """

    _name = "usercom.stream"
    _description = "User.com Stream"

    account_id = fields.Many2one("usercom.account", required=True, index=True, ondelete="cascade")
    direction = fields.Selection(
        [
            ("push", "Odoo to User.com"),
            ("pull", "User.com to Odoo"),
            ("poll", "Look for changes in User.com"),
            ("survey", "List of all in User.com"),
            ("compare", "Look for changes in Odoo"),
            ("drift", "Compare consents"),
        ],
        required=True,
    )
    last_success_at = fields.Datetime()
    last_failure_at = fields.Datetime()
    failure_code = fields.Char()
    last_failure = fields.Text(compute="_compute_last_failure")
    failures = fields.Integer(help="Transport failures in a row.")
    batch_size = fields.Integer(default=50, help="So many contacts are claimed at a time.")
    companies_listed_at = fields.Datetime(help="When the last whole list of companies was begun.")
    companies_begun_at = fields.Datetime(help="When the list that is being read was begun.")
    companies_cursor = fields.Char(help="Where that list goes on.")
    companies_due_at = fields.Datetime(help="When to read the list again. Empty: now.")
    withdrawals_until = fields.Datetime(
        help="Of the consents that were withdrawn, all recorded up to here have been delivered."
    )
    is_late = fields.Boolean(help="Somebody was told of a withdrawal that has not been delivered.")
    rest_until = fields.Datetime(help="No calls are made before this time.")
    # Lists: the poll and the survey.
    due_at = fields.Datetime("Next Page At")
    target = fields.Char("Next Page", help="Empty: the first one.")
    began_at = fields.Datetime(help="When this pass, or the comparison, began, in our clock.")
    since = fields.Datetime(help="The poll's cursor, in User.com's clock.")
    seen = fields.Datetime(help="The latest change that the poll has seen, in User.com's clock.")
    is_newer = fields.Boolean(help="This pass has seen something newer than all before it.")
    known_up_to = fields.Datetime(
        help="When the last whole pass began, in our clock: what changed before it has been seen."
    )
    state = fields.Selection(
        [
            ("requested", "About to begin"),
            ("running", "Under way"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Stopped"),
        ]
    )
    creates = fields.Boolean(help="Whether the survey creates whom nobody in Odoo matches.")
    number = fields.Integer(help="Of the survey that is under way, or was the last.")
    complete = fields.Integer(help="The number of the last survey that has seen everybody.")
    pages = fields.Integer(help="So many pages were read.")
    contacts = fields.Integer(help="So many contacts were read.")
    total = fields.Integer(help="So many contacts there are, as far as User.com tells.")
    linked = fields.Integer(help="So many contacts were linked.")
    unmatched = fields.Integer(help="So many users in User.com match nobody in Odoo.")
    cursor = fields.Integer(help="The comparison has got down to this binding; 0: it is over.")

    _account_direction_uniq = models.Constraint(
        "UNIQUE(account_id, direction)", "An account has one stream per direction."
    )

    @api.depends("failure_code")
    @api.depends_context("lang")
    def _compute_last_failure(self):
        for stream in self:
            stream.last_failure = self.env["usercom.sentence"]._of(stream.failure_code)

    @api.model
    def _of(self, account, direction):
        """The stream of an account and a direction, made when it is first asked for."""
        domain = [("account_id", "=", account.id), ("direction", "=", direction)]
        vals = {"account_id": account.id, "direction": direction}
        if direction == "poll":
            now = fields.Datetime.now()
            vals |= {"since": now - FIRST_WINDOW, "due_at": account.poll_minutes and now}
        return self.search(domain, limit=1) or self.create(vals)

    def _is_resting(self):
        return bool(self.rest_until and self.rest_until > fields.Datetime.now())

    def _succeeded(self):
        vals = {"last_success_at": fields.Datetime.now(), "failures": 0}
        if not self._is_resting():
            vals["rest_until"] = False  # else another call of the same round has just said so
        self.write(vals)

    def _failed(self, code, retry_after=None, patience=FAILURES_BEFORE_REST):
        """Note a failure that no record is to blame for; rest the account when they go on.

        :param code: of ``usercom.sentence``. A 429 and a defect of ours rest the account at once.
        :param retry_after: for how many seconds User.com asked, if it did.
        :param patience: so many failures in a row rest it.
        """
        # Calls that fail side by side with the one that began the rest do not make it longer.
        resting = self._is_resting()
        failures = self.failures + (not resting)
        vals = {
            "failures": failures,
            "last_failure_at": fields.Datetime.now(),
            "failure_code": code,
        }
        if code in ("throttled", "unexpected") or failures >= patience:
            seconds = waiting.pause(failures - patience + 1, retry_after)
            until = fields.Datetime.now() + timedelta(seconds=seconds)
            vals["rest_until"] = max(until, self.rest_until) if resting else until
        self.write(vals)

    # === LISTS === #

    @api.model
    def _lists_due(self, accounts):
        """The lists of these accounts that have a page to read."""
        now = fields.Datetime.now()
        return self.search(
            [
                ("account_id", "in", accounts.ids),
                ("direction", "in", ["poll", "survey", "drift"]),
                ("due_at", "<=", now),
                "|",
                ("rest_until", "=", False),
                ("rest_until", "<=", now),
            ],
            order="id",
        )

    def _begin_page(self):
        """Note what has to be known from before the page is read.

        :return: what to call, with the client and where the list goes on; where that is; the number
            of the survey; and the time of this transaction.
        """
        self.ensure_one()
        if self.state == "requested":
            self._begin_survey()
        elif not self.target:
            self.write({"began_at": consent.moment(), "is_newer": False})
        call = client.UserCom.list_contacts_page
        if self.direction == "poll":
            call = partial(client.UserCom.changed_contacts_page, since=self.since)
        return call, self.target or None, self.number, self.env.cr.now()

    def _is_still(self, number):
        """Whether a page that was read for this survey still counts."""
        return self.direction == "poll" or (self.number == number and self.state == "running")

    def _end_page(self, page, read_at):
        """Move on to the next page; in the transaction that records this one."""
        vals = (
            self._after_poll(page, read_at)
            if self.direction == "poll"
            else self._after_survey(page)
        )
        self.write({"target": page.next, **vals})
        self._succeeded()

    def _after_poll(self, page, read_at):
        limit = consent.moment() + CLOCKS_APART
        moments = [contact.updated_at for contact in page.contacts if contact.updated_at]
        dates = [moment.astimezone(timezone.utc).replace(tzinfo=None) for moment in moments]
        newest = max((date for date in dates if date < limit), default=None)
        vals = {}
        if newest and not (self.seen and newest <= self.seen):
            vals = {"seen": newest, "is_newer": True}
        if page.next:
            return vals
        seen = vals.get("seen", self.seen) or self.since
        is_newer = bool(vals or self.is_newer)
        vals["known_up_to"] = self.began_at
        if self.target and is_newer:
            # What changed on pages that were past by then is dated after the pass began.
            seen -= read_at - self.began_at
        else:
            vals["due_at"] = self._next_poll()
        return vals | {"since": max(self.since, seen)}

    def _next_poll(self):
        minutes = self.account_id.poll_minutes
        return minutes and fields.Datetime.now() + timedelta(minutes=minutes)

    # === THE SURVEY === #

    def _request_survey(self, creates=False):
        """Have all contacts of User.com listed, from the beginning."""
        now = fields.Datetime.now()
        self.write({"state": "requested", "creates": creates, "due_at": now, "rest_until": False})
        self.env["usercom.ping"]._wake()

    def _begin_survey(self):
        # From its first page on the poll has to know of every change.
        self._of(self.account_id, "poll")
        self.write(
            {
                "state": "running",
                "number": self.number + 1,
                "target": False,
                "began_at": consent.moment(),
                **dict.fromkeys(("pages", "contacts", "total", "linked", "unmatched"), 0),
            }
        )
        if self.direction == "survey":
            self.env["usercom.change"]._hold_for_survey(self.account_id, self.number)

    def _after_survey(self, page):
        contacts = self.contacts + len(page.contacts)
        total = self.total if page.count is None else page.count
        vals = {"pages": self.pages + 1, "contacts": contacts, "total": total}
        if not page.next:
            # A list that breaks off, or cannot be read, does not say who is not on it.
            self._end_survey("done", is_complete=0 < total <= contacts or page.count == 0)
        return vals

    def _end_survey(self, state, is_complete=False):
        """Let the changes go on that waited for it, with the mark if everybody was seen."""
        vals = {"state": state, "due_at": False, "target": False}
        if is_complete:
            vals["complete"] = self.number
        self.write(vals)
        if self.direction == "survey":
            changes = self.env["usercom.change"]
            changes._release_from_survey(self.account_id, self.number, is_complete)

    def _seconds_to_next_page(self, accounts):
        """In how many seconds the next page of these accounts is due, if any is."""
        [(seconds,)] = self.env.execute_query(
            SQL(
                """
                SELECT EXTRACT(EPOCH FROM min(GREATEST(
                           list.due_at, list.rest_until, pull.rest_until, %(now)s)) - %(now)s)
                  FROM usercom_stream AS list
             LEFT JOIN usercom_stream AS pull
                    ON pull.account_id = list.account_id AND pull.direction = 'pull'
                 WHERE list.direction IN ('poll', 'survey', 'drift') AND list.due_at IS NOT NULL
                   AND list.account_id IN %(accounts)s
                """,
                now=fields.Datetime.now(),
                accounts=tuple(accounts.ids),
            )
        )
        return seconds

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TransactionRollbackError

from ..sync import consent
from ..tools.quiet_sql import quiet_sql
from .usercom_consent_purpose import BLACKLISTS


class ListedMeanwhileError(ConcurrencyError, TransactionRollbackError):
    """Another transaction has put the same address on the list.

    This one cannot see it, so all of it is to be repeated: Odoo does so for its own requests, and
    our workers for their steps.
    """


class UsercomBlacklist(models.AbstractModel):
    """What Odoo's blacklists of e-mail addresses and of phone numbers have to do with consents.

    Whoever fills a list, the addresses count as withdrawn for the purposes that it feeds; a bounce
    only blocks them. A withdrawal of a purpose that feeds it fills the list.

    The context's ``usercom_listed_by`` says who does it now: ``"consent"`` (a word that is on
    record already, and about its own purpose only), ``"bounce"``, or else a person.
    """

    _name = "usercom.blacklist"
    _description = "Blacklist Met by Consents"

    usercom_event_id = fields.Many2one(
        "usercom.consent.event",
        "Withdrawn Consent",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="set null",
        help="The withdrawal that put it here. Empty where anybody else did, also once more.",
    )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        try:
            with quiet_sql():  # which would log the address
                entries = super().create(vals_list)
        except UniqueViolation as error:
            if error.diag.table_name != self._table:
                raise
            # Without its cause, which names the address.
            raise ListedMeanwhileError(self.env._("Put on the blacklist meanwhile.")) from None
        entries._usercom_listed()
        return entries

    def write(self, vals):
        if not {"active", self._rec_name} & vals.keys():
            return super().write(vals)
        before = self._usercom_addresses()
        result = super().write({"usercom_event_id": False, **vals})
        now = self._usercom_addresses()
        self.filtered(lambda entry: entry[self._rec_name] in now - before)._usercom_listed()
        self._usercom_release(before - now)
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_releases(self):
        self._usercom_release(self._usercom_addresses())

    # === FROM THE LIST TO THE LEDGER === #

    def _usercom_addresses(self):
        return set(self.filtered("active").mapped(self._rec_name))

    @api.model
    def _usercom_purposes(self):
        """All purposes whose addresses stand on this list, also those not used any more."""
        # sudo: who edits a blacklist need not be allowed to see the purposes.
        purposes = self.env["usercom.consent.purpose"].sudo().with_context(active_test=False)
        return purposes.search([("channel", "in", BLACKLISTS[self._name])])

    def _usercom_listed(self):
        """Somebody has put these onto the list, or said again that they belong there."""
        by = self.env.context.get("usercom_listed_by")
        listed = self.filtered("active")
        if by == "consent" or not listed:
            return
        listed.filtered("usercom_event_id").usercom_event_id = False
        fed = self._usercom_purposes().filtered("fed_by_blacklist")
        if by == "bounce":
            addresses = {address: {} for address in listed._usercom_addresses()}
            self.env["usercom.consent.event"]._record_there(
                addresses, fed, consent.BLOCKED, "bounce"
            )
        else:
            listed._usercom_withdraw(fed, anew=True)

    def _usercom_withdraw(self, purposes, *, anew=False):
        """Whose addresses these are has withdrawn.

        :param anew: whether they are put on the list just now.
        """
        self.env["usercom.consent.event"]._record_there(
            {address: {} for address in self._usercom_addresses()},
            purposes,
            consent.WITHDRAWN,
            "blacklist",
            anew=anew,
        )

    @api.model
    def _usercom_said_no(self):
        """Who is on the list for a "no" to all that it stands for.

        Not for a bounce alone, nor for a word about another purpose, which put it here.
        """
        entries = self.search([("usercom_event_id", "=", False)])
        words = {}
        said = self.env["usercom.consent.event"]._said(
            entries._usercom_addresses(), self._usercom_purposes()
        )
        for (_purpose_id, address), spoken in said.items():
            words.setdefault(address, []).extend(word[1:] for word in spoken)
        return entries.filtered(
            lambda entry: (
                not consent.is_blocked(words.get(entry[self._rec_name], ()))
                or consent.state_of(word[:2] for word in words[entry[self._rec_name]])
                == consent.WITHDRAWN
            )
        )

    @api.model
    def _usercom_release(self, addresses):
        """Whoever was only blocked is so no longer; being taken off the list is no consent."""
        if addresses:
            self.env["usercom.consent.event"]._record_there(
                {address: {} for address in addresses},
                self._usercom_purposes(),
                consent.RELEASED,
                "blacklist",
            )

    # === FROM THE LEDGER TO THE LIST === #

    @api.model
    def _usercom_follow(self, events):
        """Carry new words about purposes that feed the list on to it.

        A withdrawal puts the address on, with its reason. A consent takes off what a withdrawal
        has put there, if nobody with the address says no to anything that feeds the list; else
        the contact's history says that the address stays.

        Not by ``_add`` and ``_remove``, which take one address at a time and tell followers, but by
        what they do: the pull brings many at once.
        """
        # sudo: who records a consent need not be allowed to edit the blacklist.
        entries = self.sudo().with_context(
            active_test=False, tracking_disable=True, usercom_listed_by="consent"
        )
        withdrawn = events.filtered(
            lambda event: event.state == consent.WITHDRAWN and event.source != "blacklist"
        )
        given = {event.address: event for event in events if event.state == consent.GIVEN}
        addresses = given.keys() | set(withdrawn.mapped("address"))
        if not addresses:
            return
        found = entries.search([(self._rec_name, "in", list(addresses))])
        there = {entry[self._rec_name]: entry for entry in found}
        feeding = self._usercom_purposes().filtered("feeds_blacklist")
        feeding |= found.usercom_event_id.purpose_id
        refused = events._refused(addresses, feeding)
        # One that counts for each address, though others are beside it that do not.
        withdrawn = {
            event.address: event
            for event in withdrawn
            if (event.purpose_id.id, event.address) in refused
        }
        entries._usercom_put_on(
            {
                address: event
                for address, event in withdrawn.items()
                if not there.get(address, entries).active
            },
            there,
        )
        entries._usercom_take_off(
            {
                address: event
                for address, event in given.items()
                if address not in withdrawn and there.get(address, entries).active
            },
            there,
            {address for _purpose_id, address in refused},
        )

    def _usercom_put_on(self, withdrawn, there):
        entries = self.browse([there[address].id for address in withdrawn if address in there])
        entries.action_unarchive()
        entries |= self.create(
            [{self._rec_name: address} for address in withdrawn if address not in there]
        )
        reasons = {}
        for entry in entries:
            event = withdrawn[entry[self._rec_name]]
            entry.usercom_event_id = event
            reasons[entry.id] = event._reason()
        if entries:
            entries._message_log_batch(bodies=reasons)

    def _usercom_take_off(self, given, there, refused):
        said = self.env["usercom.consent.event"]._said(given.keys(), self._usercom_purposes())
        blocked = {
            address
            for (_purpose_id, address), words in said.items()
            if consent.is_blocked(word[1:] for word in words)
        }
        entries = self.browse()
        stays = {}
        for address, event in given.items():
            if there[address].usercom_event_id and address not in refused | blocked:
                entries |= there[address]
            elif event.partner_id and event.happened_at:
                stays[event.partner_id.id] = Markup("<p>%s</p>") % self.env._(
                    "%(address)s stays on the blacklist in spite of the new consent: it was put "
                    "there by somebody, or by a bounce, or somebody with this address has said "
                    "no. Take it off there if you know better.",
                    address=address,
                )
        entries.action_archive()
        if entries:
            entries._message_log_batch(
                bodies={entry.id: given[entry[self._rec_name]]._reason() for entry in entries}
            )
        if stays:
            self.env["res.partner"].browse(stays)._message_log_batch(bodies=stays)

import logging
from datetime import timedelta

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools.misc import hash_sign, verify_hash_signed

from ..sync import consent

PAGE = "/usercom/consents/confirm"
SCOPE = "usercom_consent_confirmation"
#: So long the link in a message is good.
VALID = timedelta(days=7)
#: So much of the address's hash a link tells.
HASH_LENGTH = 16
#: Anybody can enter somebody's address into a form: no more messages than these go there in a day.
MESSAGES_A_DAY = 3

_logger = logging.getLogger(__name__)


class UsercomConsentConfirmation(models.AbstractModel):
    """Double opt-in: who has agreed by a form, under an address that anybody could have entered,
    is asked by e-mail whether it was they.

    The message has a link, whose signature tells which words of the ledger it is about. Opening it
    says nothing, because programs that look for viruses open links as well: the button on the page
    does.
    """

    _name = "usercom.consent.confirmation"
    _description = "Consent Confirmation"

    # === ASKING === #

    @api.model
    def _ask(self, events):
        """Send one message to each address of consents that wait for their confirmation.

        :param events: new ones, pending or not.
        """
        # sudo: visitors, whose words these are, may read neither the ledger nor templates.
        waiting = events.sudo().filtered(
            lambda event: (
                event.state == consent.PENDING
                and event.address
                and event.purpose_id.channel == "email"
            )
        )
        waiting -= self._given(waiting)
        if not waiting:
            return
        for address, asked in waiting.grouped("address").items():
            if self._messages_today(address) <= MESSAGES_A_DAY:
                self._send(address, asked)
        # The message is sent once this is committed, and not at the next turn of Odoo's queue.
        self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    @api.model
    def _send(self, address, asked):
        """Put the message into Odoo's queue. A template that is broken or gone costs no form."""
        try:
            with self.env.cr.savepoint():
                template = self.env.ref("usercom_connector.mail_template_consent_confirmation")
                # sudo: as in _ask
                template = template.sudo().with_context(
                    usercom_link=self._link(asked),
                    usercom_events=self._shown(asked),
                    usercom_lang=self._lang(asked[:1]),
                )
                mail_id = template.send_mail(
                    asked[:1].id,
                    email_values={
                        # To the very address, whatever becomes of the contact or of the template,
                        # and tied to no record: whoever may read the record could read the
                        # message, and confirm in the person's place.
                        "email_to": address,
                        "email_cc": False,
                        "recipient_ids": [],
                        "partner_ids": [],
                        "model": False,
                        "res_id": False,
                    },
                )
                # Whoever made the request may read what it has made: not the link.
                self.env["mail.mail"].sudo().browse(mail_id).body = False
        except (UserError, ValueError):  # their text may hold what the template has read
            _logger.error(
                "No message asks to confirm consent event %s: its template is broken or gone.",
                asked[:1].id,
            )

    @api.model
    def _forget(self, addresses):
        """Take back what was not sent, or could not be, to addresses of somebody who is erased."""
        # sudo: as in _ask
        mails = self.env["mail.mail"].sudo()
        mails.search([("email_to", "in", list(addresses)), ("body_html", "like", PAGE)]).unlink()

    @api.model
    def _lang(self, event):
        """The language of the text that was read, or of the contact, if there still is such one."""
        known = dict(self.env["res.lang"].get_installed())
        langs = (event.text_id.lang, event.partner_id.lang)
        return next((lang for lang in langs if lang in known), False)

    @api.model
    def _messages_today(self, address):
        """How often consents here were to be confirmed within a day, with those now."""
        events = self.env["usercom.consent.event"].sudo()  # sudo: as in _ask
        [[count]] = events._read_group(
            [
                ("address", "=", address),
                ("state", "=", consent.PENDING),
                ("recorded_at", ">", consent.moment() - timedelta(days=1)),
            ],
            [],
            ["recorded_at:count_distinct"],
        )
        return count

    @api.model
    def _link(self, events):
        # sudo: the database's secret signs
        what = [events.ids, events[:1].address_hash[:HASH_LENGTH]]
        token = hash_sign(self.sudo().env, SCOPE, what, expiration=VALID)
        return f"{self._base_url()}{PAGE}/{token}"

    @api.model
    def _base_url(self):
        """Where the page is, whatever address the request came by: that one is easily forged."""
        return self.get_base_url()

    @api.model
    def _shown(self, asked):
        """One of each text, where several contacts with one address are asked."""
        texts = asked.grouped(lambda event: (event.purpose_id, event.text_id))
        return asked.browse().union(*(same[:1] for same in texts.values()))

    # === ANSWERS === #

    @api.model
    def _asked(self, token):
        """The words that a link is about: none where it is not ours or too old, and none of whom
        was erased since. In a database that was restored a number may be of another word by now.
        """
        try:
            # sudo: as in _link; the signature says that whoever has the link may see these
            what = verify_hash_signed(self.sudo().env, SCOPE, token)
        except ValueError:
            what = None
        ids, address_hash = what or ((), None)
        events = self.env["usercom.consent.event"].sudo().browse(ids).exists()
        return events.filtered(
            lambda event: (
                event.state == consent.PENDING
                and event.address
                and event.address_hash[:HASH_LENGTH] == address_hash
                and event.purpose_id.active
            )
        )

    @api.model
    def _open(self, asked):
        """Those that nobody has given since, by this link or otherwise: a link serves once."""
        return asked.filtered(
            lambda event: (
                not any(
                    partner_id == (event.partner_id.id or None)
                    and state == consent.GIVEN
                    and event_id > event.id
                    for partner_id, state, _at, event_id in self._words(event)
                )
            )
        )

    @api.model
    def _given(self, asked):
        """Those that are given now."""
        return asked.filtered(
            lambda event: event._heard(self._words(event), event.partner_id.id) == consent.GIVEN
        )

    @api.model
    def _confirm(self, asked):
        """Put on record that the person has confirmed these."""
        return asked.create(
            [
                asked._word(
                    event.partner_id,
                    event.purpose_id,
                    consent.GIVEN,
                    "confirmation",
                    address=event.address,
                    document=event.document,
                    text_id=event.text_id.id,
                    **asked._evidence(),
                )
                for event in self._open(asked)
            ]
        )

    @api.model
    def _words(self, event):
        said = event._said({event.address}, event.purpose_id)
        return said[event.purpose_id.id, event.address]

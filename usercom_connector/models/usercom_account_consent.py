import time
from functools import partial

from odoo import api, fields, models
from odoo.tools import ormcache

from .. import client
from ..sync import consent, mapping, pacing
from .usercom_account import CLICK_SECONDS
from .usercom_consent_purpose import ADDRESSES

#: The field of a contact that holds an address to the attribute that it travels in.
ADDRESS_ATTRIBUTES = {
    "email_normalized": mapping.EMAIL.attribute,
    "phone_sanitized": mapping.PHONE.attribute,
}


class UsercomAccount(models.Model):
    """Which consents travel, and by which attributes."""

    _inherit = "usercom.account"

    consent_attribute_ids = fields.One2many(
        "usercom.consent.attribute",
        "account_id",
        "Consents",
        context={"active_test": False},
    )
    email_authority = fields.Selection(
        [
            ("attribute", "The attribute below"),
            ("unsubscribed", '"Unsubscribed from emails"'),
        ],
        "E-mail: What Counts",
        default="attribute",
        required=True,
        tracking=True,
        help="Of the first e-mail consent that travels. This one is written by Odoo, and its yes "
        "and its no count. Of the other one only the no counts, and Odoo never writes it: an "
        "automation in User.com may couple the two.",
    )
    consent_missing = fields.Boolean(
        compute="_compute_consent_missing",
        help="User.com has no boolean attribute for a consent that travels.",
    )

    @api.depends("consent_attribute_ids.trouble", "consent_attribute_ids.active")
    def _compute_consent_missing(self):
        for account in self:
            account.consent_missing = any(
                line.active and line.trouble for line in account.consent_attribute_ids
            )

    def action_create_consents(self):
        """Create the boolean attributes that consents which travel have not got in User.com."""
        lines = self.consent_attribute_ids.filtered("active")
        if self.attributes_read_at:
            lines = lines.filtered("trouble")
        return self._create_consent_attributes(lines)

    def _create_consent_attributes(self, lines):
        """Create the attributes of consents in User.com.

        Calls within the request's transaction, like the test. Repeated, it creates no second one:
        User.com refuses the name, and the next test finds the attribute.
        """
        self.ensure_one()
        try:
            with self._client() as usercom:
                for line in lines:
                    usercom.within(
                        time.monotonic() + CLICK_SECONDS, pacing.CONSENT
                    ).create_attribute(line.name, "boolean")
        except client.UserComError as error:
            code = str(error.kind)
        except ValueError:
            code = self._address_trouble()
        else:
            return self.action_test_connection()
        return self._notify(
            self.env._("Not created"), self.env["usercom.sentence"]._of(code), "danger"
        )

    @ormcache("self.id")
    def _consent_rules(self):
        """The purposes that travel, and the attributes that tell of them.

        ``unsubscribed`` is about all e-mail, so every purpose of that channel follows it; or the
        first one, where the account says so, is led by it.

        :return: tuple of ``sync.consent.ConsentRule``.
        """
        # sudo: the rules hold for whoever saves a contact.
        lines = self.env["usercom.consent.attribute"].sudo()
        lines = lines.search([("account_id", "=", self.id)])
        by_purpose = {line.purpose_id: line.name for line in lines}
        rules, led_by = [], self.sudo().exists().email_authority
        for purpose in lines.purpose_id.filtered("active").sorted():
            address = ADDRESS_ATTRIBUTES.get(ADDRESSES.get(purpose.channel), "")
            make = partial(consent.ConsentRule, purpose.id, address=address)
            if purpose.channel == "email":
                leads = led_by == "unsubscribed"
                rules.append(make(by_purpose[purpose], leads=not leads))
                rules.append(make(consent.UNSUBSCRIBED, leads=leads))
                led_by = "attribute"
            else:
                rules.append(make(by_purpose[purpose]))
        return tuple(rules)

    @ormcache("self.id")
    def _absent_consents(self):
        """The attributes of consents that are known not to be there in User.com."""
        # sudo: asked for whoever calls the webhook; nothing of the account is told.
        lines = self.env["usercom.consent.attribute"].sudo()
        lines = lines.search([("account_id", "=", self.id)])
        return frozenset(lines.filtered("trouble").mapped("name"))

    def _carry_consents(self):
        """Look again at all linked contacts: other consents travel now, or in another way.

        What Odoo knows goes by the queue, and what User.com has comes by a list of all.
        """
        for account in self.filtered(lambda account: account.state in ("running", "paused")):
            account._catch_up()
            account._request_survey()

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..sync import consent

#: What a person may have said of a purpose.
STATES = [
    (consent.GIVEN, "Given"),
    (consent.WITHDRAWN, "Withdrawn"),
    (consent.PENDING, "Waits for confirmation"),
]
#: Channel to the field of a contact that holds the address which a consent belongs to. Consents of
#: the other channels belong to the contact itself.
ADDRESSES = {"email": "email_normalized", "sms": "phone_sanitized", "call": "phone_sanitized"}
#: Odoo's blacklists, and the channels whose addresses stand on them.
BLACKLISTS = {"mail.blacklist": ("email",), "phone.blacklist": ("sms", "call")}


class UsercomConsentPurpose(models.Model):
    """Something that a person can agree to: a channel, and what for."""

    _name = "usercom.consent.purpose"
    _description = "Consent Purpose"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    channel = fields.Selection(
        [
            ("email", "E-mail"),
            ("sms", "SMS"),
            ("call", "Phone call"),
            ("push", "Web push"),
            ("post", "Post"),
        ],
        required=True,
        default="email",
    )
    double_opt_in = fields.Boolean(
        "Double Opt-In",
        help="A consent that comes from a form counts only when the person has confirmed it, by "
        "the link in a message that is sent then. Until then it is pending, and sent as nothing.",
    )
    feeds_blacklist = fields.Boolean(
        "Withdrawal Puts on the Blacklist",
        help="Who withdraws is put onto Odoo's blacklist of e-mail addresses or phone numbers, "
        "with the reason.",
    )
    fed_by_blacklist = fields.Boolean(
        "Being Blacklisted Withdraws",
        help="Whoever is put onto Odoo's blacklist has withdrawn this consent. Being taken off it "
        "is no consent.",
    )
    text_ids = fields.One2many("usercom.consent.text", "purpose_id", "Legal Texts")
    attribute_ids = fields.One2many("usercom.consent.attribute", "purpose_id", "In User.com")

    @api.model_create_multi
    def create(self, vals_list):
        purposes = super().create(vals_list)
        purposes._take_what_is_blacklisted()
        return purposes

    def write(self, vals):
        # sudo: whether anybody said anything, not who
        events = self.env["usercom.consent.event"].sudo()
        moved = self.filtered(
            lambda purpose: vals.get("channel", purpose.channel) != purpose.channel
        )
        if moved and events.search_count([("purpose_id", "in", moved.ids)], limit=1):
            raise UserError(
                self.env._(
                    "People have answered for this channel already, and their words stay what they "
                    "were. Add another purpose for another channel."
                )
            )
        # sudo: purposes are those of all companies' accounts.
        accounts = self.env["usercom.account"].sudo().search([("active", "=", True)])
        ruled = vals.keys() & {"active", "channel", "sequence"}
        before = {account: account._consent_rules() for account in accounts if ruled}
        result = super().write(vals)
        if ruled:
            accounts._forget_cached()
            for account, rules in before.items():
                if account._consent_rules() != rules:
                    account._carry_consents()
        if vals.get("fed_by_blacklist"):
            self._take_what_is_blacklisted()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_forgets(self):
        self.env["usercom.account"]._forget_cached()

    def _take_what_is_blacklisted(self):
        """Whoever is on the blacklist already has said no as well."""
        for name, channels in BLACKLISTS.items():
            fed = self.filtered(
                lambda purpose, channels=channels: (
                    purpose.fed_by_blacklist and purpose.channel in channels
                )
            )
            if fed:
                # sudo: who sets up purposes need not be allowed to see the blacklist.
                self.env[name].sudo()._usercom_said_no()._usercom_withdraw(fed)

    @api.model
    def _email(self):
        """The purpose of e-mail marketing that is there from the start."""
        return self.env.ref("usercom_connector.purpose_email")

    def _address_of(self, partner):
        """The address or number of a contact that a consent to this belongs to.

        :return: ``False`` where the contact has none, or where the channel has none at all.
        """
        self.ensure_one()
        name = ADDRESSES.get(self.channel)
        return name and partner[name]

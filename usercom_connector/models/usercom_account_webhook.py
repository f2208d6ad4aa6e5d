import json
import secrets
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.tools import ormcache

from ..sync import consent, mapping


class UsercomAccount(models.Model):
    """The webhook: what is entered in User.com, and how a call from there is known and read."""

    _inherit = "usercom.account"

    webhook_token = fields.Char(
        default=lambda self: secrets.token_urlsafe(24), readonly=True, copy=False, required=True
    )
    webhook_secret = fields.Char(
        default=lambda self: secrets.token_urlsafe(32), readonly=True, copy=False
    )
    webhook_url = fields.Char("Webhook Address", compute="_compute_webhook")
    webhook_headers = fields.Text("Headers", compute="_compute_webhook")
    webhook_body = fields.Char("Extra Data", compute="_compute_webhook")
    webhook_attributes = fields.Char(compute="_compute_webhook_attributes")
    webhook_unreachable = fields.Boolean(compute="_compute_webhook")

    _webhook_token_uniq = models.Constraint(
        "UNIQUE(webhook_token)", "Two accounts cannot share a webhook address."
    )

    @api.depends("webhook_token", "webhook_secret", "base_url_override", "name")
    def _compute_webhook(self):
        for account in self:
            base_url = account.get_base_url()
            parts = urlsplit(base_url)
            account.webhook_url = f"{base_url}/usercom/webhook/{account.webhook_token}"
            account.webhook_headers = "\n".join(
                (
                    f"X-Usercom-Secret: {account.webhook_secret or ''}",
                    f"X-Odoo-Database: {self.env.cr.dbname}",
                    "Content-Type: application/json",
                )
            )
            account.webhook_body = json.dumps({"account": account.name or ""}, ensure_ascii=False)
            # A stand-in for User.com may well be on this machine.
            account.webhook_unreachable = not account.base_url_override and (
                parts.scheme != "https" or parts.hostname in ("localhost", "127.0.0.1")
            )

    @api.depends(
        "contact_mapping_ids.direction",
        "contact_mapping_ids.active",
        "consent_attribute_ids.active",
        "consent_attribute_ids.name",
        "email_authority",
    )
    def _compute_webhook_attributes(self):
        for account in self:
            lines = account.contact_mapping_ids.filtered(
                lambda line: line.active and line.direction != "out"
            )
            # The trigger shows "unsubscribed" by its label.
            labels = {consent.UNSUBSCRIBED: self.env._("Unsubscribed from emails")}
            consents = dict.fromkeys(rule.attribute for rule in account._origin._consent_rules())
            names = [*lines.attribute_id.mapped("name"), *(labels.get(n, n) for n in consents)]
            account.webhook_attributes = ", ".join(names)

    def action_renew_secret(self):
        """Make a new secret; the old one is refused from then on."""
        for account in self:
            account.webhook_secret = secrets.token_urlsafe(32)
        return self._notify(
            self.env._("New secret"),
            self.env._("Paste the new headers into the automations in User.com now."),
            "warning",
        )

    @api.model
    def _webhook_secret_of(self, token):
        """The account and secret behind a webhook address, from memory.

        :return: ``(account id, secret)``, or ``(False, "")``.
        """
        return self._webhook_secrets().get(token, (False, ""))

    @api.model
    @ormcache()
    def _webhook_secrets(self):
        # All at once, so that made-up tokens cost neither a query nor a place in the cache.
        # sudo: the caller is nobody yet; that is what this is looked up for.
        return {
            account.webhook_token: (account.id, account.webhook_secret or "")
            for account in self.sudo().search([("webhook_secret", "!=", False)])
        }

    @api.model
    @ormcache("account_id")
    def _reading_of(self, account_id):
        """What it takes to read a call of an account's webhook, from memory.

        :return: the rules of what comes in, and the context; ``None`` where the account is gone.
        """
        # sudo: the caller of the webhook is nobody; nothing of the account is told.
        account = self.sudo().browse(account_id).exists()
        rules = account and account._rules(mapping.CONTACT)
        return tuple(r for r in rules or () if r.into), (account and account._context()) or None

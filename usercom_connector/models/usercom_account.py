import time
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import ormcache

from .. import client
from ..sync import pacing
from ..tools.exchange import DELETE, UNSUBSCRIBE
from ..tools.limiter import Limiter
from ..tools.quiet_sql import quiet_sql

KEY_LENGTH = 64

#: So long somebody who clicked waits for the call's turn, and then for its answer.
CLICK_SECONDS = 2

#: What is remembered between transactions is made of these, besides the mapping.
FORGETS_CACHED = frozenset(
    {
        *("state", "active", "webhook_token", "webhook_secret", "company_id"),
        *("participant_domain", "email_authority", "attributes_read_at"),
    }
)


class UsercomAccount(models.Model):
    """One User.com application: where it is, how we get in, and what we may do there."""

    _name = "usercom.account"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _description = "User.com Account"
    _order = "sequence, id"

    name = fields.Char(required=True, tracking=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company",
        help="Contacts of this company and those of no company. Empty: all.",
        tracking=True,
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self.env.user,
        help="Gets an activity when the account needs a person.",
        tracking=True,
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("connected", "Connected"),
            ("running", "Running"),
            ("paused", "Paused"),
        ],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        tracking=True,
    )
    pause_code = fields.Char(readonly=True, copy=False)
    pause_reason = fields.Text(compute="_compute_pause_reason")
    may_start = fields.Boolean(compute="_compute_may_start")
    subdomain = fields.Char(
        required=True,
        tracking=True,
        help="The first part of the address in your browser when you use User.com.",
    )
    # Read by no screen and no RPC: only code that runs as superuser gets at it.
    rest_key = fields.Char("REST Key", groups=fields.NO_ACCESS, copy=False)
    rest_key_input = fields.Char(
        "New REST Key",
        compute="_compute_rest_key_input",
        inverse="_inverse_rest_key_input",
        help="64 characters. It is stored and never shown again.",
    )
    has_rest_key = fields.Boolean(compute="_compute_has_rest_key", compute_sudo=True)
    base_url_override = fields.Char(
        "Address from the Environment",
        compute="_compute_base_url_override",
        help="This server's environment sets USERCOM_BASE_URL: all calls go there.",
    )
    profile_url_template = fields.Char(
        "Profile Address",
        default="https://{subdomain}.user.com/people/{id}/",
        required=True,
        help="Where a contact's profile opens; {subdomain} and {id} are filled in.",
    )
    database_uuid = fields.Char(readonly=True, copy=False)
    is_other_database = fields.Boolean(compute="_compute_is_other_database")
    checked_at = fields.Datetime("Last Test", readonly=True, copy=False)
    check_code = fields.Char(readonly=True, copy=False)
    check_result = fields.Text("Test Result", compute="_compute_check_result")
    rate_start = fields.Float(
        "Calls a Second at First",
        default=pacing.FIRST_RATE,
        required=True,
        help="How fast User.com is called before anything is known of its limit.",
    )
    rate_ceiling = fields.Float(
        "Calls a Second at Most",
        help="User.com is never called faster than this. 0: as fast as it allows, which is found "
        "out.",
    )
    user_id_strategy = fields.Selection(
        [
            ("random", "A random number"),
            ("sha256", "SHA-256 of the e-mail"),
            ("keep", "Leave alone what is there"),
        ],
        "User IDs",
        default="random",
        required=True,
        tracking=True,
        help="The User ID that contacts get which have none. It is given once and stays, also when "
        "the e-mail changes. SHA-256 of the lower-case e-mail is User.com's advice for shops that "
        "do so on their pages, too; who has no e-mail gets a random one. Left alone: users that "
        "are in User.com without one get none; only who is created from Odoo gets a random one.",
    )
    on_delete = fields.Selection(
        [
            ("nothing", "Stays as it is"),
            (UNSUBSCRIBE, "Is unsubscribed"),
            (DELETE, "Is deleted there, too"),
        ],
        "When Deleted in Odoo, the User",
        default="nothing",
        required=True,
        tracking=True,
        help="What becomes of a user in User.com whose contact is deleted in Odoo. In no case does "
        "User.com bring the contact back.",
    )

    _rates_positive = models.Constraint(
        "CHECK(rate_start > 0 AND rate_ceiling >= 0)", "The rate of calls cannot be negative."
    )

    # === COMPUTE METHODS === #

    @api.depends("pause_code")
    @api.depends_context("lang")
    def _compute_pause_reason(self):
        for account in self:
            account.pause_reason = self.env["usercom.sentence"]._of(account.pause_code)

    @api.depends("state", "pause_code", "is_other_database")
    def _compute_may_start(self):
        for account in self:
            account.may_start = (
                account.state in ("connected", "paused")
                and not account._paused_by_refusal()
                and not account.is_other_database
            )

    @api.depends("check_code")
    @api.depends_context("lang")
    def _compute_check_result(self):
        for account in self:
            account.check_result = self.env["usercom.sentence"]._of(account.check_code)

    def _compute_rest_key_input(self):
        self.rest_key_input = False

    def _inverse_rest_key_input(self):
        for account in self:
            key = (account.rest_key_input or "").strip()
            if not key:
                continue
            if len(key) != KEY_LENGTH or not key.isascii() or not key.isalnum():
                raise ValidationError(
                    self.env._(
                        "A REST key has %(length)s letters and digits, this one has %(given)s "
                        "characters. (The short API key of the widget is another one.) Copy the "
                        "key from User.com under Settings, App settings, Advanced, Public API.",
                        length=KEY_LENGTH,
                        given=len(key),
                    )
                )
            # Now, and not with the next flush: Odoo logs the values of a query that fails.
            with quiet_sql():
                # sudo: nobody may read or write the stored key but this.
                account.sudo().rest_key = key
                account.flush_recordset(["rest_key"])
            if account.state == "connected":
                account.state = "draft"
        # Saving a form reads it back: the key must not come along.
        self.invalidate_recordset(["rest_key_input"], flush=False)

    @api.depends("rest_key")
    def _compute_has_rest_key(self):
        for account in self:
            account.has_rest_key = bool(account.rest_key)

    @api.depends_context("uid")
    def _compute_base_url_override(self):
        for account in self:
            try:
                account.base_url_override = client.overridden()
            except ValueError as error:
                account.base_url_override = str(error)

    @api.depends("database_uuid")
    def _compute_is_other_database(self):
        uuid = self._database_uuid()
        for account in self:
            account.is_other_database = bool(account.database_uuid) and (
                account.database_uuid != uuid
            )

    # === CONSTRAINTS === #

    @api.constrains("profile_url_template")
    def _check_profile_url_template(self):
        for account in self:
            parts = urlsplit(account.profile_url_template or "")
            if parts.scheme not in ("http", "https") or "{id}" not in account.profile_url_template:
                raise ValidationError(
                    self.env._(
                        "The profile address must begin with https:// and contain {id}, where the "
                        "contact's number goes."
                    )
                )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._clean_subdomain(vals)
        accounts = super().create(vals_list)
        accounts._prepare_mapping()
        self._forget_cached()
        return accounts

    def write(self, vals):
        self._clean_subdomain(vals)
        moving = self.filtered(
            lambda account: (
                account.subdomain != vals.get("subdomain") and account._has_usable_subdomain()
            )
        )
        if "subdomain" in vals and (
            set(moving.mapped("state")) & {"running", "paused"} or moving._has_bindings()
        ):
            raise UserError(
                self.env._(
                    "This account has been started, and its contacts are tied to numbers in that "
                    "User.com application. For another application, make another account."
                )
            )
        changed = self.filtered(
            lambda account: (
                account.state == "connected"
                and account.subdomain != vals.get("subdomain", account.subdomain)
            )
        )
        unarchived = self.filtered(lambda account: vals.get("active") and not account.active)
        result = super().write(vals)
        if unarchived:
            unarchived._catch_up(calls_missed=True)
        if changed:
            changed.write({"state": "draft"})  # what was tested was another address
        if vals.keys() & FORGETS_CACHED:
            self._forget_cached()
        if "email_authority" in vals:
            self._carry_consents()
        if vals.get("state", "paused") != "paused":
            self._answered("paused")
        if "creation_limit" in vals:
            self._release("ceiling")
            self._answered("ceiling")
        if "poll_minutes" in vals:
            self._plan_poll()
        if "participant_domain" in vals:
            self.filtered(lambda account: account.pause_code == "unclear_filter").write(
                {"state": "running", "pause_code": False}
            )
            # What was edited of those who take part again has left nothing.
            self.filtered(lambda account: account.state in ("running", "paused"))._catch_up()
        return result

    def unlink(self):
        # sudo: rows are not edited by hand, but they go with their account.
        for model in ("usercom.change", "usercom.ping"):
            self.env[model].sudo().search([("account_res_id", "in", self.ids)]).unlink()
        # Before the attributes, which no line may lose.
        every = self.env["usercom.mapping"].with_context(active_test=False)
        every.search([("account_id", "in", self.ids)]).unlink()
        result = super().unlink()
        self._forget_cached()
        return result

    def _forget_cached(self):
        self.env.registry.clear_cache()
        # Again after the commit: until then others read the state as it was, and remember it.
        self.env.cr.postcommit.add(self.env.registry.clear_cache)

    def _has_bindings(self):
        # sudo: whoever may edit the account, its bindings in other companies count as well.
        bindings = self.env["usercom.binding"].sudo()
        return bool(bindings.search_count([("account_id", "in", self.ids)], limit=1))

    @api.model
    def _clean_subdomain(self, vals):
        if vals.get("subdomain"):
            try:
                vals["subdomain"] = client.subdomain_of(vals["subdomain"])
            except ValueError as error:
                # Not quoted: Odoo logs the sentence, and the text may be a key in the wrong place.
                raise ValidationError(
                    self.env._(
                        "This is no User.com subdomain. Enter the first part of the address in "
                        "your browser when you use User.com, for example acme for "
                        "https://acme.user.com."
                    )
                ) from error

    def _has_usable_subdomain(self):
        try:
            return bool(client.subdomain_of(self.subdomain or ""))
        except ValueError:
            return False

    # === ACTION METHODS === #

    def action_test_connection(self):
        """Read once, write once without effect, and say in a notification what came of it.

        Somebody waits for the answer, so this calls within the request's transaction. Where Odoo
        repeats that after a serialization failure, it calls once more, which changes nothing.
        """
        self.ensure_one()
        code, attributes = ("other_database", ()) if self.is_other_database else self._probe()
        ok = code == "ok"
        vals = {"checked_at": fields.Datetime.now(), "check_code": code}
        if ok:
            if self.state == "draft":
                vals |= {"state": "connected", "database_uuid": self._database_uuid()}
            elif self._paused_by_refusal():
                vals |= {"state": "running", "pause_code": False}
        self.write(vals)
        if ok:
            self._take_attributes(attributes)
        if ok:
            sound = self.consent_attribute_ids.filtered(lambda line: not line.trouble)
            for attribute in sound.filtered("active").mapped("name"):
                self._retry_refused(attribute)
        if ok and self.state == "running":
            self._wake_all()
        return self._notify(
            self.env._("Connection works") if ok else self.env._("No connection"),
            self.check_result,
            "success" if ok else "danger",
            sticky=False,  # the form goes on showing it
        )

    def action_start(self):
        """Begin, or go on after a pause."""
        for account in self:
            if account.is_other_database:
                raise UserError(self.env["usercom.sentence"]._say_other_database())
            if account.state == "draft" or account._paused_by_refusal():
                raise UserError(self.env._("Test the connection first."))
            if account.state != "paused":
                account._catch_up()
            account.write({"state": "running", "pause_code": False})
            account._list_companies_soon()
            account._wake_all()

    def action_pause(self):
        """Stop sending and reading. Changes and calls go on being noted."""
        self.filtered(lambda account: account.state == "running").write(
            {"state": "paused", "pause_code": "by_hand"}
        )

    def action_take_over(self):
        """Make this database the one that the account works in. It has to be tested anew."""
        for account in self:
            account.write(
                {"database_uuid": account._database_uuid(), "state": "draft", "pause_code": False}
            )

    def _action_open(self, model, name, domain):
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "view_mode": "list,form",
            "name": name,
            "domain": domain,
        }

    def _action_dialog(self, model, name, context):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "view_mode": "form",
            "target": "new",
            "name": name,
            "context": {"default_account_id": self.id, **context},
        }

    @api.model
    def _notify(self, title, message, kind, sticky=True):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": title,
                "message": message,
                "type": kind,
                "sticky": sticky,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    # === BUSINESS METHODS === #

    @api.model
    @ormcache()
    def _is_any_connected(self):
        """Whether a save may have to note a change at all; which account's, its ``INSERT`` asks.

        Connected accounts count as well: the answer is known a while before it matters, so that no
        transaction that is older than an account's start remembers the wrong one.
        """
        # sudo: whoever saves a contact need not be allowed to see accounts.
        started = [("state", "in", ("connected", "running", "paused"))]
        return bool(self.sudo().search_count(started, limit=1))

    @api.model
    def _of_company(self, company):
        """The account whose User.com ID a contact shows in this company, if any."""
        accounts = self.search([("company_id", "in", [False, company.id])])
        return accounts.sorted(
            lambda account: (account.state != "running", not account.company_id, account.sequence)
        )[:1]

    @api.model
    def _running(self):
        """The accounts there is work for; those that must not work now pause and say why."""
        accounts = self.search([("state", "=", "running")])
        copies = accounts.filtered("is_other_database")
        copies._pause("other_database")
        unclear = (accounts - copies).filtered(lambda account: not account._has_clear_filter())
        unclear._pause("unclear_filter")
        return accounts - copies - unclear

    def _may_run(self):
        return self.exists().state == "running" and not self.is_other_database

    @api.model
    def _database_uuid(self):
        # sudo: the parameter is for administrators of the system, the account's need not be one.
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    def _client(self):
        """A client for this account; to be used as a context manager.

        :raises ValueError: when there is no address to call; ``_address_trouble`` says why.
        """
        self.ensure_one()
        # sudo: the key is readable to nobody; it goes from here into the request's header.
        rest_key = self.sudo().rest_key or ""
        limiter = Limiter(
            self.env.cr.dbname, self.id, start=self.rate_start, ceiling=self.rate_ceiling
        )
        return client.UserCom(client.base_url(self.subdomain), rest_key, limiter=limiter)

    def _address_trouble(self):
        """The code for what keeps the account from having an address that can be called."""
        return "bad_base_url" if self._has_usable_subdomain() else "bad_subdomain"

    def _probe(self):
        if not self.sudo().rest_key:  # sudo: only whether there is one
            return "no_key", ()
        try:
            usercom = self._client()
        except ValueError:
            return self._address_trouble(), ()
        with usercom:
            result = usercom.within(time.monotonic() + CLICK_SECONDS, pacing.CONSENT).probe()
        return result.code, result.attributes

    def _paused_by_refusal(self):
        return self.state == "paused" and self.pause_code not in (False, "by_hand")

    def _pause(self, code):
        """Stop, and tell the responsible once."""
        for account in self.filtered(lambda account: account.state == "running"):
            account.write({"state": "paused", "pause_code": code})
            account._ask("paused")

    def _covers(self, partner):
        """Whether a contact belongs to the company that this account is for."""
        return not self.company_id or partner.company_id in (
            self.env["res.company"],
            self.company_id,
        )

    def _profile_url(self, usercom_id):
        """Where the profile of a contact opens in User.com."""
        if not self or not usercom_id:
            return False
        return self.profile_url_template.replace("{subdomain}", self.subdomain).replace(
            "{id}", usercom_id
        )

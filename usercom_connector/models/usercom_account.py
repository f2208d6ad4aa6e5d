import ast
import json
import secrets
import time
from functools import lru_cache, partial
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.addons.phone_validation.tools.phone_validation import phone_format
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, ormcache
from odoo.tools.mail import email_normalize

from .. import client
from ..sync import consent, converters, mapping, pacing, values
from ..tools.exchange import DELETE, UNSUBSCRIBE
from ..tools.limiter import Limiter
from ..tools.quiet_sql import quiet_sql
from .usercom_consent_purpose import ADDRESSES

KEY_LENGTH = 64
#: So long somebody who clicked waits for the call's turn, and then for its answer.
CLICK_SECONDS = 2

#: Reasons to be parked that another mapping may do away with: a value that User.com does not take,
#: an address that does not travel, a value that our code cannot deal with.
PARKED_BY_MAPPING = ("refused", "no_address", "unexpected")

#: What is remembered between transactions is made of these, besides the mapping.
FORGETS_CACHED = frozenset(
    {
        *("state", "active", "webhook_token", "webhook_secret", "company_id"),
        *("participant_domain", "email_authority", "attributes_read_at"),
    }
)

#: The field of a contact that holds an address to the attribute that it travels in.
ADDRESS_ATTRIBUTES = {
    "email_normalized": mapping.EMAIL.attribute,
    "phone_sanitized": mapping.PHONE.attribute,
}

#: Active people and companies whom one can reach; internal users are staff, not customers.
DEFAULT_PARTICIPANTS = [
    ("active", "=", True),
    ("partner_share", "=", True),
    "|",
    ("email_normalized", "!=", False),
    ("phone_sanitized", "!=", False),
]


#: Of so many texts it is remembered what they mean: a batch asks for the same ones several times.
REMEMBERED_TEXTS = 1024


@lru_cache(REMEMBERED_TEXTS)
def _e164(number, country):
    try:
        return phone_format(number, country, None, force_format="E164")
    except UserError:
        return None  # is no phone number


@lru_cache(REMEMBERED_TEXTS)
def _address(text):
    return email_normalize(text)


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
    database_uuid = fields.Char(readonly=True, copy=False)
    is_other_database = fields.Boolean(compute="_compute_is_other_database")
    checked_at = fields.Datetime("Last Test", readonly=True, copy=False)
    check_code = fields.Char(readonly=True, copy=False)
    check_result = fields.Text("Test Result", compute="_compute_check_result")
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
    create_in_odoo = fields.Boolean(
        "Create in Odoo",
        readonly=True,
        copy=False,
        tracking=True,
        help="A user in User.com whom nobody in Odoo matches becomes a contact in Odoo.",
    )
    create_in_usercom = fields.Boolean(
        "Create in User.com",
        readonly=True,
        copy=False,
        tracking=True,
        help="A contact in Odoo whom nobody in User.com matches becomes a user in User.com.",
    )
    creation_limit = fields.Integer(
        "Creations a Day",
        default=100,
        required=True,
        tracking=True,
        help="So many contacts are created within 24 hours on each side. Then creation waits, "
        "everything else goes on, and somebody is asked.",
    )
    participant_domain = fields.Char(
        "Who Takes Part",
        default=repr(DEFAULT_PARTICIPANTS),
        required=True,
        tracking=True,
        help="Only these contacts are created in User.com and kept in step. Who leaves the filter "
        "is no longer synchronised, and deleted nowhere.",
    )
    participant_count = fields.Integer("Take Part Now", compute="_compute_participant_count")
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
    poll_minutes = fields.Integer(
        "Look for Changes Every (Minutes)",
        default=15,
        required=True,
        tracking=True,
        help="Odoo asks User.com so often what has changed there, in case a call of User.com got "
        "lost. 0: never.",
    )
    poll_at = fields.Datetime("Next Look", compute="_compute_lists")
    polled_at = fields.Datetime("Last Look", compute="_compute_lists")
    survey_state = fields.Selection(
        lambda self: self.env["usercom.stream"]._fields["state"]._description_selection(self.env),
        compute="_compute_lists",
    )
    survey_progress = fields.Char("List of All", compute="_compute_lists")
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
    stream_ids = fields.One2many("usercom.stream", "account_id", readonly=True)
    contact_mapping_ids = fields.One2many(
        "usercom.mapping",
        "account_id",
        "Field of Contacts",
        domain=[("kind", "=", mapping.CONTACT)],
        context={"active_test": False},
    )
    company_mapping_ids = fields.One2many(
        "usercom.mapping",
        "account_id",
        "Field of Companies",
        domain=[("kind", "=", mapping.COMPANY)],
        context={"active_test": False},
    )
    has_paused_mapping = fields.Boolean(compute="_compute_mapping")
    has_to_carry = fields.Boolean(compute="_compute_mapping")
    attribute_count = fields.Integer(compute="_compute_mapping")
    attributes_read_at = fields.Datetime("Attributes Read", readonly=True, copy=False)
    binding_count = fields.Integer(compute="_compute_counts")
    change_count = fields.Integer(compute="_compute_counts")
    ping_count = fields.Integer(compute="_compute_counts")
    parked_count = fields.Integer(compute="_compute_counts")
    conflict_count = fields.Integer("Conflicts", compute="_compute_counts")
    drift_count = fields.Integer("Consents That Differ", compute="_compute_counts")

    _webhook_token_uniq = models.Constraint(
        "UNIQUE(webhook_token)", "Two accounts cannot share a webhook address."
    )
    _creation_limit_positive = models.Constraint(
        "CHECK(creation_limit >= 0)", "The ceiling of creations cannot be negative."
    )
    _rates_positive = models.Constraint(
        "CHECK(rate_start > 0 AND rate_ceiling >= 0)", "The rate of calls cannot be negative."
    )
    _poll_minutes_positive = models.Constraint(
        "CHECK(poll_minutes >= 0)", "The time between two looks for changes cannot be negative."
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

    @api.depends("consent_attribute_ids.trouble", "consent_attribute_ids.active")
    def _compute_consent_missing(self):
        for account in self:
            account.consent_missing = any(
                line.active and line.trouble for line in account.consent_attribute_ids
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

    @api.depends("database_uuid")
    def _compute_is_other_database(self):
        uuid = self._database_uuid()
        for account in self:
            account.is_other_database = bool(account.database_uuid) and (
                account.database_uuid != uuid
            )

    def _compute_counts(self):
        bindings = dict(
            self.env["usercom.binding"]._read_group(
                [
                    ("account_id", "in", self.ids),
                    ("usercom_id", "!=", False),
                    ("state", "!=", "seen"),
                ],
                ["account_id"],
                ["__count"],
            )
        )
        conflicts = dict(
            self.env["usercom.conflict"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        drifts = dict(
            self.env["usercom.consent.drift"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        changes = self.env["usercom.change"]._count_by_account(self.ids)
        pings = self.env["usercom.ping"]._count_by_account(self.ids)
        for account in self:
            account.binding_count = bindings.get(account, 0)
            account.conflict_count = conflicts.get(account, 0)
            account.drift_count = drifts.get(account, 0)
            account.change_count = changes.get((account.id, True), 0)
            account.ping_count = pings.get((account.id, True), 0)
            account.parked_count = changes.get((account.id, False), 0) + pings.get(
                (account.id, False), 0
            )

    @api.depends("stream_ids")
    @api.depends_context("lang")
    def _compute_lists(self):
        for account in self:
            poll, survey = account._stream("poll"), account._stream("survey")
            account.poll_at, account.polled_at = poll.due_at, poll.last_success_at
            account.survey_state = survey.state
            account.survey_progress = survey.state and self.env._(
                "%(state)s: %(contacts)s of %(total)s contacts read, %(linked)s linked, "
                "%(unmatched)s in User.com only",
                state=dict(survey._fields["state"]._description_selection(self.env))[survey.state],
                contacts=survey.contacts,
                total=survey.total,
                linked=survey.linked,
                unmatched=survey.unmatched,
            )

    @api.depends("participant_domain", "company_id")
    def _compute_participant_count(self):
        # sudo: a number, and it concerns all contacts of the account's companies.
        partners = self.env["res.partner"].sudo()
        for account in self:
            try:
                account._check_participant_domain()
                count = partners.search_count(account._participants())
            except ValidationError:
                count = 0
            account.participant_count = count

    @api.depends(
        *(
            f"{kind}_mapping_ids.{name}"
            for kind in (mapping.CONTACT, mapping.COMPANY)
            for name in ("active", "is_paused", "to_carry")
        )
    )
    def _compute_mapping(self):
        attributes = dict(
            self.env["usercom.attribute"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        for account in self:
            lines = (account.contact_mapping_ids | account.company_mapping_ids).filtered("active")
            account.has_paused_mapping = any(lines.mapped("is_paused"))
            account.has_to_carry = any(line.to_carry and not line.is_paused for line in lines)
            account.attribute_count = attributes.get(account, 0)

    # === CONSTRAINTS === #

    @api.constrains("participant_domain")
    def _check_participant_domain(self):
        for account in self:
            try:
                domain = Domain(ast.literal_eval(account.participant_domain))
                domain.validate(self.env["res.partner"])
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
                raise ValidationError(
                    self.env._("The filter of who takes part cannot be understood.")
                ) from error

    def _has_clear_filter(self):
        """Whether the filter can be understood: an app that it names may be uninstalled."""
        try:
            self._check_participant_domain()
        except ValidationError:
            return False
        return True

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

    def action_compare(self):
        """Look now for what was changed in Odoo by a way that nothing captures."""
        for account in self.filtered(lambda account: account.state == "running"):
            self.env["usercom.comparison"]._begin(account)
        self.env["usercom.comparison"]._wake()
        return self._notify(
            self.env._("Comparing"),
            self.env._(
                "All linked contacts are compared with what User.com has last been sent, without "
                "a call. What differs goes out, and is counted under To Send until then."
            ),
            "info",
            sticky=False,
        )

    def action_take_over(self):
        """Make this database the one that the account works in. It has to be tested anew."""
        for account in self:
            account.write(
                {"database_uuid": account._database_uuid(), "state": "draft", "pause_code": False}
            )

    def action_renew_secret(self):
        """Make a new secret; the old one is refused from then on."""
        for account in self:
            account.webhook_secret = secrets.token_urlsafe(32)
        return self._notify(
            self.env._("New secret"),
            self.env._("Paste the new headers into the automations in User.com now."),
            "warning",
        )

    def action_link_existing(self):
        """Link all that are on both sides, by a list of everybody in User.com. Creates nobody."""
        self.ensure_one()
        if self.state != "running":
            raise UserError(self.env._("Start the account first."))
        self._request_survey()
        return self._notify(
            self.env._("Linking has begun"),
            self.env._(
                "Odoo reads the list of all contacts in User.com, a page at a time, and links "
                "those that are in Odoo, too. Nobody is created."
            ),
            "success",
            sticky=False,
        )

    def action_stop_survey(self):
        """Give up reading the list of all contacts. What was linked stays so."""
        for account in self:
            # sudo: streams are not edited by hand; who may edit the account may stop its work.
            survey = account.sudo()._stream("survey")
            if survey.state in ("requested", "running"):
                survey._end_survey("cancelled")

    def action_compare_consents(self):
        """Compare the consents of all linked contacts on both sides."""
        self.ensure_one()
        if self.state != "running":
            raise UserError(self.env._("Start the account first."))
        self._request_drift()
        return self._notify(
            self.env._("Comparing has begun"),
            self.env._(
                "Odoo reads the list of all contacts in User.com, a page at a time. What differs "
                'stands under "Consents That Differ" then.'
            ),
            "success",
            sticky=False,
        )

    def action_switch_creation(self):
        """Open the dialog that says how many contacts would be created, before it switches."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "usercom.creation",
            "view_mode": "form",
            "target": "new",
            "name": (
                self.env._("Create contacts in Odoo")
                if self.env.context.get("default_side") == "odoo"
                else self.env._("Create contacts in User.com")
            ),
            "context": {"default_account_id": self.id, **self.env.context},
        }

    def action_stop_creation(self):
        """Switch one kind of creation off."""
        side = self.env.context.get("usercom_side")
        self.write({"create_in_odoo" if side == "odoo" else "create_in_usercom": False})

    def action_refresh_attributes(self):
        """Read User.com's attributes anew.

        Calls within the request's transaction, like the test; repeated, it only reads again.
        """
        self.ensure_one()
        try:
            with self._client() as usercom:
                usercom = usercom.within(time.monotonic() + CLICK_SECONDS, pacing.CONSENT)
                self._refresh_attributes(usercom)
        except client.UserComError as error:
            code = str(error.kind)
        except ValueError:
            code = self._address_trouble()
        else:
            return self._notify(
                self.env._("Attributes read"),
                self.env._("%(count)s attributes are known now.", count=self.attribute_count),
                "success",
                sticky=False,
            )
        return self._notify(
            self.env._("Attributes not read"), self.env["usercom.sentence"]._of(code), "danger"
        )

    def action_add_mapping(self):
        """Open an empty mapping line, of contacts or of companies, in a dialog."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "usercom.mapping",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("New Field"),
            "context": {"default_account_id": self.id, **self.env.context},
        }

    def action_carry(self):
        """Open the dialog that says how many contacts a new or changed line concerns."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "usercom.carry",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Carry to existing contacts"),
            "context": {"default_account_id": self.id},
        }

    def action_try_mapping(self):
        """Open the dialog that shows what the mapping makes of one contact."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "usercom.trial",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Try It on a Contact"),
            "context": {"default_account_id": self.id, "dialog_size": "extra-large"},
        }

    def action_open_attributes(self):
        """The attributes of this account, as they were last read."""
        name = self.env._("Attributes")
        return self._action_open("usercom.attribute", name, [("account_id", "in", self.ids)])

    def _action_open(self, model, name, domain):
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "view_mode": "list,form",
            "name": name,
            "domain": domain,
        }

    def action_open_bindings(self):
        """The contacts that are tied to this account."""
        name = self.env._("Linked Contacts")
        domain = [("account_id", "in", self.ids), ("state", "!=", "seen")]
        return self._action_open("usercom.binding", name, domain)

    def action_list_companies(self):
        """Read the companies of User.com again now."""
        self._list_companies_soon()

    def action_open_changes(self):
        """What waits to be sent."""
        name = self.env._("Changes to Send")
        return self._action_open("usercom.change", name, [("account_res_id", "in", self.ids)])

    def action_open_pings(self):
        """What waits to be read."""
        name = self.env._("Contacts to Read")
        return self._action_open("usercom.ping", name, [("account_res_id", "in", self.ids)])

    def action_open_conflicts(self):
        """What was changed on both sides and waits for a decision."""
        domain = [("account_id", "in", self.ids)]
        action = self._action_open("usercom.conflict", self.env._("Conflicts"), domain)
        return action | {"view_mode": "list,kanban"}

    def action_open_drifts(self):
        """The consents about which the two sides disagree."""
        domain = [("account_id", "in", self.ids)]
        name = self.env._("Consents That Differ")
        return self._action_open("usercom.consent.drift", name, domain) | {
            "view_mode": "list,kanban"
        }

    def action_open_parked(self):
        """What needs a person: the changes, or the contacts to read where no change does."""
        parked = [("account_res_id", "in", self.ids), ("due_at", "=", False)]
        changes = self.env["usercom.change"]
        model = "usercom.change" if changes.search_count(parked, limit=1) else "usercom.ping"
        return self._action_open(model, self.env._("Needs a Person"), parked)

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

    def _ask_about_ceiling(self):
        self._ask("ceiling")

    def _ask(self, topic):
        """Give the responsible an activity in their language, unless the same one is still open.

        :param topic: has an activity type of its own, ``mail_activity_<topic>``, and its words in
            :meth:`_question`.
        """
        self.ensure_one()
        kind = f"usercom_connector.mail_activity_{topic}"
        if not self.activity_search([kind]):
            account = self._to_the_responsible()
            summary, note = account._question(topic)
            account.activity_schedule(
                kind, summary=summary, note=note, user_id=account._responsible().id
            )

    def _answered(self, topic):
        """Close the activities that asked for what has been done now."""
        for account in self:
            account.activity_feedback(
                [f"usercom_connector.mail_activity_{topic}"],
                feedback=account._to_the_responsible().env._("This is over now."),
            )

    def _responsible(self):
        return self.user_id or self.env.ref("base.user_admin")

    def _to_the_responsible(self):
        return self.with_context(lang=self._responsible().lang)

    def _question(self, topic):
        if topic == "paused":
            return self.env._("User.com account paused"), self.pause_reason
        if topic == "conflict":
            return self.env._("Fields changed on both sides"), self.env._(
                "Somebody changed the same field of a contact in Odoo and in User.com, and the "
                "mapping says that a person decides. Until then nothing of that field travels. "
                'What waits stands under "Conflicts" on the account.'
            )
        if topic == "drift":
            return self.env._("Consents differ between Odoo and User.com"), self.env._(
                "Odoo and User.com disagree about a consent, and nothing that waits is going to "
                "settle it. Which ones they are, and what to do about each, stands under "
                '"Consents That Differ" on the account.'
            )
        if topic == "withdrawal":
            return self.env._("A withdrawn consent has not reached User.com"), self.env._(
                "Somebody withdrew a consent more than an hour ago, and User.com does not know "
                "yet, so they may still be written to from there. The reason stands under "
                '"To Send" or "Need a Person" on the account. If it lasts, set it in User.com by '
                "hand. This closes by itself when the withdrawal is there."
            )
        return self.env._("Daily ceiling of creations reached"), self.env._(
            "%(limit)s contacts were created within a day, so further ones wait. Raise "
            '"Creations a Day" on the account if that is what you want.',
            limit=self.creation_limit,
        )

    def _creations_left(self, origin):
        """How many more contacts may be created from one side just now."""
        count, _oldest = self.env["usercom.binding"]._created_within_a_day(self, origin)
        return self.creation_limit - count

    def _release(self, code):
        """Let rows that wait for a decision of this account go on."""
        held = [("account_res_id", "in", self.ids), ("problem_code", "=", code)]
        for model in ("usercom.change", "usercom.ping"):
            # sudo: rows are not edited by hand; who decides for the account lets them go on.
            rows = self.env[model].sudo().search(held)
            rows._retry()
            rows._wake()

    def _retry_parked_by_mapping(self, attributes=()):
        """Try again what was parked, or refused by User.com, under another mapping than now.

        To be called when a mapping line or an attribute has changed.

        :param attributes: those whose values may be taken now.
        """
        # sudo: rows are not edited by hand; who changes the mapping lets them go on.
        held = [
            ("account_res_id", "in", self.ids),
            ("due_at", "=", False),
            ("problem_code", "in", PARKED_BY_MAPPING),
        ]
        for model in ("usercom.change", "usercom.ping"):
            self.env[model].sudo().search(held)._retry()
        for account in self:
            for attribute in attributes:
                account._retry_refused(attribute)

    def _retry_refused(self, attribute):
        """Send what was refused for want of an attribute, now that it is there."""
        # sudo: bindings and rows are not edited by hand, as above.
        account = self.sudo()
        refused = [("account_res_id", "=", account.id), ("problem_code", "=", "refused")]
        rows = account.env["usercom.change"].search(refused)
        rows.filtered(lambda row: attribute in row.problem_args.get("fields", ()))._retry()
        found = account.env.execute_query(
            SQL(
                "SELECT id FROM usercom_binding WHERE account_id = %s AND refused ? %s",
                account.id,
                attribute,
            )
        )
        bindings = account.env["usercom.binding"].browse(binding_id for (binding_id,) in found)
        for binding in bindings:
            binding.refused = {n: value for n, value in binding.refused.items() if n != attribute}
        bindings.partner_id._usercom_enqueue(account)

    def _catch_up(self, calls_missed=False):
        """Look again at all linked contacts: what was edited meanwhile has left no row.

        Nor has the deletion of one of which User.com is to be told. A few statements, however many
        there are.

        :param calls_missed: whether calls of User.com were turned away meanwhile.
        """
        self.env["usercom.binding"].flush_model()
        linked = SQL(
            "usercom_binding WHERE account_id IN %s AND partner_id IS NOT NULL AND state <> 'gone'",
            tuple(self.ids),
        )
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change
                            (account_res_id, partner_res_id, due_at, attempts, priority)
                SELECT account_id, partner_id, %s, 0, %s FROM %s
                """,
                now,
                pacing.BULK,
                linked,
            )
        )
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change
                            (account_res_id, partner_res_id, due_at, attempts, priority)
                SELECT account_id, former_res_id, %s, 0, %s FROM usercom_binding
                 WHERE account_id IN %s AND farewell IS NOT NULL
                """,
                now,
                pacing.EDIT,
                tuple(self.ids),
            )
        )
        if calls_missed:
            self.env.cr.execute(
                SQL(
                    """
                    INSERT INTO usercom_ping
                                (account_res_id, lookup, value, due_at, attempts, priority)
                    SELECT account_id, 'id', usercom_id, %s, 0, %s FROM %s
                       AND usercom_id IS NOT NULL AND kind = %s
                    """,
                    now,
                    pacing.BULK,
                    linked,
                    mapping.CONTACT,
                )
            )
            self._list_companies_soon()
        self._wake_all()

    def _stream(self, direction):
        return self.stream_ids.filtered(lambda stream: stream.direction == direction)

    def _request_survey(self, creates=False):
        # sudo: streams are not edited by hand; this is how an administrator sets one going.
        self.env["usercom.stream"].sudo()._of(self, "survey")._request_survey(creates)

    def _request_drift(self):
        # sudo: as above. One that is under way does.
        stream = self.env["usercom.stream"].sudo()._of(self, "drift")
        if stream.state not in ("requested", "running"):
            stream._request_survey()

    def _plan_poll(self):
        # sudo: as above. An account that was never polled gets its stream with the first round.
        for account in self.sudo():
            account._stream("poll").due_at = account.poll_minutes and fields.Datetime.now()
        self.env["usercom.ping"]._wake()

    def _list_companies_soon(self):
        """Have the companies of User.com listed with the next round."""
        # sudo: only the scheduled actions write to streams; this is all that people may ask of one.
        streams = self.env["usercom.stream"].sudo()
        for account in self:
            streams._of(account, "push").companies_due_at = False
        self.env["usercom.change"]._wake()

    def _wake_all(self):
        self.env["usercom.change"]._wake()
        self.env["usercom.ping"]._wake()

    def _participants(self):
        """Which contacts take part: those of the account's filter and companies.

        Addresses of companies and people are neither people nor companies of their own. Archived
        contacts take part only where the filter names that field, as in any of Odoo's searches.

        :raises ValidationError: when the filter cannot be understood any more.
        """
        self._check_participant_domain()
        domain = Domain(ast.literal_eval(self.participant_domain))
        if all(condition.field_expr != "active" for condition in domain.iter_conditions()):
            domain &= Domain("active", "=", True)
        domain &= Domain("type", "in", ("contact", False)) | (
            Domain("is_company", "=", True) & Domain("parent_id", "=", False)
        )
        if self.company_id:
            domain &= Domain("company_id", "in", [False, self.company_id.id])
        return domain

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

    # === MAPPING === #

    def _prepare_mapping(self):
        """Bring the standard attributes up to date; give the ready lines to who has none at all.

        Of the mapping, and of the consents.
        """
        # sudo: attributes are not edited by hand, and each account has these.
        self.env["usercom.attribute"].sudo()._sync_standard(self)
        lines = self.env["usercom.mapping"].with_context(active_test=False)
        having = lines.search([("account_id", "in", self.ids)]).account_id
        lines._create_default(self - having)
        self.env["usercom.consent.attribute"]._prepare(self)

    @api.model
    def _prepare_all_mappings(self):
        """After an update of the addon: what an older version did not have yet."""
        every = self.with_context(active_test=False)
        every.search([("active", "in", (True, False))])._prepare_mapping()

    def _refresh_attributes(self, usercom):
        """Read the custom attributes and keep what is found.

        :raises client.UserComError: when they cannot be read; nothing has changed then.
        """
        self._take_attributes(tuple(usercom.attributes()))

    def _take_attributes(self, found):
        """Keep what User.com listed; lines whose attribute is again as it was go on by themselves.

        :param found: all ``client.Attribute`` of the account.
        """
        self.ensure_one()
        # sudo: attributes are not edited by hand, and their lines follow them.
        account = self.sudo()
        lines = account.env["usercom.mapping"].search([("account_id", "=", account.id)])
        paused = lines.filtered("is_paused")
        account.env["usercom.attribute"]._take(account, found)
        account.attributes_read_at = fields.Datetime.now()
        # What was edited while a line paused has not travelled.
        paused.filtered(lambda line: not line.is_paused)._carry()

    @ormcache("self.id", "kind")
    def _rules(self, kind):
        """The mapping of contacts or companies: the lines that are on and can work.

        :param kind: ``mapping.CONTACT`` or ``mapping.COMPANY``.
        :return: tuple of ``sync.mapping.FieldRule``.
        """
        # sudo: the rules hold for whoever saves a contact.
        lines = self.env["usercom.mapping"].sudo()
        domain = [("account_id", "=", self.id), ("kind", "=", kind), ("active", "=", True)]
        return tuple(line._rule() for line in lines.search(domain) if not line.is_paused)

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

    @api.model
    @ormcache()
    def _captured_fields(self):
        """The fields of a contact whose edits may have to go out, for any account.

        Those of paused lines as well: what was edited meanwhile goes when they are on again. And
        those that decide who takes part.
        """
        # sudo: as above.
        lines = self.env["usercom.mapping"].sudo()
        domain = [("direction", "!=", "in"), ("active", "=", True)]
        paths = lines.search(domain).mapped("odoo_field")
        for account in self.sudo().search([("active", "=", True)]):
            if account._has_clear_filter():
                conditions = Domain(ast.literal_eval(account.participant_domain)).iter_conditions()
                paths += [condition.field_expr for condition in conditions]
        heads = {path.partition(".")[0] for path in paths}
        return frozenset(heads & self.env["res.partner"]._fields.keys())

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

    def _context(self):
        """What converting needs to know besides the values.

        A contact without a country is taken to live where the company is. Names that Odoo
        translates are those of no reader's language.
        """
        self = self.with_context(lang=None)
        company = self.company_id or self.env.company
        return converters.Context(
            email=_address,
            phone=_e164,
            country_codes=self._country_codes(),
            country_names=self._country_names("en_US"),
            states=self._states(),
            state_names=self._state_names(),
            country=company.country_id.code or None,
            timezone=self._responsible().tz or "UTC",
            selections=self._selections(),
        )

    def _selections(self):
        """What the fields take that do not take just anything, of those that values come into.

        :return: field to dict of each value, or name, to what is written for it.
        """
        fields_into = {
            rule.odoo_field: self.env["res.partner"]._fields[rule.odoo_field]
            for kind in (mapping.CONTACT, mapping.COMPANY)
            for rule in self._rules(kind)
            if rule.into
        }
        found = {}
        for name, field in fields_into.items():
            if field.type == "selection":
                found[name] = {value: value for value in field.get_values(self.env)}
            elif field.type == "many2many":
                # By the names that go out (``res.partner._usercom_raw``); the first one counts.
                records = self.env[field.comodel_name].search(Domain.TRUE, order="id desc")
                found[name] = {values.text(record.display_name): record.id for record in records}
        return found

    @api.model
    @ormcache()
    def _country_codes(self):
        """Country codes, and country names in English and all installed languages, to the code.

        :return: dict of case-folded text to upper-case code.
        """
        languages = {lang for lang, _name in self.env["res.lang"].get_installed()} | {"en_US"}
        names = [name for lang in languages for name in self._country_names(lang).items()]
        codes = {code.casefold(): code for code, _name in names}
        return {name.casefold(): code for code, name in names} | codes

    @api.model
    @ormcache("lang")
    def _country_names(self, lang):
        """Country code to name. User.com holds the English ones."""
        countries = self.env["res.country"].with_context(lang=lang)
        found = countries.search_fetch([("code", "!=", False)], ["code", "name"])
        return {country.code: country.name for country in found}

    @api.model
    @ormcache()
    def _state_names(self):
        """ "CC-SS" of a country's state to its name."""
        states = self.env["res.country.state"].search_fetch([("code", "!=", False)])
        return {f"{state.country_id.code}-{state.code}": state.name for state in states}

    @api.model
    @ormcache()
    def _states(self):
        """Country code and case-folded name or code of a state to "CC-SS"."""
        found = {}
        for place, name in self._state_names().items():
            country, _dash, code = place.partition("-")
            found[country, code.casefold()] = found[country, name.casefold()] = place
        return found

    @api.model
    @ormcache()
    def _place_ids(self):
        """Country codes, and "CC-SS" of states, to their records' ids."""
        countries = self.env["res.country"].search_fetch([("code", "!=", False)])
        states = self.env["res.country.state"].search_fetch([("code", "!=", False)])
        return {country.code: country.id for country in countries} | {
            f"{state.country_id.code}-{state.code}": state.id for state in states
        }

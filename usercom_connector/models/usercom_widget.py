import re
from copy import deepcopy

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import hmac, ormcache, str2bool

from .. import client
from ..sync import converters, mapping
from .usercom_account import KEY_LENGTH
from .usercom_consent_confirmation import PAGE

BUNDLE = "usercom_connector.assets_widget"

#: Where people type passwords, nobody looks over their shoulders.
DEFAULT_NOT_PAGES = "/web/login\n/web/signup\n/web/reset_password"


class UsercomAccount(models.Model):
    """The widget of the account's application on web pages: where, for whom, and what it is told.

    A page carries nothing but the settings. Who the visitor is, the page asks for by itself
    (``controllers/usercom_visitor.py``), so that it is in no page that somebody may keep.
    """

    _inherit = "usercom.account"

    widget_on = fields.Boolean("Widget on Web Pages", copy=False, tracking=True)
    widget_key = fields.Char(
        "App Key",
        copy=False,
        tracking=True,
        help="The short key of the widget: six letters and digits, which everybody may know.",
    )
    widget_state = fields.Selection(
        [
            ("hidden", "Hidden"),
            ("simple", "Simple"),
            ("standard", "Standard"),
            ("expanded", "Expanded"),
        ],
        "Looks",
        default="simple",
        required=True,
        help="Hidden: no chat, only what visitors do.",
    )
    widget_consent = fields.Selection(
        [
            ("ask", "When the visitor has accepted cookies"),
            ("given", "At once"),
        ],
        "Starts",
        tracking=True,
        help="At once is right where the visitors' consent is not needed, or was asked elsewhere. "
        "On websites with Odoo's cookies bar it always waits for optional cookies.",
    )
    widget_audience = fields.Selection(
        [
            ("everybody", "Everybody, also who is not signed in"),
            ("signed_in", "Only who is signed in"),
        ],
        "For",
        default="everybody",
        required=True,
        tracking=True,
    )
    widget_group_ids = fields.Many2many(
        "res.groups",
        "usercom_account_widget_group_rel",
        string="Signed-in Members of",
        default=lambda self: self.env.ref("base.group_portal"),
        help="Who is signed in gets the widget as a member of one of these. Empty: whoever.",
    )
    widget_pages = fields.Text(
        "Only on These Pages",
        help="One beginning of an address a line, such as /shop. A single / is the home page. "
        "Empty: all pages.",
    )
    widget_not_pages = fields.Text(
        "Not on These Pages", default=DEFAULT_NOT_PAGES, help="As above. Wins where both name one."
    )

    # === CONSTRAINTS === #

    @api.constrains("widget_on", "widget_key", "widget_consent")
    def _check_widget(self):
        for account in self.filtered("widget_on"):
            if not account.widget_key or not account.widget_consent:
                raise ValidationError(
                    self.env._(
                        "For the widget, enter the app key and say when the widget may start."
                    )
                )

    @api.constrains("widget_pages", "widget_not_pages")
    def _check_widget_pages(self):
        for account in self:
            for page in (*_lines(account.widget_pages), *_lines(account.widget_not_pages)):
                if not re.fullmatch(r"/[^\s?#]*", page):
                    raise ValidationError(
                        self.env._(
                            "%(page)s is no beginning of an address: write each as /shop, one a "
                            "line, without the name of the website.",
                            page=page,
                        )
                    )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._clean_widget_key(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._clean_widget_key(vals)
        result = super().write(vals)
        if any(name.startswith("widget_") or name == "sequence" for name in vals):
            self._forget_cached()
        return result

    @api.model
    def _clean_widget_key(self, vals):
        if not vals.get("widget_key"):
            return
        key = vals["widget_key"].strip()
        # Before anything is stored, and not quoted: it may be a secret in the wrong place.
        if len(key) == KEY_LENGTH:
            raise ValidationError(
                self.env._(
                    "This looks like a REST key, which is secret and must not stand in a web page. "
                    "The app key of the widget has six characters."
                )
            )
        if not re.fullmatch(r"[A-Za-z0-9]{6}", key):
            raise ValidationError(
                self.env._(
                    "An app key has six letters and digits, this one has %(given)s characters. You "
                    "find it in User.com under Settings, Setup & integrations: it is the apiKey of "
                    "the script there.",
                    given=len(key),
                )
            )
        vals["widget_key"] = key

    # === THE PAGE === #

    @api.model
    def _widget_tag(self):
        """What the page that is being rendered says to our script, or nothing.

        The same for everybody who gets it, but for ``asks``: that somebody is signed in.
        """
        found = self._widget_here()
        if not found:
            return None
        _account_id, settings = found
        # Without the nodes that Odoo makes of it, which have inline code in an attribute.
        [url] = self.env["ir.qweb"]._get_asset_links(BUNDLE, css=False, debug=request.session.debug)
        return {
            "url": url,
            "settings": settings
            | {"asks": not self.env.user._is_public(), "prefix": self._widget_prefix()},
        }

    @api.model
    def _widget_here(self):
        """The account of the page or request, and the settings for it, if it has the widget.

        From memory: an anonymous page costs no query.
        """
        if not request or self.env["ir.http"].is_a_bot():
            return None
        if PAGE in request.httprequest.path:
            return None  # the address of that page is the key to it, and the widget would tell it
        # sudo: a parameter; the visitor learns nothing of it.
        if str2bool(self.env["ir.config_parameter"].sudo().get_param("database.is_neutralized"), 0):
            return None
        found = self._widget_at(*self._widget_place())
        if not found:
            return None
        account_id, audience, groups, settings = found
        user = self.env.user
        if user._is_public():
            is_wanted = audience == "everybody"
        else:
            is_wanted = not groups or not groups.isdisjoint(user._get_group_ids())
        return (account_id, settings) if is_wanted else None

    @api.model
    def _widget_place(self):
        """What decides which account a page belongs to: arguments of :meth:`_widget_at`."""
        return (self.env.company.id,)

    @api.model
    @ormcache("company_id", "place")
    def _widget_at(self, company_id, *place):
        # sudo: the visitor may see no account; a page shows the app key alone.
        accounts = self.sudo().search(self._widget_domain(company_id, *place))
        fitting = accounts.filtered(
            lambda account: not account.is_other_database and account._has_usable_subdomain()
        )
        account = fitting._widget_nearest_first()[:1]
        return account and (
            account.id,
            account.widget_audience,
            frozenset(account.widget_group_ids.ids),
            account._widget_settings(*place),
        )

    @api.model
    def _widget_domain(self, company_id):
        return Domain(
            [
                ("widget_on", "=", True),
                ("state", "!=", "draft"),
                ("company_id", "in", [False, company_id]),
            ]
        )

    def _widget_nearest_first(self):
        return self.sorted(lambda account: (not account.company_id, account.sequence, account.id))

    def _widget_settings(self):
        """What is the same on all pages."""
        return {
            "key": self.widget_key,
            "src": f"{client.base_url(self.subdomain)}/widget.js",
            "state": self.widget_state,
            "waits": self.widget_consent != "given",
            "only": _lines(self.widget_pages),
            "not": _lines(self.widget_not_pages),
        }

    @api.model
    def _widget_prefix(self):
        """What stands before the path of a page, where it is not in the default language."""
        is_multilang = getattr(request, "is_frontend_multilang", False)
        return f"/{request.lang.url_code}" if is_multilang else ""

    # === THE VISITOR === #

    @api.model
    def _widget_visitor(self):
        """Who is signed in, for the page that asks.

        :return: ``visitor``, by which the browser notices that it is somebody else, and
            ``civchat``, what User.com is told; nothing of anybody where nobody is signed in.
        """
        found = self._widget_here()
        user = self.env.user
        if not found or user._is_public():
            return {}
        # As the push works, so that the values are its values: not in the visitor's language, nor
        # with the visitor's rights, who may see neither the account nor the binding.
        account = self.with_env(self.env(user=SUPERUSER_ID, context={})).browse(found[0])
        partner = user.partner_id.with_env(account.env)
        told = account._widget_person(partner)
        if "user_id" not in told and request.session.get("usercom_seen_to") != account.id:
            request.session["usercom_seen_to"] = account.id
            account._widget_see_to(partner)
        visitor = hmac(account.env, "usercom_connector.visitor", user.id)[:32]
        return {"visitor": visitor, "civchat": told}

    def _widget_person(self, partner):
        """What the widget is told of a person: nothing that the push would not send.

        As long as User.com does not know the person by our User ID, that is the address alone.
        """
        binding = self._widget_binding(partner)
        if partner._usercom_kind() != mapping.CONTACT or binding.state == "gone":
            return {}
        if not partner._usercom_take_part(self):
            return {}
        user_id = binding._confirmed_id()
        if not binding and not self.create_in_usercom:
            return {}  # an address would make a contact of an anonymous visitor
        told = self._widget_values(partner, binding)
        if not user_id:
            return {name: told[name] for name in ("email",) if name in told}
        told["user_id"] = user_id
        employer = partner.parent_id.filtered("is_company")
        company = self._widget_binding(employer)
        company_id = company._confirmed_id()
        if company_id and employer._usercom_take_part(self):
            told["company"] = self._widget_values(employer, company) | {"company_id": company_id}
        return told

    def _widget_binding(self, partner):
        found = self.env["usercom.binding"]._of_partners(self, partner)
        return found.get(partner.id, self.env["usercom.binding"])

    def _widget_values(self, partner, binding):
        """The values that are marked for web pages, in the form in which the push writes them.

        Not what User.com has refused, nor what waits for a person, nor a blank that was never
        filled.
        """
        snapshot = partner._usercom_snapshots(self)[partner.id]
        held = {conflict.attribute: conflict.odoo_value for conflict in binding.conflict_ids}
        held |= binding.refused or {}
        base = binding.base_odoo or {}
        given = {}
        for rule in snapshot.rules:
            name, value = rule.attribute, snapshot.values.get(rule.attribute)
            is_blank = value is None or (converters.is_blank(rule, value) and name not in base)
            is_held = name in held and held[name] == value
            if rule.on_web and rule.out and not is_blank and not is_held:
                given[name] = value
        plain = converters.payload(snapshot.rules, given, snapshot.context)
        body = partner._usercom_payload(self, deepcopy(plain)) if plain else plain
        return {name: body[name] for name in plain if name in body}

    def _widget_see_to(self, partner):
        """Have the push give User.com the User ID of somebody who is on the website.

        Waits for nobody: a binding that is being worked on is marked at the next visit.
        """
        binding = self._widget_binding(partner)
        if binding.send_custom_id and not binding.is_awaited and binding._locked():
            binding.is_awaited = True
        partner._usercom_enqueue(self)


def _lines(text):
    return [line.strip() for line in (text or "").splitlines() if line.strip()]

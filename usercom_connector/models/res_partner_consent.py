from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..sync import consent
from .usercom_consent_standing import HINDERED, NEVER, OPEN

#: Fields of a contact about the first e-mail purpose to the column of ``standing._sql``.
EMAIL_COLUMNS = {"usercom_email_standing": "standing", "usercom_email_since": "happened_at"}
#: Lists of purposes to the standing that they are about.
PURPOSE_LISTS = {
    "usercom_open_purpose_ids": OPEN,
    "usercom_withdrawn_purpose_ids": consent.WITHDRAWN,
}


class ResPartner(models.Model):
    """What the contact's form, card and list show of consents."""

    _inherit = "res.partner"

    usercom_consent_lines = fields.Json(
        "Consents", compute="_compute_usercom_consent_lines", groups="base.group_user"
    )
    usercom_email_standing = fields.Selection(
        [
            (OPEN, "May be e-mailed"),
            (HINDERED, "Given, but blocked"),
            (consent.PENDING, "Waits for confirmation"),
            (consent.WITHDRAWN, "Withdrawn"),
            (NEVER, "Never asked"),
        ],
        "E-mail Marketing",
        compute="_compute_usercom_standings",
        search="_search_usercom_email_standing",
        groups="base.group_user",
        help="Blocked: on Odoo's blacklist, or mail did not arrive there.",
    )
    usercom_email_since = fields.Datetime(
        "E-mail Consent Since",
        compute="_compute_usercom_standings",
        search="_search_usercom_email_since",
        groups="base.group_user",
        help="When the person agreed to e-mail marketing, or withdrew.",
    )
    usercom_open_purpose_ids = fields.Many2many(
        "usercom.consent.purpose",
        string="May Be Contacted For",
        compute="_compute_usercom_standings",
        search="_search_usercom_open_purposes",
        groups="base.group_user",
    )
    usercom_withdrawn_purpose_ids = fields.Many2many(
        "usercom.consent.purpose",
        string="Withdrew",
        compute="_compute_usercom_standings",
        search="_search_usercom_withdrawn_purposes",
        groups="base.group_user",
    )

    # === COMPUTE METHODS === #

    @api.depends_context("lang", "tz", "uid")
    @api.depends("email", "phone", "country_id", "is_company", "usercom_consent_event_ids")
    def _compute_usercom_consent_lines(self):
        purposes = self.env["usercom.consent.standing"]._purposes()
        people = self.filtered(lambda partner: not partner.is_company)
        # sudo: as in _compute_usercom_email_consent
        standing = self.env["usercom.consent.standing"].sudo()
        standings = standing._of(people, purposes)
        writable = self._origin.sudo(False)._filtered_access("write")
        may_create = self.sudo(False).has_access("create")
        for partner in self:
            may_record = partner._origin in writable if partner._origin else may_create
            found = standings.get(partner.id, {})
            partner.usercom_consent_lines = standing._lines(
                partner.sudo(), [(p, found[p.id]) for p in purposes if found], may_record
            )

    @api.depends("email", "phone", "country_id", "usercom_consent_event_ids")
    def _compute_usercom_standings(self):
        purposes = self.env["usercom.consent.standing"]._purposes()
        email = purposes._email()
        # sudo: as in _compute_usercom_email_consent
        standing = self.env["usercom.consent.standing"].sudo()
        standings = standing._of(self, purposes | email)
        for partner in self:
            found = standings[partner.id]
            by_name = {}
            for purpose in purposes:
                state, _event, hindrance = found[purpose.id]
                by_name.setdefault(standing._name_of(state, hindrance), []).append(purpose.id)
            for field, name in PURPOSE_LISTS.items():
                partner[field] = purposes.browse(by_name.get(name))
            state, event, hindrance = found[email.id]
            partner.usercom_email_standing = standing._name_of(state, hindrance)
            partner.usercom_email_since = event.happened_at

    # === SEARCH METHODS === #

    def _search_usercom_email_standing(self, operator, value):
        if operator != "in":
            return NotImplemented
        email = self.env["usercom.consent.purpose"]._email()
        domain = self._usercom_standing_domain(email, SQL("standing IN %s", tuple(value) or ("",)))
        if NEVER in value or False in value:
            domain |= ~self._usercom_standing_domain(email, SQL("TRUE"))
        return domain

    def _search_usercom_email_since(self, operator, value):
        email = self.env["usercom.consent.purpose"]._email()
        if operator in (">", ">=", "<", "<="):
            compare = SQL(f"happened_at {operator} %s", value)  # pylint: disable=sql-injection
            return self._usercom_standing_domain(email, compare)
        if operator != "in":
            return NotImplemented
        dates = tuple(date for date in value if date) or (None,)
        domain = self._usercom_standing_domain(email, SQL("happened_at IN %s", dates))
        if False in value:
            domain |= ~self._usercom_standing_domain(email, SQL("happened_at IS NOT NULL"))
        return domain

    def _search_usercom_open_purposes(self, operator, value):
        return self._usercom_search_purposes(OPEN, operator, value)

    def _search_usercom_withdrawn_purposes(self, operator, value):
        return self._usercom_search_purposes(consent.WITHDRAWN, operator, value)

    def _usercom_search_purposes(self, standing, operator, value):
        if operator in Domain.NEGATIVE_OPERATORS:
            return NotImplemented
        every = self.env["usercom.consent.standing"]._purposes()
        domain = Domain.FALSE
        if operator == "in":
            purposes = every.browse(number for number in value if number)
            if False in value:
                is_any = SQL("standing = %s", standing)
                domain |= ~self._usercom_standing_domain(every, is_any)
        elif operator in ("any", "any!"):
            purposes = every.search(value if isinstance(value, Domain) else [("id", "in", value)])
        else:
            purposes = every.search([("display_name", operator, value)])
        return domain | self._usercom_standing_domain(purposes, SQL("standing = %s", standing))

    def _usercom_standing_domain(self, purposes, condition):
        # sudo: as in _compute_usercom_email_consent
        rows = self.env["usercom.consent.standing"].sudo()._sql(purposes)
        found = SQL("(SELECT contact_id FROM (%s) AS standing WHERE %s)", rows, condition)
        return Domain("id", "in", found)

    # === GROUPING AND ORDERING === #

    def _field_to_sql(self, alias, field_expr, query=None):
        column = EMAIL_COLUMNS.get(field_expr)
        if not column or query is None:
            return super()._field_to_sql(alias, field_expr, query)
        self._check_field_access(self._fields[field_expr], "read")
        email = self.env["usercom.consent.purpose"]._email()
        joined = self._usercom_join_standing(alias, "usercom_email", email, None, query)
        if column == "standing":
            return SQL("COALESCE(%s, %s)", SQL.identifier(joined, column), NEVER)
        return SQL.identifier(joined, column)

    def _read_group_groupby(self, alias, groupby_spec, query):
        standing = PURPOSE_LISTS.get(groupby_spec)
        if not standing:
            return super()._read_group_groupby(alias, groupby_spec, query)
        self._check_field_access(self._fields[groupby_spec], "read")
        purposes = self.env["usercom.consent.standing"]._purposes()
        joined = self._usercom_join_standing(alias, groupby_spec, purposes, standing, query)
        return SQL.identifier(joined, "purpose_id")

    def _usercom_join_standing(self, alias, name, purposes, standing, query):
        """Join the standings to a query about contacts, and say under which name they stand."""
        joined = query.make_alias(alias, name)
        rows = self.env["usercom.consent.standing"].sudo()._sql(purposes)  # sudo: as above
        condition = SQL(
            "%s = %s", SQL.identifier(joined, "contact_id"), SQL.identifier(alias, "id")
        )
        if standing:
            condition = SQL(
                "%s AND %s = %s", condition, SQL.identifier(joined, "standing"), standing
            )
        query.add_join("LEFT JOIN", joined, SQL("(%s)", rows), condition)
        return joined

    # === ACTIONS === #

    def usercom_action_consent_history(self, purpose_id):
        """All that counts for this contact, about one purpose: also a "no" of somebody else there.

        Called by the widget with the consents.
        """
        self.ensure_one()
        self.check_access("read")
        purpose = self.env["usercom.consent.purpose"].browse(purpose_id)
        domain = Domain("partner_id", "=", self.id)
        if address := purpose._address_of(self):
            domain |= Domain("address", "=", address) & Domain("state", "=", consent.WITHDRAWN)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._(
                "%(purpose)s: %(contact)s", purpose=purpose.name, contact=self.display_name
            ),
            "res_model": "usercom.consent.event",
            "views": [
                (
                    self.env.ref(f"usercom_connector.usercom_consent_event_view_{kind}_contact").id,
                    kind,
                )
                for kind in ("list", "kanban")
            ],
            "domain": list(domain & Domain("purpose_id", "=", purpose_id)),
            "mobile_view_mode": "kanban",
            "context": {"create": False, "edit": False, "delete": False},
            "target": "current",
        }

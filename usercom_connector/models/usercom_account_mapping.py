import ast
import time

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import ormcache

from .. import client
from ..sync import mapping, pacing
from .usercom_account import CLICK_SECONDS


class UsercomAccount(models.Model):
    """Which fields travel, and the attributes in User.com that they are mapped to."""

    _inherit = "usercom.account"

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

    # === ACTION METHODS === #

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
        return self._action_dialog("usercom.mapping", self.env._("New Field"), self.env.context)

    def action_carry(self):
        """Open the dialog that says how many contacts a new or changed line concerns."""
        return self._action_dialog("usercom.carry", self.env._("Carry to existing contacts"), {})

    def action_try_mapping(self):
        """Open the dialog that shows what the mapping makes of one contact."""
        name, context = self.env._("Try It on a Contact"), {"dialog_size": "extra-large"}
        return self._action_dialog("usercom.trial", name, context)

    def action_open_attributes(self):
        """The attributes of this account, as they were last read."""
        name = self.env._("Attributes")
        return self._action_open("usercom.attribute", name, [("account_id", "in", self.ids)])

    # === BUSINESS METHODS === #

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

import re
import time

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from .. import client
from ..sync import consent, mapping, pairs
from ..sync.pacing import BULK, CONSENT
from ..tools import field_path
from .usercom_account import CLICK_SECONDS
from .usercom_attribute import CONTENT_TYPES, OWN_KEYS

#: The longest name of an attribute (usercom-api.md, section 1.7).
LONGEST_NAME = 32

#: So many choices an attribute is created with, at most.
MOST_CHOICES = 100

#: A change of one of these makes the line do something else for contacts that are linked already.
RULES = frozenset(
    {
        *("active", "odoo_field", "attribute_id", "direction", "removals", "too_long", "unknown"),
    }
)

#: What a person agreed to, and who a contact is, have rules of their own.
CONSENT_ATTRIBUTES = frozenset({consent.UNSUBSCRIBED, "notifications"})
IDENTITY_ATTRIBUTES = frozenset({"id", "custom_id", "user_key", "company_id", "company_custom_id"})

#: What every new account begins with: Odoo field, attribute, and what differs from the defaults.
DEFAULT_LINES = {
    mapping.CONTACT: (
        ("name", "name", {"removals": False, "on_web": True}),
        ("email", "email", {"on_web": True}),
        ("phone", "phone_number", {}),
        ("city", "city", {}),
        ("state_id", "region", {}),
        ("country_id", "country", {}),
    ),
    mapping.COMPANY: (
        ("name", "name", {"removals": False, "on_web": True}),
        ("email", "email", {}),
        ("phone", "phone_numbers", {"direction": "out"}),
        ("street", "address", {"direction": "out"}),
        ("zip", "postal_code", {}),
        ("city", "city", {}),
        ("state_id", "region", {}),
        ("country_id", "country", {}),
    ),
}

#: What is created in User.com for a field of this type; everything else is text.
TYPES = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "float": "float",
    "integer": "integer",
    "monetary": "float",
}


class UsercomMapping(models.Model):
    """A pair of an Odoo field and an attribute, and the rules by which values travel.

    A line that cannot work pauses alone: ``problem`` says why, and the others go on.
    """

    _name = "usercom.mapping"
    _description = "User.com Mapping Line"
    _order = "kind desc, sequence, id"

    account_id = fields.Many2one(
        "usercom.account", required=True, index=True, ondelete="cascade", readonly=True
    )
    sequence = fields.Integer(default=100)
    active = fields.Boolean("On", default=True)
    kind = fields.Selection(
        [(mapping.CONTACT, "Contacts"), (mapping.COMPANY, "Companies")],
        "Of",
        required=True,
        readonly=True,
        default=mapping.CONTACT,
    )
    partner_model = fields.Char(compute="_compute_partner_model")
    odoo_field = fields.Char(required=True)
    odoo_label = fields.Char("Field in Odoo", compute="_compute_odoo_label")
    attribute_id = fields.Many2one(
        "usercom.attribute",
        "Attribute in User.com",
        domain="[('account_id', '=', account_id), ('kind', '=', kind), ('state', '=', 'present'), "
        "('mapping_ids', 'in', [False, id])]",
        ondelete="restrict",
        index="btree_not_null",
        copy=False,
    )
    value_type = fields.Char(related="attribute_id.value_type")
    limit = fields.Integer(related="attribute_id.limit")
    direction = fields.Selection(
        [("both", "Both ways"), ("out", "To User.com"), ("in", "To Odoo")],
        required=True,
        default="both",
    )
    winner = fields.Selection(
        [
            (mapping.ODOO_WINS, "Odoo"),
            (mapping.USERCOM_WINS, "User.com"),
            (mapping.ASK, "Ask a person"),
        ],
        "If Both Changed",
        required=True,
        default=mapping.ODOO_WINS,
        help="Whose value counts when both sides changed it since they last agreed.",
    )
    removals = fields.Boolean(
        "Removals Travel",
        default=True,
        help="A value that somebody removes on one side is removed on the other. "
        "A field that was never filled removes nothing.",
    )
    too_long = fields.Selection(
        [(mapping.CUT, "Cut it, with a mark"), (mapping.PARK, "Do not send it, and say so")],
        "Too Long a Text",
        required=True,
        default=mapping.CUT,
    )
    unknown = fields.Selection(
        [(mapping.SKIP, "Does not travel"), (mapping.KEEP, "Travels as it is")],
        "A Value Not in the Table",
        required=True,
        default=mapping.SKIP,
    )
    on_web = fields.Boolean(
        "On Web Pages",
        help="The widget on web pages gives this value of a signed-in person, or of their company. "
        "What was edited in User.com a moment ago may be overwritten by it.",
    )
    choice_ids = fields.One2many("usercom.mapping.choice", "mapping_id", "Values", copy=True)
    has_choices = fields.Boolean(compute="_compute_pair")
    converter = fields.Char(compute="_compute_pair")
    converter_name = fields.Char("Conversion", compute="_compute_pair")
    refusal = fields.Text(compute="_compute_pair")
    agreed = fields.Json(readonly=True, help="The attribute as it was when it was chosen.")
    problem_code = fields.Char(compute="_compute_problem")
    problem = fields.Text("Paused Because", compute="_compute_problem")
    is_paused = fields.Boolean("Paused", compute="_compute_problem")
    to_carry = fields.Boolean(
        readonly=True, copy=False, help="Contacts linked earlier have not been looked at since."
    )

    _attribute_uniq = models.Constraint(
        "UNIQUE(attribute_id)",
        "This attribute has a line already. Each attribute is filled by one Odoo field.",
    )
    _into_uniq = models.UniqueIndex(
        "(account_id, kind, odoo_field) WHERE active AND direction <> 'out'",
        "Another line already brings values into this Odoo field. Only one can; let the others go "
        "to User.com only.",
    )

    # === COMPUTE METHODS === #

    def _compute_partner_model(self):
        self.partner_model = "res.partner"

    @api.depends("odoo_field")
    @api.depends_context("lang")
    def _compute_odoo_label(self):
        for line in self:
            try:
                found = field_path.resolve(self.env, line.odoo_field)
            except field_path.FieldPathError:
                line.odoo_label = line.odoo_field
            else:
                line.odoo_label = found.label(self.env)

    @api.depends("odoo_field", "direction", "attribute_id.value_type", "attribute_id.multiple")
    @api.depends_context("lang")
    def _compute_pair(self):
        sentence = self.env["usercom.sentence"]
        for line in self:
            refusal = line._refusal() if line.odoo_field else None
            line.refusal = sentence._of(*refusal) if refusal else False
            verdict = line._verdict()
            line.converter = verdict.converter if verdict else False
            line.converter_name = sentence._converter_name(line.converter)
            line.has_choices = bool(verdict) and (
                verdict.converter == "choice" or line.attribute_id.value_type == "fixed"
            )

    @api.depends(
        "odoo_field",
        "kind",
        "direction",
        "agreed",
        "attribute_id.name",
        "attribute_id.name_std",
        "attribute_id.value_type",
        "attribute_id.multiple",
        "attribute_id.state",
    )
    @api.depends_context("lang")
    def _compute_problem(self):
        sentence = self.env["usercom.sentence"]
        for line in self:
            code, facts = line._trouble() or (False, {})
            line.problem_code = code
            line.problem = sentence._of(code, facts)
            line.is_paused = bool(code)

    @api.depends("odoo_field", "attribute_id")
    def _compute_display_name(self):
        for line in self:
            line.display_name = f"{line.odoo_label} - {line.attribute_id.name or '?'}"

    # === ONCHANGE METHODS === #

    @api.onchange("odoo_field", "attribute_id")
    def _onchange_pair(self):
        """Choose what can work: out only where nothing can be written, and the value table."""
        if self.direction != "out" and self.odoo_field and not self._may_come_in():
            self.direction = "out"
        if self.has_choices and not self.choice_ids:
            self.choice_ids = self._proposed_choices()

    # === CONSTRAINTS === #

    @api.constrains("account_id", "kind", "odoo_field", "attribute_id", "direction")
    def _check_pair(self):
        for line in self:
            if refusal := line._refusal():
                raise ValidationError(self.env["usercom.sentence"]._of(*refusal))
            attribute = line.attribute_id
            if attribute and (attribute.account_id, attribute.kind) != (line.account_id, line.kind):
                raise ValidationError(
                    self.env._("The attribute belongs to something else. Choose one of the list.")
                )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        lines._forget_bases()
        lines._agree()
        lines._note_change()
        return lines

    def write(self, vals):
        moved = self.filtered(
            lambda line: (
                line.odoo_field != vals.get("odoo_field", line.odoo_field)
                or line.attribute_id.id != vals.get("attribute_id", line.attribute_id.id)
            )
        )
        opened = self.filtered(
            lambda line: line.direction == "out" and vals.get("direction", "out") != "out"
        )
        if moved or vals.get("direction", "both") != "both" or not vals.get("active", True):
            self._conflicts().unlink()  # there is nothing to decide any more
        result = super().write(vals)
        moved._forget_bases()
        opened._forget_bases(SQL("base_usercom"))
        if vals.get("winner", mapping.ASK) != mapping.ASK:
            self._conflicts()._look_again()  # the rule decides now
        if "attribute_id" in vals:
            self._agree()
        if RULES & vals.keys():
            self._note_change()
        elif vals.keys() & {"winner", "agreed", "on_web"}:
            self.env["usercom.account"]._forget_cached()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_forgets(self):
        self._conflicts().unlink()
        self.account_id._retry_parked_by_mapping()
        self.env["usercom.account"]._forget_cached()

    def _agree(self):
        for line in self:
            line.agreed = line.attribute_id._signature() if line.attribute_id else False

    def _forget_bases(self, *columns):
        """Let the attributes of these lines and their fields meet for the first time.

        What is remembered is of another field, or of another attribute with the same key: compared
        with it, a blank that was never filled would count as a removal. Of a line that lets values
        come in from now on, User.com's half alone is forgotten: what was edited there meanwhile
        counts as an edit.
        """
        columns = columns or (SQL("base_odoo"), SQL("base_usercom"))
        bindings = self.env["usercom.binding"]
        bindings.flush_model()
        for line in self.filtered("attribute_id"):
            if line.account_id._has_bindings():
                self.env.cr.execute(
                    SQL(
                        """
                        UPDATE usercom_binding
                           SET %(forgotten)s, revision = revision + 1
                         WHERE account_id = %(account)s AND kind = %(kind)s AND state <> 'seen'
                           AND (base_odoo ? %(name)s OR base_usercom ? %(name)s)
                        """,
                        forgotten=SQL(", ").join(
                            SQL("%s = %s - %s", column, column, line.attribute_id.name_std)
                            for column in columns
                        ),
                        name=line.attribute_id.name_std,
                        account=line.account_id.id,
                        kind=line.kind,
                    )
                )
        bindings.invalidate_model(["base_odoo", "base_usercom", "revision"], flush=False)

    def _note_change(self):
        for account in self.account_id:
            lines = self.filtered(lambda line, account=account: line.account_id == account)
            attributes = []
            if account._has_bindings():
                lines.filtered("active").write({"to_carry": True})
                attributes = lines.attribute_id.mapped("name_std")
            account._retry_parked_by_mapping(attributes)
        self.env["usercom.account"]._forget_cached()

    # === ACTION METHODS === #

    def action_acknowledge(self):
        """Take the attribute as it is now. What changed meanwhile is carried on request."""
        self.ensure_one()
        self._agree()
        self._check_pair()
        self._note_change()
        return self.account_id.action_carry() if self.account_id.has_to_carry else True

    def action_fill_choices(self):
        """Propose pairs for all values that the table does not have yet."""
        self.ensure_one()
        self.choice_ids = self._proposed_choices()
        return self._reopen()

    def action_create_attribute(self):
        """Create an attribute for the chosen field in User.com, of the right type.

        Calls within the request's transaction, because somebody clicked and waits. Repeated, it
        creates no second one: User.com refuses the name, and the one that is there is taken.
        """
        self.ensure_one()
        if self.attribute_id:
            raise UserError(self.env._("This line has an attribute already."))
        wanted = self._wanted_attribute()
        account = self.account_id
        try:
            with account._client() as usercom:
                usercom = usercom.within(time.monotonic() + CLICK_SECONDS, CONSENT)
                try:
                    created = usercom.create_attribute(
                        content_type=CONTENT_TYPES[self.kind], **wanted
                    )
                except client.RecordRefused as error:
                    account._refresh_attributes(usercom)
                    attribute = self._unused_attribute(wanted)
                    if not attribute:
                        raise UserError(
                            self.env["usercom.sentence"]._say_attribute_refused(
                                name=wanted["name"], fields=error.fields
                            )
                        ) from error
                else:
                    attribute = self._keep_created(created, wanted)
        except client.UserComError as error:
            raise UserError(self.env["usercom.sentence"]._of(str(error.kind))) from error
        except ValueError as error:
            code = account._address_trouble()
            raise UserError(self.env["usercom.sentence"]._of(code)) from error
        self.attribute_id = attribute
        if self.has_choices and not self.choice_ids:
            self.choice_ids = self._proposed_choices()
        return self._reopen()

    def _keep_created(self, created, wanted):
        # sudo: nobody edits attributes by hand; this one was just made in User.com.
        attributes = self.env["usercom.attribute"].sudo()
        vals = attributes._vals_of(created)
        # What the answer does not tell is as we asked for it.
        vals["kind"] = self.kind
        vals["choices"] = vals.get("choices") or list(wanted["choices"])
        vals["multiple"] = vals.get("multiple") or wanted["multiple"]
        return attributes.create(vals | {"account_id": self.account_id.id}).sudo(False)

    def _unused_attribute(self, wanted):
        return self.env["usercom.attribute"].search(
            [
                ("account_id", "=", self.account_id.id),
                ("kind", "=", self.kind),
                ("name", "=", wanted["name"]),
                ("value_type", "=", wanted["value_type"]),
                ("state", "=", "present"),
                ("mapping_ids", "=", False),
            ],
            limit=1,
        )

    def _wanted_attribute(self):
        """What to ask User.com for: arguments of ``client.UserCom.create_attribute``.

        What can only go out of a field of this type goes out only from then on.
        """
        sentence = self.env["usercom.sentence"]
        try:
            found = field_path.resolve(self.env, self.odoo_field)
        except field_path.FieldPathError as error:
            raise UserError(sentence._of(error.code, error.facts)) from error
        field = found.last
        value_type, choices, multiple = TYPES.get(field.type, "string"), (), False
        if field.type == "selection":
            choices = tuple(dict(field._description_selection(self.env)).values())
        elif field.type == "many2many" and self.direction != "out":
            # With more than a person would look through, it is a text that goes out only.
            names = self.env[field.comodel_name].search([], limit=MOST_CHOICES + 1)
            if len(names) <= MOST_CHOICES:
                choices, multiple = tuple(names.mapped("display_name")), True
        if choices:
            value_type = "fixed"
        verdict = pairs.judge(field.type, value_type, multiple=multiple, comodel=field.comodel_name)
        if not verdict.converter:
            facts = {"path": self.odoo_field, "odoo_type": field.type, "value_type": value_type}
            raise UserError(sentence._of(verdict.reason, facts))
        if not verdict.into:
            self.direction = "out"
        label = " ".join(part._description_string(self.env) for part in found.fields)
        key = re.sub(r"\W+", "_", label.lower()).strip("_")
        consents = set(self.account_id.consent_attribute_ids.mapped("name"))
        if key in OWN_KEYS[self.kind] | CONSENT_ATTRIBUTES | IDENTITY_ATTRIBUTES | consents:
            label = f"Odoo {label}"  # under its key User.com has a field of its own
        return {
            "name": label[:LONGEST_NAME].strip(),
            "value_type": value_type,
            "choices": choices,
            "multiple": multiple,
        }

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Field"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
        }

    # === BUSINESS METHODS === #

    @api.model
    def _create_default(self, accounts):
        """Give accounts the lines that work without anybody touching them."""
        vals_list = []
        for account in accounts:
            attributes = {
                (attribute.kind, attribute.name_std): attribute.id
                for attribute in self.env["usercom.attribute"].search(
                    [("account_id", "=", account.id), ("is_standard", "=", True)]
                )
            }
            for kind, lines in DEFAULT_LINES.items():
                for sequence, (odoo_field, attribute, vals) in enumerate(lines, start=1):
                    vals_list.append(
                        {
                            "account_id": account.id,
                            "kind": kind,
                            "sequence": 10 * sequence,
                            "odoo_field": odoo_field,
                            "attribute_id": attributes[kind, attribute],
                            "too_long": mapping.PARK,
                            **vals,
                        }
                    )
        self.create(vals_list)

    def _verdict(self):
        """What becomes of this pair of types, ``None`` while it is not known which pair."""
        if not self.odoo_field or not self.attribute_id:
            return None
        try:
            field = field_path.resolve(self.env, self.odoo_field).last
        except field_path.FieldPathError:
            return None
        return pairs.judge(
            field.type,
            self.attribute_id.value_type,
            multiple=self.attribute_id.multiple,
            comodel=field.comodel_name,
        )

    def _carries_consent(self):
        # sudo: whoever edits a line need not be allowed to see what the account is set up for.
        lines = self.account_id.sudo().with_context(active_test=False).consent_attribute_ids
        return self.attribute_id.name_std in {*CONSENT_ATTRIBUTES, *lines.mapped("name")}

    def _refusal(self):
        """Why this line cannot be: code and facts for ``usercom.sentence``, or ``None``."""
        try:
            found = field_path.resolve(self.env, self.odoo_field)
            if self.direction != "out":
                field_path.check_writable(found, self.odoo_field)
        except field_path.FieldPathError as error:
            return error.code, error.facts
        if self._carries_consent():
            return "map_consent", {"path": self.attribute_id.name_std}
        if self.attribute_id.name_std in IDENTITY_ATTRIBUTES:
            return "map_identity", {"path": self.attribute_id.name_std}
        if self.attribute_id and self.direction != "in" and not self.attribute_id.writable:
            return "map_out_unwritable", {"name": self.attribute_id.name}
        if self.attribute_id and self.direction != "out" and not self.attribute_id.readable:
            return "map_into_unreadable", {"name": self.attribute_id.name}
        verdict = self._verdict()
        if verdict is None:
            return None
        if not verdict.converter or (self.direction != "out" and not verdict.into):
            return verdict.reason, {
                "path": self.odoo_field,
                "odoo_type": found.last.type,
                "value_type": self.attribute_id.value_type,
            }
        return None

    def _may_come_in(self):
        try:
            found = field_path.resolve(self.env, self.odoo_field)
            field_path.check_writable(found, self.odoo_field)
        except field_path.FieldPathError:
            return False
        verdict = self._verdict()
        return verdict is None or (verdict.into and self.attribute_id.readable)

    def _trouble(self):
        """Why this line pauses: code and facts for ``usercom.sentence``, or ``None``."""
        attribute = self.attribute_id
        if not attribute:
            return "map_no_attribute", {}
        return self._change_there() or self._refusal()

    def _change_there(self):
        """What became of the attribute in User.com since it was chosen: code and facts."""
        attribute = self.attribute_id
        if attribute.is_standard:
            return None
        if attribute.state == "gone":
            return "attribute_gone", {"name": attribute.name}
        now = attribute._signature()
        # One that was just chosen, and not saved yet, is taken as it is.
        is_new = not self.agreed or self._origin.attribute_id != attribute._origin
        agreed = now if is_new else self.agreed
        if (now["value_type"], now["multiple"]) != (
            agreed.get("value_type"),
            agreed.get("multiple"),
        ):
            return "attribute_retyped", {"before": agreed, "now": now}
        if now != agreed:
            return "attribute_renamed", {"before": agreed, "now": now}
        return None

    def _proposed_choices(self):
        """Commands that add a pair for each value that has none, matched by name."""
        field = field_path.resolve(self.env, self.odoo_field).last
        theirs = {choice.casefold(): choice for choice in self.attribute_id.choices or ()}
        if field.type == "selection":
            ours = dict(field._description_selection(self.env))
        elif field.type == "boolean":
            ours = {"yes": self.env._("Yes"), "no": self.env._("No")}
        else:
            ours = {choice: choice for choice in theirs.values()}
        known = set(self.choice_ids.mapped("odoo_value"))
        return [
            fields.Command.create(
                {
                    "odoo_value": value,
                    "usercom_value": theirs.get(label.casefold())
                    or theirs.get(str(value).casefold())
                    or (False if theirs else label),
                }
            )
            for value, label in ours.items()
            if value not in known
        ]

    def _rule(self):
        """The line as the plain rule that the engine goes by."""
        field = field_path.resolve(self.env, self.odoo_field).last
        attribute = self.attribute_id
        return mapping.FieldRule(
            attribute=attribute.name_std,
            odoo_field=self.odoo_field,
            odoo_type=field.type,
            value_type=attribute.value_type,
            converter=self._verdict().converter,
            out=self.direction != "in",
            into=self.direction != "out",
            winner=self.winner,
            removals=self.removals,
            limit=attribute.limit or None,
            too_long=self.too_long,
            choices=tuple(
                (choice.odoo_value, choice.usercom_value or "") for choice in self.choice_ids
            ),
            unknown=self.unknown,
            multiple=attribute.multiple,
            on_web=self.on_web,
            line_id=self.id,
        )

    def _conflicts(self):
        """What waits for a decision about the fields of these lines."""
        # sudo: conflicts are not edited by hand, and whoever may edit the line may do this.
        domain = Domain.OR(
            Domain("account_id", "=", line.account_id.id)
            & Domain("binding_id.kind", "=", line.kind)
            & Domain("attribute", "=", line.attribute_id.name_std)
            for line in self
            if line.attribute_id
        )
        return self.env["usercom.conflict"].sudo().search(domain)

    # === CARRYING TO EXISTING CONTACTS === #

    def _linked(self):
        """The linked contacts that these lines are about, as SQL after a ``FROM``."""
        self.env["usercom.binding"].flush_model()
        return SQL(
            """
            usercom_binding
             WHERE (account_id, kind) IN %s AND partner_id IS NOT NULL AND state <> 'gone'
            """,
            tuple({(line.account_id.id, line.kind) for line in self}),
        )

    def _count_linked(self):
        """How many linked contacts these lines are about."""
        if not self:
            return 0
        [(count,)] = self.env.execute_query(SQL("SELECT count(*) FROM %s", self._linked()))
        return count

    def _carry(self):
        """Look again at all linked contacts that these lines are about.

        One statement for each queue, however many contacts there are.
        """
        changes, pings = self.env["usercom.change"], self.env["usercom.ping"]
        if outgoing := self.filtered(lambda line: line.direction != "in"):
            linked = SQL("SELECT account_id, partner_id FROM %s", outgoing._linked())
            changes._append_all(linked, BULK)
            changes._wake()
        # A ping's number is that of a contact: companies are read by no ping.
        if incoming := self.filtered(
            lambda line: line.direction != "out" and line.kind == mapping.CONTACT
        ):
            linked = SQL(
                "SELECT account_id, 'id', usercom_id FROM %s AND usercom_id IS NOT NULL",
                incoming._linked(),
            )
            pings._append_all(linked, BULK)
            pings._wake()
        into_companies = self.filtered(
            lambda line: line.direction != "out" and line.kind == mapping.COMPANY
        )
        into_companies.account_id._list_companies_soon()
        self.filtered("to_carry").write({"to_carry": False})

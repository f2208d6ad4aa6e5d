import logging
from functools import partial

import psycopg2
from odoo import api, fields, models

from .. import client
from ..sync import mapping
from ..sync.attributes import LONGEST_TEXT, STANDARD

_logger = logging.getLogger(__name__)

#: User.com's word for what an attribute belongs to, and ours (usercom-api.md, section 1.7).
KINDS = {"clientuser": mapping.CONTACT, "company": mapping.COMPANY}
CONTENT_TYPES = {kind: content_type for content_type, kind in KINDS.items()}

#: What has a meaning of its own in User.com, whether it may be mapped or not.
OWN_KEYS = {mapping.CONTACT: client.CONTACT_FIELDS, mapping.COMPANY: client.COMPANY_FIELDS}


class UsercomAttribute(models.Model):
    """A field of User.com's contacts or companies, as it was when the list was last read.

    Standard ones are known beforehand, custom ones are read from User.com. Nobody edits them here.
    """

    _name = "usercom.attribute"
    _description = "User.com Attribute"
    _order = "kind desc, is_standard, name, id"
    _rec_names_search = ["name", "name_std"]

    account_id = fields.Many2one(
        "usercom.account", required=True, index=True, ondelete="cascade", readonly=True
    )
    kind = fields.Selection(
        [(mapping.CONTACT, "Contacts"), (mapping.COMPANY, "Companies")],
        "Of",
        required=True,
        readonly=True,
    )
    name = fields.Char(required=True, readonly=True)
    name_std = fields.Char("Key", required=True, readonly=True)
    value_type = fields.Char("Type", required=True, readonly=True)
    choices = fields.Json("Stored Choices", readonly=True)
    choice_list = fields.Char("Choices", compute="_compute_choice_list")
    multiple = fields.Boolean("Several Choices", readonly=True)
    limit = fields.Integer(
        "Longest Text", readonly=True, help="So many characters at most; 0: no limit."
    )
    readable = fields.Boolean(
        default=True, readonly=True, help="A read shows what was written, so it may come in."
    )
    writable = fields.Boolean(default=True, readonly=True)
    is_standard = fields.Boolean("Standard", readonly=True)
    usercom_number = fields.Integer(readonly=True, help="User.com's own number.")
    state = fields.Selection(
        [("present", "There"), ("gone", "Gone")], required=True, default="present", readonly=True
    )
    mapping_ids = fields.One2many(
        "usercom.mapping", "attribute_id", readonly=True, context={"active_test": False}
    )

    _number_uniq = models.UniqueIndex(
        "(account_id, usercom_number) WHERE is_standard IS NOT TRUE",
        "The list of attributes was being read already. Try again.",
    )
    _standard_uniq = models.UniqueIndex(
        "(account_id, kind, name_std) WHERE is_standard",
        "An account has each standard attribute once.",
    )

    @api.depends("choices")
    def _compute_choice_list(self):
        for attribute in self:
            attribute.choice_list = ", ".join(attribute.choices or ())

    @api.depends("name", "name_std")
    def _compute_display_name(self):
        for attribute in self:
            attribute.display_name = (
                attribute.name
                if attribute.is_standard
                else f"{attribute.name} ({attribute.name_std})"
            )

    def write(self, vals):
        result = super().write(vals)
        self.env["usercom.account"]._forget_cached()
        self.mapping_ids.account_id._retry_parked_by_mapping()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_forgets(self):
        self.env["usercom.account"]._forget_cached()

    # === WHAT USER.COM HAS === #

    def _signature(self):
        """What a mapping line was set up for: another one of these, and it wants a look."""
        return {
            "name": self.name,
            "name_std": self.name_std,
            "value_type": self.value_type,
            "multiple": self.multiple,
        }

    @api.model
    def _sync_standard(self, accounts):
        """Make the accounts have a row for each standard attribute."""
        for account in accounts:
            rows = {
                (row.kind, row.name_std): row
                for row in self.search(
                    [("account_id", "=", account.id), ("is_standard", "=", True)]
                )
            }
            for kind, attributes in STANDARD.items():
                for standard in attributes:
                    vals = {
                        "name": standard.label,
                        "value_type": standard.value_type,
                        "choices": list(standard.choices),
                        "multiple": standard.multiple,
                        "limit": standard.limit or 0,
                        "readable": standard.readable,
                        "writable": standard.writable,
                    }
                    self._put(
                        rows.get((kind, standard.name)),
                        vals
                        | {
                            "account_id": account.id,
                            "kind": kind,
                            "name_std": standard.name,
                            "is_standard": True,
                        },
                    )

    @api.model
    def _take(self, account, found):
        """Make the custom attributes what User.com lists.

        One is known by its number, so that a new name is seen as one; and by its key where it was
        deleted and made again. What is gone stays as long as a mapping line uses it.

        :param found: all ``client.Attribute`` of the account.
        """
        listed = [
            attribute
            for attribute in found
            if attribute.content_type in KINDS
            # Beside User.com's own field of the same key it could not be told apart.
            and attribute.name_std not in OWN_KEYS[KINDS[attribute.content_type]]
        ]
        numbers = {attribute.id for attribute in listed}
        rows = self.search([("account_id", "=", account.id), ("is_standard", "=", False)])
        by_number = {row.usercom_number: row for row in rows}
        lost = {(row.kind, row.name_std): row for row in rows if row.usercom_number not in numbers}
        present = self.browse()
        for attribute in listed:
            vals = self._vals_of(attribute)
            row = by_number.get(attribute.id)
            if not row and (row := lost.pop((vals["kind"], vals["name_std"]), None)):
                row.mapping_ids._forget_bases()  # the values went with the one that was deleted
            present |= self._put(row, vals | {"account_id": account.id})
        gone = rows - present
        unused = gone.filtered(lambda row: not row.mapping_ids)
        unused.unlink()
        (gone - unused).filtered(lambda row: row.state != "gone").write({"state": "gone"})

    @api.model
    def _vals_of(self, attribute):
        vals = {
            "kind": KINDS[attribute.content_type],
            "name": attribute.name,
            "name_std": attribute.name_std,
            "value_type": attribute.value_type or "string",
            "limit": LONGEST_TEXT if attribute.value_type == "string" else 0,
            "usercom_number": attribute.id,
            "state": "present",
        }
        # Not every list of attributes tells these.
        if attribute.choices or attribute.value_type != "fixed":
            vals["choices"] = list(attribute.choices)
        if attribute.multiple is not None or attribute.value_type != "fixed":
            vals["multiple"] = bool(attribute.multiple)
        return vals

    @api.model
    def _put(self, row, vals):
        if not row:
            return self.create(vals)
        changed = {
            name: value
            for name, value in vals.items()
            if self._fields[name].convert_to_write(row[name], row) != value
        }
        if changed:
            row.write(changed)
        return row

    # === DAILY === #

    @api.model
    def _cron_refresh(self):
        """Read the attributes of all running accounts, one after the other."""
        cron = self.env["ir.cron"]
        accounts = self.env["usercom.account"]._running()
        cron._commit_progress(remaining=len(accounts))
        for account in accounts:
            try:
                self._refresh_one(account)
            except psycopg2.Error as error:
                # Somebody reads them at the same moment, or edits the mapping: tomorrow again.
                self.env.cr.rollback()
                _logger.info("attributes of account %s: %s", account.id, type(error).__name__)
            if not cron._commit_progress(1):
                break

    @api.model
    def _refresh_one(self, account):
        # What was looked up so far is committed: no transaction is open during the calls.
        try:
            usercom = account._client()
        except ValueError:
            account._pause(account._address_trouble())
            return
        self.env.cr.commit()  # pylint: disable=invalid-commit
        with usercom:
            try:
                found = tuple(usercom.attributes())
            except client.AccountRefused as error:
                account._pause(str(error.kind))
            except client.UserComError as error:
                _logger.info("attributes of account %s: %s", account.id, error.kind)
            else:
                # Again from the start when somebody saves the account meanwhile.
                self.env["usercom.queue"]._in_transaction(partial(account._take_attributes, found))

import secrets

from odoo import api, fields, models
from odoo.tools import hmac

from ..sync import mapping
from ..tools.exchange import DELETE, UNSUBSCRIBE


class UsercomBinding(models.Model):
    """What is left of a contact that was deleted in Odoo."""

    _inherit = "usercom.binding"

    address_hash = fields.Char(
        readonly=True,
        help="Of the address of a contact that was deleted in Odoo, keyed: nobody can guess it.",
    )
    farewell = fields.Selection(
        [(UNSUBSCRIBE, "Unsubscribe"), (DELETE, "Delete")],
        readonly=True,
        help="What is still to become of the contact in User.com after it was deleted in Odoo.",
    )
    former_res_id = fields.Integer(readonly=True, help="The number of the contact to say it of.")

    _address_hash_idx = models.Index("(account_id, address_hash) WHERE address_hash IS NOT NULL")
    _former_idx = models.Index("(former_res_id) WHERE farewell IS NOT NULL")

    def _leave_contact(self):
        """Become what is left of a contact that is no more: it must not come back, nothing else."""
        self._forget_values()
        self.write({"partner_id": False})
        self._forget_user_id()

    def _forget_user_id(self):
        """Forget the User ID, which may tell the address, where the User.com ID does for it."""
        for binding in self.filtered("usercom_id"):
            binding.write(
                {
                    "custom_id": secrets.token_hex(16),
                    "custom_id_there": False,
                    "send_custom_id": False,
                }
            )

    def _leave_deleted(self):
        """Become what is left of contacts that are about to be deleted in Odoo.

        And note what the account wants to become of them in User.com: a change row, written with
        the deletion, does it.
        """
        addresses = {partner.id: partner._usercom_key() for partner in self.partner_id}
        gone = self.partner_id
        partners = self.env["res.partner"]
        others = partners.search(
            [
                ("id", "not in", gone.ids),
                ("is_company", "=", False),
                "|",
                ("email_normalized", "in", [key for key in addresses.values() if key]),
                ("phone_sanitized", "in", [key for key in addresses.values() if key]),
            ]
        )
        shared = {partner._usercom_key() for partner in others}
        for binding in self:
            key = addresses[binding.partner_id.id]
            wish, is_person = binding.account_id.on_delete, binding.kind == mapping.CONTACT
            # What somebody else in Odoo shares with the deleted one is theirs as well.
            says_it = (
                wish != "nothing" and key not in shared and binding.state != "gone" and is_person
            )
            binding.write(
                {
                    "address_hash": is_person and key and self._hash_of(key),
                    "farewell": wish if says_it else False,
                    "former_res_id": binding.partner_id.id if says_it else False,
                }
            )
        self._leave_contact()

    @api.model
    def _hash_of(self, key):
        # sudo: the database's secret
        return hmac(self.sudo().env, "usercom_connector.deleted", key)

    @api.model
    def _deleted_here(self, account, keys):
        """Which of these addresses, or numbers, belonged to contacts that were deleted in Odoo."""
        hashes = {self._hash_of(key): key for key in keys}
        found = self.search_fetch(
            [
                ("account_id", "=", account.id),
                ("partner_id", "=", False),
                ("address_hash", "in", list(hashes)),
            ],
            ["address_hash"],
        )
        return {hashes[binding.address_hash] for binding in found}

    @api.model
    def _leaving(self, account, partner_ids):
        """The bindings of contacts that were deleted and of which User.com is still to be told.

        :return: the contact's former number to binding.
        """
        found = self.search(
            [
                ("account_id", "=", account.id),
                ("former_res_id", "in", partner_ids),
                ("farewell", "!=", False),
                ("partner_id", "=", False),
            ]
        )
        return {binding.former_res_id: binding for binding in found}

    def _record_farewell(self, number, is_said=True):
        """Note that User.com was told of the deletion, or is not to be. What else is left stays."""
        was_deleted = is_said and self.farewell == DELETE
        self.write(
            {
                "farewell": False,
                "former_res_id": False,
                "merge_ids": False,
                "merge_met": False,
                "usercom_id": self.usercom_id or number or False,
                "state": "gone" if was_deleted else self.state,
            }
        )
        self._forget_user_id()

    def _enter_anew(self, partner, contact):
        """Belong to a contact that somebody has entered in place of the one that was deleted."""
        self._tie(contact)
        self.write(
            {
                "partner_id": partner.id,
                "address_hash": False,
                "farewell": False,
                "former_res_id": False,
            }
        )

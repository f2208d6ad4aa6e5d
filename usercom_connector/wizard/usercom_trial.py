import time
from copy import deepcopy

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import client
from ..models.usercom_account import CLICK_SECONDS
from ..sync import converters, mapping, merge, pacing, values
from ..tools import companies
from ..tools.exchange import PushJob

#: What a binding remembers of values that User.com did not take; the rest is worked out anew.
NOT_TAKEN = ("refused_value", "not_stored", "email_there")


class UsercomTrial(models.TransientModel):
    """Shows what the mapping makes of one contact on both sides, without doing any of it."""

    _name = "usercom.trial"
    _description = "Try the Mapping on a Contact"

    account_id = fields.Many2one("usercom.account", required=True, readonly=True)
    partner_id = fields.Many2one("res.partner", "Contact", required=True)
    status = fields.Text(readonly=True)
    notes = fields.Text("What Stays Where It Is", readonly=True)
    line_ids = fields.One2many("usercom.trial.line", "trial_id", "Fields", readonly=True)

    def action_try(self):
        """Compare the contact's two sides as the next round would.

        Reads within the request's transaction, because somebody clicked and waits.
        """
        self.ensure_one()
        self.account_id.check_access("read")
        self.partner_id.check_access("read")
        # sudo: the mapping holds nothing that only some may see; bindings are for no hand to edit.
        self.sudo()._try()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Try It on a Contact"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "context": {"dialog_size": "extra-large"},
        }

    def _try(self):
        account, partner = self.account_id, self.partner_id
        sentence, bindings = self.env["usercom.sentence"], self.env["usercom.binding"]
        binding = bindings._of_partners(account, partner).get(partner.id, bindings)
        snapshot = partner._usercom_snapshots(account)[partner.id]
        found = self._read(binding, snapshot)
        status = [partner._usercom_status_sentence(account, binding)]
        contact = found[0] if len(found) == 1 else None
        may_meet = bool(binding) if contact else account.create_in_usercom and not found
        if found and not binding:
            code, facts, may_meet = self._first_meeting(found, snapshot.kind)
            status.append(sentence._of(code, facts))
        if binding.state == "gone" or (binding.usercom_id and not contact):
            status, may_meet = [sentence._of("trial_gone")], False
        theirs, incoming = (
            converters.canonical_of_contact(
                snapshot.rules, contact.get, contact.has, snapshot.context
            )
            if contact
            else ({}, [])
        )
        merged = merge.merge(
            snapshot.rules,
            snapshot.values,
            theirs,
            binding.base_odoo or {},
            binding.base_usercom or {},
        )
        refused = binding.refused or {}
        out = {
            name: value
            for name, value in merged.out.items()
            if may_meet and (name not in refused or refused[name] != value)
        }
        body, vals = self._after_hooks(snapshot, out, merged.into if may_meet else {})
        notices = [*snapshot.notices, *incoming]
        notices += [notice for notice in binding.notices or () if notice[0] in NOT_TAKEN]
        notices += [("conflict", {"attribute": name}) for name in merged.asked]
        if contact and may_meet and not (body or vals or notices):
            status.append(sentence._of("trial_in_step"))
        self.write(
            {
                "status": "\n".join(filter(None, status)),
                "notes": "\n".join(sentence._of(code, facts) for code, facts in notices),
                "line_ids": [
                    fields.Command.clear(),
                    *map(
                        fields.Command.create,
                        self._lines(snapshot, binding, contact, theirs, body, vals),
                    ),
                ],
            }
        )

    def _read(self, binding, snapshot):
        """Whom User.com shows: the contact that this one is tied to, or who it may be."""
        account, partner = self.account_id, self.partner_id
        sentence = self.env["usercom.sentence"]
        if account.is_other_database:
            raise UserError(sentence._of("other_database"))
        if binding.state == "gone" or not (binding or snapshot.takes_part):
            return []
        job = PushJob(
            partner_id=partner.id,
            row_ids=(),
            kind=snapshot.kind,
            email=snapshot.values.get(mapping.EMAIL.attribute),
            phone=snapshot.values.get(mapping.PHONE.attribute),
            name=partner.name,
            context=snapshot.context,
            expected_id=binding._expected_ids(account, partner).get(partner.id),
            **self.env["usercom.change"]._written(partner),
        )
        if snapshot.kind == mapping.COMPANY:
            [job] = self.env["usercom.directory"]._seek(account, [job])
        try:
            with account._client() as usercom:
                usercom = usercom.within(time.monotonic() + CLICK_SECONDS, pacing.CONSENT)
                if not binding.usercom_id:
                    return companies.look_up_any(usercom, job)
                is_company = snapshot.kind == mapping.COMPANY
                return [(usercom.company if is_company else usercom.contact)(binding.usercom_id)]
        except client.Gone:
            return []
        except client.UserComError as error:
            raise UserError(sentence._of(str(error.kind))) from error
        except ValueError as error:
            raise UserError(sentence._of(account._address_trouble())) from error

    def _first_meeting(self, found, kind):
        """What would become of those whom User.com shows, and whether one of them would be tied.

        :return: code and facts for ``usercom.sentence``, and whether values would travel.
        """
        numbers = [str(contact.id) for contact in found]
        owners = self.env["usercom.binding"]._find(self.account_id, found, kind)
        suffix = "companies_there" if kind == mapping.COMPANY else "there"
        if len(found) > 1:
            return f"several_{suffix}", {"usercom_ids": numbers}, False
        if owner := owners[found[0].id].partner_id:
            code = "company_taken_there" if kind == mapping.COMPANY else "taken_there"
            return code, {"usercom_id": numbers[0], "partner_id": owner.id}, False
        return "trial_first_meeting", {"usercom_id": numbers[0]}, True

    def _after_hooks(self, snapshot, out, into):
        """What would be sent and written, after other addons have had their say.

        :return: the body, and the values for ``write`` with those that no hook has changed.
        """
        account, partner = self.account_id, self.partner_id
        savepoint = self.env.cr.savepoint()
        try:
            body = converters.payload(snapshot.rules, out, snapshot.context)
            if body:
                body = partner._usercom_payload(account, deepcopy(body))
            vals = partner._usercom_vals(account, snapshot, into)
            changed = partner._usercom_before_pull(account, dict(vals)) if vals else {}
        finally:
            savepoint.close(rollback=True)  # nothing is done here, whatever a hook does
        by_field = {rule.odoo_field: rule for rule in snapshot.rules if rule.attribute in into}
        words = self.env["usercom.sentence"]
        return body, {
            name: self._text(words._value(into[by_field[name].attribute], by_field[name].converter))
            if name in by_field and value == vals[name]
            else self._text(value)
            for name, value in changed.items()
        }

    def _lines(self, snapshot, binding, contact, theirs, body, vals):
        sent = {}
        for key, value in body.items():
            name = values.attribute_of(key)
            text = self._text(value)
            sent.setdefault(name, []).append(text if name == key else f"{key}: {text}")
        written = dict(vals)
        words = self.env["usercom.sentence"]
        for rule in snapshot.rules:
            name = rule.attribute
            held = {
                "odoo_value": snapshot.values,
                "usercom_value": theirs,
                "base_odoo": binding.base_odoo or {},
                "base_usercom": binding.base_usercom or {},
            }
            texts = {
                column: words._value(known.get(name), rule.converter)
                for column, known in held.items()
            }
            # What is no proper value is shown as it is.
            if name not in snapshot.values:
                texts["odoo_value"] = str(self.partner_id._usercom_raw(rule))
            if contact and name not in theirs and contact.get(name) is not None:
                texts["usercom_value"] = str(contact.get(name))
            yield texts | {
                "field_name": self.env["usercom.mapping"].browse(rule.line_id).odoo_label,
                "attribute": name,
                "sent": ", ".join(sent.pop(name, ())),
                "written": written.pop(rule.odoo_field, False),
            }
        # What only another addon adds.
        for name, texts in sent.items():
            yield {"attribute": name, "sent": ", ".join(texts)}
        for name, text in written.items():
            yield {"field_name": name, "written": text}

    @api.model
    def _text(self, value):
        """A value as it is sent or written, with a word for nothing."""
        if value is None or value is False or value in ("", []):
            return self.env._("(empty)")
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


class UsercomTrialLine(models.TransientModel):
    """A field of the contact on both sides, and what would become of it."""

    _name = "usercom.trial.line"
    _description = "Field of a Contact on Both Sides"
    _order = "id"

    trial_id = fields.Many2one("usercom.trial", required=True, index=True, ondelete="cascade")
    field_name = fields.Char("Field", readonly=True)
    attribute = fields.Char(readonly=True)
    odoo_value = fields.Text("In Odoo", readonly=True)
    usercom_value = fields.Text("In User.com", readonly=True)
    base_odoo = fields.Text("Last in Odoo", readonly=True)
    base_usercom = fields.Text("Last in User.com", readonly=True)
    sent = fields.Text("Would Be Sent", readonly=True)
    written = fields.Text("Would Be Written", readonly=True)

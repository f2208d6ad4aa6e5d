from odoo import api, fields, models
from odoo.exceptions import UserError

from ..sync import consent
from ..sync.pacing import CONSENT, EDIT
from .usercom_consent_purpose import STATES
from .usercom_consent_standing import NEVER

#: What an attribute of User.com shows.
SHOWN = {True: "yes", False: "no", None: "blank"}


class UsercomConsentDrift(models.Model):
    """A consent about which the two sides disagree, until they agree again or a person decides.

    ``drift`` is what the daily comparison found and no waiting row explains. ``meeting`` is what
    the first read of a contact found without dates to go by: the "no" holds already.
    """

    _name = "usercom.consent.drift"
    _description = "Consent That Differs"
    _order = "id desc"

    binding_id = fields.Many2one(
        "usercom.binding", required=True, index=True, ondelete="cascade", readonly=True
    )
    account_id = fields.Many2one(related="binding_id.account_id", store=True, index=True)
    partner_id = fields.Many2one(related="binding_id.partner_id")
    purpose_id = fields.Many2one(
        "usercom.consent.purpose", required=True, ondelete="cascade", readonly=True
    )
    kind = fields.Selection(
        [("drift", "By comparing"), ("meeting", "On first linking")],
        "Found",
        required=True,
        readonly=True,
    )
    state = fields.Selection(
        [*STATES, (NEVER, "Never asked")],
        "In Odoo",
        required=True,
        readonly=True,
    )
    event_id = fields.Many2one("usercom.consent.event", readonly=True, ondelete="set null")
    since = fields.Datetime(related="event_id.happened_at")
    usercom_value = fields.Selection(
        [("yes", "Yes"), ("no", "No"), ("blank", "Nothing")],
        "In User.com",
        required=True,
        readonly=True,
    )
    create_date = fields.Datetime("Found On")

    _binding_purpose_uniq = models.Constraint(
        "UNIQUE(binding_id, purpose_id)", "A consent of a contact is listed once."
    )

    @api.depends("partner_id", "purpose_id")
    @api.depends_context("uid", "allowed_company_ids", "lang")
    def _compute_display_name(self):
        for drift in self:
            drift.display_name = f"{drift.binding_id.display_name}: {drift.purpose_id.name}"

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        drifts = super().create(vals_list)
        for account in drifts.account_id:
            account._ask("drift")
        return drifts

    def unlink(self):
        accounts = self.account_id
        result = super().unlink()
        if accounts:
            left = self.search([("account_id", "in", accounts.ids)]).account_id
            (accounts - left)._answered("drift")
        return result

    # === ACTION METHODS === #

    def action_no_holds(self):
        """Let both sides say no."""
        drifts = self._still_there()
        for drift in drifts:
            if drift._standing()[0] != consent.WITHDRAWN:
                drift._record(consent.WITHDRAWN)
        drifts._settle(CONSENT)

    def action_send(self):
        """Send once more what Odoo has."""
        drifts = self._still_there()
        if "meeting" in drifts.mapped("kind"):
            raise UserError(
                self.env._(
                    "When the two sides first met they had no dates to go by, so the no holds. If "
                    "the person has said yes since, record that on the contact."
                )
            )
        drifts._settle(EDIT)

    def action_take_usercom(self):
        """Record what User.com shows as a word that this user vouches for, with its origin."""
        drifts = self._still_there()
        for drift in drifts:
            if drift.usercom_value == "blank":
                raise UserError(
                    self.env._(
                        "User.com shows nothing about %(consent)s, so there is nothing to take.",
                        consent=drift.display_name,
                    )
                )
            says_yes = drift.usercom_value == "yes"
            if says_yes and not drift._is_as_listed():
                raise UserError(
                    self.env._(
                        "Something about %(consent)s was said or read since this was listed. Look "
                        "at the contact, and record there what holds.",
                        consent=drift.display_name,
                    )
                )
            drift._record(consent.GIVEN if says_yes else consent.WITHDRAWN)
        drifts._settle(EDIT)

    def action_open_contact(self):
        """The contact that one of these is about."""
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": self._still_there().partner_id.id,
            "view_mode": "form",
        }

    def _still_there(self):
        """Those of these that nobody has decided since the reader saw them."""
        drifts = self.exists()
        drifts.check_access("read")
        return drifts

    # === BUSINESS METHODS === #

    def _standing(self):
        """How the contact stands with the purpose now: state and event."""
        partner, purpose = self.partner_id, self.purpose_id
        found = self.env["usercom.consent.standing"]._of(partner, purpose)
        state, event, _hindrance = found[partner.id][purpose.id]
        return state, event

    def _is_as_listed(self):
        """Whether nothing was said or read about this since it was listed."""
        _state, event = self._standing()
        # sudo: whoever may decide may have what was read looked at.
        base = self.sudo().binding_id.base_usercom or {}
        shown = {SHOWN[base.get(rule.key)] for rule in self._leading()}
        return (event or self.event_id.browse()) == self.event_id and shown == {self.usercom_value}

    def _leading(self):
        rules = self.account_id._consent_rules()
        return [r for r in rules if r.leads and r.purpose == self.purpose_id.id]

    def _record(self, state):
        events = self.env["usercom.consent.event"]
        origin = self.env._("Decided here; found in User.com: %s", self.account_id.name)
        if not events._record(self.partner_id, self.purpose_id, state, origin=origin):
            raise UserError(
                self.env._(
                    "%(contact)s has no address of the channel of %(purpose)s. Enter it first.",
                    contact=self.partner_id.display_name,
                    purpose=self.purpose_id.name,
                )
            )

    def _settle(self, priority):
        """Have what Odoo says sent, also where User.com has refused it before."""
        # sudo: bindings and these rows are not edited by hand; this is what deciding changes.
        for drift in self.sudo():
            binding = drift.binding_id
            names = {rule.attribute for rule in drift._leading()}
            refused = binding.refused or {}
            if names & refused.keys():
                binding.refused = {n: v for n, v in refused.items() if n not in names}
            binding.partner_id._usercom_enqueue(binding.account_id, priority=priority)
        self.sudo().unlink()

    # === COMPARING === #

    @api.model
    def _cron_compare(self):
        """Begin the daily comparison of every account that runs."""
        for account in self.env["usercom.account"]._running():
            account._request_drift()

    @api.model
    def _compare(self, account, found, contacts, known_at):
        """Keep the list of those of these contacts whose consents differ from Odoo's.

        What a waiting row is going to settle is no difference, and what was read before the last
        change of its binding says nothing.

        :param found: the number of a contact in User.com to its binding.
        :param contacts: as the page has shown them, which has been taken in.
        :param known_at: from before the page was read, in the database's clock.
        """
        waiting = self._waiting(account, found, contacts)
        shown = {
            found[contact.id]: contact
            for contact in contacts
            if (binding := found[contact.id]).partner_id
            and binding.state == "linked"
            and not binding._is_in_flight()
        }
        bindings = self.env["usercom.binding"].union(*shown)
        # What the page itself has brought is written in this transaction.
        bindings = bindings.filtered(
            lambda b: b.write_date < known_at or b.write_date == self.env.cr.now()
        )
        rules = [rule for rule in account._consent_rules() if rule.leads]
        purposes = self.env["usercom.consent.purpose"].browse(rule.purpose for rule in rules)
        standings = self.env["usercom.consent.standing"]._of(bindings.partner_id, purposes)
        snapshots = bindings._snapshots(account)
        listed = self.search([("binding_id", "in", bindings.ids)])
        listed = {(drift.binding_id, drift.purpose_id.id): drift for drift in listed}
        settled, new = self.browse(), []
        for binding in bindings:
            snapshot, base = snapshots[binding.id], binding.base_usercom or {}
            for rule in rules:
                state, event, _h = standings[binding.partner_id.id][rule.purpose]
                word = rule.word(shown[binding].get(rule.attribute), base.get(rule.key))
                has_address = not rule.address or bool(snapshot.values.get(rule.address))
                # Of who does not take part only a "no" travels.
                travels = snapshot.takes_part or state == consent.WITHDRAWN
                to_send = consent.to_send(state, word, has_address=has_address)
                differs = travels and to_send is not None
                drift = listed.get((binding, rule.purpose))
                if not differs and drift and drift.kind == "drift":
                    settled += drift
                if not differs or shown[binding].id in waiting:
                    continue
                vals = {
                    "kind": "drift",
                    "state": state or NEVER,
                    "event_id": event.id if event else False,
                    "usercom_value": SHOWN[word],
                }
                if drift:
                    drift.write(vals)
                else:
                    new.append(vals | {"binding_id": binding.id, "purpose_id": rule.purpose})
        settled.unlink()
        self.create(new)

    @api.model
    def _waiting(self, account, found, contacts):
        """Those of these contacts of which a row waits to be sent or read, by their numbers."""
        partners = self.env["res.partner"].union(*(b.partner_id for b in found.values()))
        due = [("account_res_id", "=", account.id), ("due_at", "!=", False)]
        self.env.cr.flush()  # rows are inserted right before the commit
        changes = self.env["usercom.change"].search_fetch(
            [*due, ("partner_res_id", "in", partners.ids)], ["partner_res_id"]
        )
        numbers = {str(contact.id) for contact in contacts}
        pings = self.env["usercom.ping"].search_fetch(
            [*due, ("lookup", "=", "id"), ("value", "in", list(numbers))], ["value"]
        )
        queued, read = set(changes.mapped("partner_res_id")), set(pings.mapped("value"))
        return {
            contact.id
            for contact in contacts
            if str(contact.id) in read or found[contact.id].partner_id.id in queued
        }

    @api.model
    def _note_meeting(self, binding, disagreements):
        """List what the first read of a contact shows otherwise than Odoo has it.

        :param disagreements: purpose id to whether User.com says yes.
        """
        purposes = self.env["usercom.consent.purpose"].browse(disagreements)
        standings = self.env["usercom.consent.standing"]._of(binding.partner_id, purposes)
        self.search([("binding_id", "=", binding.id), ("purpose_id", "in", purposes.ids)]).unlink()
        for purpose in purposes:
            state, event, _hindrance = standings[binding.partner_id.id][purpose.id]
            self.create(
                {
                    "binding_id": binding.id,
                    "purpose_id": purpose.id,
                    "kind": "meeting",
                    "state": state,
                    "event_id": event.id if event else False,
                    "usercom_value": SHOWN[disagreements[purpose.id]],
                }
            )

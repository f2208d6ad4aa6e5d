from odoo import api, fields, models
from odoo.addons.usercom_connector.sync import consent
from odoo.http import request

#: Fields whose change says something about a consent; core reads the last two as opting out.
REASON = "opt_out_reason_id"
DECIDING = {"contact_id", "list_id", "opt_out", "opt_out_datetime", REASON}


class MailingSubscription(models.Model):
    """A subscription says the same as the consent to what its list is for.

    Opting out is a withdrawal. Opting in is a consent only where the person does it by a form
    (``usercom_form`` in the context); whom somebody else opts in against a "no" is opted out again.
    """

    _inherit = "mailing.subscription"

    usercom_opted_out = fields.Boolean(
        readonly=True,
        copy=False,
        help="Opted out because the consent was withdrawn or waits for its confirmation, and not "
        "by the list itself.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        subscriptions = super().create(vals_list)
        dated = any("opt_out_datetime" in vals for vals in vals_list)
        subscriptions._usercom_opted_in()
        subscriptions._usercom_settle(dated=dated)
        return subscriptions

    def write(self, vals):
        deciding = DECIDING & vals.keys()
        # A reason alone is none for being opted out by us: core writes it onto whatever was opted
        # out within the last minutes.
        held = self.filtered("usercom_opted_out") if deciding == {REASON} else self.browse()
        if not deciding or held == self:
            return super().write(vals)
        if held:
            return held.write(vals) and (self - held).write(vals)
        out = self.filtered("opt_out")
        result = super().write({"usercom_opted_out": False, **vals})
        out.filtered(lambda sub: not sub.opt_out)._usercom_opted_in()
        self._usercom_settle(dated="opt_out_datetime" in vals)
        return result

    def _usercom_addresses(self):
        """Purpose to address to its subscriptions, of lists that are for something."""
        found = {}
        for subscription in self:
            purpose = subscription.list_id.sudo().usercom_purpose_id
            address = subscription.contact_id.email_normalized
            if purpose and address:
                there = found.setdefault(purpose, {})
                there[address] = there.get(address, self.browse()) | subscription
        return found

    def _usercom_opted_in(self):
        """The person has chosen the list by a form, if it was one."""
        page = self.env.context.get("usercom_form")
        if not page:
            return
        # sudo: nobody creates events directly; a visitor says so of the own address.
        events = self.env["usercom.consent.event"].sudo()
        chosen = self.filtered(lambda sub: not sub.opt_out)
        words = []
        for purpose, addresses in chosen._usercom_addresses().items():
            owners = events._owners(addresses, purpose)[purpose.id]
            state = consent.PENDING if purpose.double_opt_in else consent.GIVEN
            words += [
                {
                    # Which of several contacts it was is not known: then it counts for none.
                    "partner_id": len(owners.get(address, ())) == 1 and owners[address][0],
                    "address": address,
                    "purpose_id": purpose.id,
                    "state": state,
                    "happened_at": consent.moment(),
                    "source": "mailing",
                    "user_id": self.env.uid,
                    "document": f"{page} ({subscriptions.list_id[:1].name})",
                    **events._evidence(),
                }
                for address, subscriptions in addresses.items()
            ]
        if words:
            events.create(words)  # all at once: what has to be confirmed is so by one message

    def _usercom_wait(self):
        """Have those confirmed that a visitor has chosen just now where nothing else was asked.

        A list that wants a double opt-in wants it of every form.
        """
        events = self.env["usercom.consent.event"]
        chosen = self._usercom_just_now().filtered(
            lambda sub: not sub.opt_out and sub.list_id.usercom_purpose_id.double_opt_in
        )
        open_ = self.browse()
        for purpose, addresses in chosen._usercom_addresses().items():
            states = events._states_there(addresses, purpose)
            for address, subscriptions in addresses.items():
                if consent.GIVEN not in states.get((purpose.id, address), ()):
                    open_ |= subscriptions
        page = (request.httprequest.referrer or "").partition("?")[0]
        open_.with_context(usercom_form=page or request.httprequest.path)._usercom_opted_in()

    def _usercom_just_now(self):
        """Those that were opted in, or otherwise changed, by what is under way."""
        # Of those that came by the lists of a contact core writes no date.
        return self.filtered(
            lambda sub: (sub.write_date or sub.contact_id.create_date) >= self.env.cr.now()
        )

    def _usercom_settle(self, *, dated=True):
        """Withdraw what was opted out of, and opt out what was withdrawn.

        :param dated: whether the dates of opting out were given, or are of now.
        """
        events = self.env["usercom.consent.event"]
        for purpose, addresses in self._usercom_addresses().items():
            out = {}
            for address, subscriptions in addresses.items():
                own = subscriptions.filtered(lambda sub: sub.opt_out and not sub.usercom_opted_out)
                if last := own.sorted(lambda sub: sub.opt_out_datetime or sub.create_date)[-1:]:
                    out[address] = {"document": last._usercom_document()}
                    if dated and last.opt_out_datetime:
                        out[address]["happened_at"] = last.opt_out_datetime
            if out:
                events._record_there(out, purpose, consent.WITHDRAWN, "mailing", anew=not dated)
        self._usercom_opt_out()

    def _usercom_document(self):
        name = self.list_id.name
        reason = self.opt_out_reason_id.name
        return f"{name}: {reason}" if reason else name

    def _usercom_opt_out(self):
        """Opt out those of whose addresses the consent is withdrawn, or waits."""
        refused = self.browse()
        opted_in = self.filtered(lambda sub: not sub.opt_out)
        for purpose, addresses in opted_in._usercom_addresses().items():
            for address in self._usercom_refused(addresses, purpose):
                refused |= addresses[address]
        if refused:
            refused.write({"opt_out": True, "usercom_opted_out": True})

    @api.model
    def _usercom_refused(self, addresses, purpose):
        """Those of the addresses where somebody says no, or all that was said waits yet."""
        states = self.env["usercom.consent.event"]._states_there(addresses, purpose)
        return {
            address
            for (_purpose_id, address), there in states.items()
            if consent.WITHDRAWN in there
            or (consent.PENDING in there and consent.GIVEN not in there)
        }

    @api.model
    def _usercom_follow(self, events):
        """Carry new words on to the lists of their purpose.

        A withdrawal opts out. So does a consent until it is confirmed, but only of what came with
        it: anybody may enter the address of somebody who is on the list. A consent opts those in
        that these have opted out, if nobody with the address says no.
        """
        said = events.filtered(
            lambda event: (
                event.address and event.state in (consent.GIVEN, consent.WITHDRAWN, consent.PENDING)
            )
        )
        if not said:
            return
        found = self.search(
            [
                ("list_id.usercom_purpose_id", "in", said.purpose_id.ids),
                ("contact_id.email_normalized", "in", said.mapped("address")),
            ]
        )
        found = found.with_context(usercom_form=False)
        nobody = found.browse()
        for purpose, addresses in found._usercom_addresses().items():
            refused = self._usercom_refused(addresses, purpose)
            given = {
                event.address
                for event in said
                if event.purpose_id == purpose and event.state == consent.GIVEN
            }
            again = nobody.union(*(addresses.get(key, nobody) for key in given - refused))
            if again := again.filtered("usercom_opted_out"):
                again.write({"opt_out": False})
            no = {address for _id, address in events._refused(addresses, purpose)}
            out = nobody.union(*(addresses[key] for key in no))
            out |= nobody.union(*(addresses[key] for key in refused - no))._usercom_just_now()
            if out := out.filtered(lambda sub: not sub.opt_out):
                out.write({"opt_out": True, "usercom_opted_out": True})

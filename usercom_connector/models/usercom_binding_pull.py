from dataclasses import replace

from odoo import api, models

from ..sync import consent, converters, mapping, merge
from ..sync.pacing import BULK
from .usercom_binding import BusyError


class UsercomBinding(models.Model):
    """What a read of User.com, or a call from there, shows: what of it is news, and comes in."""

    _inherit = "usercom.binding"

    def _come_back(self):
        """Read those again that take part again, and of which something was passed over."""
        missed = self.filtered(lambda binding: binding.missed and binding.state == "linked")
        people = missed.filtered(lambda binding: binding.kind == mapping.CONTACT)
        if people:
            subjects = [(one.account_id.id, "id", one.usercom_id) for one in people]
            self.env["usercom.ping"]._append(subjects, BULK)
        if missed - people:
            missed.account_id._list_companies_soon()
        missed.missed = False

    def _is_in_flight(self):
        """Whether a call is under way that writes to this contact, or its answer was lost."""
        return merge.UNANSWERED in (self.base_odoo or {}).values()

    def _is_saying(self):
        """Whether a call is under way that writes a consent, or the address of one.

        A read shows the time before it or after, and nobody knows which.
        """
        base, rules = self.base_odoo or {}, self._consent_rules()
        names = {rule.attribute for rule in rules}
        if self.usercom_id:
            names |= {rule.address for rule in rules}
        return any(base.get(name) == merge.UNANSWERED for name in names)

    def _is_shown_by(self, contact, rules, context):
        """Whether this shows the contact as the base has it, so that there is nothing to record.

        :param rules: of the account, and ``context`` as well.
        """
        base = self.base_usercom or {}
        context = replace(context, country=self.partner_id.country_id.code or context.country)
        theirs, notices = converters.canonical_of_contact(rules, contact.get, contact.has, context)
        words = {
            rule.key: rule.word(contact.get(rule.attribute), base.get(rule.key))
            for rule in self._consent_rules()
        }
        known = [notice for notice in self.notices or () if notice[1].get("direction") == "in"]
        return (
            self.state == "linked"
            and self.usercom_id == str(contact.id)
            and contact.custom_id in (None, self.custom_id)
            and contact.custom_id in (None, self.custom_id_there)
            and not (contact.custom_id and self.send_custom_id)
            and all(name in base and base[name] == value for name, value in theirs.items())
            and all(word in (None, base.get(key)) for key, word in words.items())
            and known == [[code, args | {"direction": "in"}] for code, args in notices]
            and not self.conflict_ids  # what is asked about may have been changed back there
        )

    def _shown(self, rules):
        """What User.com shows of this contact if nobody has edited it there since.

        :return: attribute to canonical value, and what a call shows of consents by their keys.
        """
        theirs, ours = self.base_usercom or {}, self.base_odoo or {}
        names = [rule.attribute for rule in rules]
        # After a call that answered without values, what was sent is what is to be expected.
        return (
            {name: theirs.get(name, ours.get(name)) for name in names},
            {rule.key: rule.echo(theirs.get(rule.key)) for rule in self._consent_rules()},
        )

    # === TAKING IN === #

    def _canonical(self, contact, snapshot):
        """A read of User.com in canonical form.

        :return: attribute to value, leaving out what the answer did not show and what is no value,
            and the notices about the latter.
        """
        return converters.canonical_of_contact(
            snapshot.rules, contact.get, contact.has, snapshot.context
        )

    @api.model
    def _absorb(self, account, reads, snapshots=None):
        """Merge reads of User.com into the contacts in Odoo and move the bases.

        The caller has locked the bindings, each of which stands here once, and made sure that the
        bases are those that were there when the reads began. Writes only what differs; what is
        asked of the database does not grow with the number of reads.

        :param reads: list of :class:`Read`.
        :param snapshots: what the contacts hold now, by binding id, where the caller has that.
        :raises BusyError: when a user's save holds a contact; nothing is written then.
        """
        bindings = self.browse(read.binding.id for read in reads)
        partners = bindings.partner_id
        if snapshots is None:
            snapshots = bindings._snapshots(account)
        since = min((read.began for read in reads), default=consent.moment())
        said_at = self._last_words(partners, since)
        merges = []
        for read in reads:
            binding, snapshot = read.binding, snapshots[read.binding.id]
            theirs, notices = binding._canonical(read.contact, snapshot)
            merged = merge.merge(
                snapshot.rules,
                snapshot.values,
                theirs,
                binding.base_odoo or {},
                binding.base_usercom or {},
            )
            merges.append((read, merged, notices))
        touched = self._write_into(account, merges, snapshots)
        events = [
            event
            for read, merged, _notices in merges
            for event in read.binding._consent_events(read, merged, snapshots[read.binding.id])
        ]
        if events:
            touched |= self.env["usercom.consent.event"].create(events).partner_id
        changed = bindings.filtered(lambda binding: binding.partner_id in touched)
        after = snapshots | changed._snapshots(account)
        to_send = self.env["res.partner"]
        begins = any(merged.asked for _read, merged, _notices in merges) and not (
            self.env["usercom.conflict"].search_count([("account_id", "=", account.id)], limit=1)
        )
        for read, merged, notices in merges:
            binding = read.binding
            # A consent that the next read shows is dated from here on. It must not pass a "no"
            # that somebody entered while this read was on its way.
            said = said_at.get(binding.partner_id.id)
            is_said = bool(said and said >= read.began)
            binding._move_bases(read, merged, after[binding.id])
            binding.synced_at = read.began if is_said else read.contact.read_at
            binding._set_notices("in", notices)
            snapshot = after[binding.id]
            if binding.missed == snapshot.takes_part:
                binding.missed = not snapshot.takes_part
            if binding._job(snapshot) or binding._member_job(snapshot):
                to_send |= binding.partner_id
        to_send._usercom_enqueue(account)
        if begins:
            account._ask("conflict")

    def _move_bases(self, read, merged, snapshot):
        for attribute in merged.into:
            # What Odoo made of it. Without a base where it cannot be sent back (a name whose parts
            # are longer than ours may be), or it would count as an edit.
            merged.base_odoo.pop(attribute)
            if attribute in snapshot.values:
                merged.base_odoo[attribute] = snapshot.values[attribute]
        number, custom_id = str(read.contact.id), read.contact.custom_id
        vals = {}
        if self.usercom_id != number or self.state != "linked":
            vals |= {"usercom_id": number, "state": "linked"}
        if custom_id:
            vals["send_custom_id"] = False
            if custom_id != self.custom_id and not self._other_with("custom_id", custom_id):
                vals["custom_id"] = custom_id
        if read.contact.has("custom_id") and (custom_id or False) != self.custom_id_there:
            vals["custom_id_there"] = custom_id
        if merged.base_odoo != self.base_odoo or merged.base_usercom != self.base_usercom:
            vals |= {
                "base_odoo": merged.base_odoo,
                "base_usercom": merged.base_usercom,
                "revision": self.revision + 1,
            }
        if snapshot.employer and not self.member_of and self._shows_member(read, snapshot.employer):
            vals["member_of"] = snapshot.employer  # so somebody has put it there already
        self.write(vals)
        if merged.asked or self.conflict_ids:
            self.env["usercom.conflict"]._keep(self, read.contact, merged)

    def _shows_member(self, read, number):
        """Whether a read of this contact shows that it belongs to a company."""
        return self.kind == mapping.CONTACT and number in {
            str(company.id) for company in read.contact.companies
        }

    @api.model
    def _write_into(self, account, merges, snapshots):
        """Write what comes in.

        :return: the contacts that were written.
        """
        written = self.env["res.partner"].union(
            *(read.binding.partner_id for read, merged, _notices in merges if merged.into)
        )
        if len(written.try_lock_for_update(allow_referencing=True)) != len(written):
            raise BusyError
        for read, merged, _notices in merges:
            if merged.into:
                partner = read.binding.partner_id
                snapshot = snapshots[read.binding.id]
                vals = partner._usercom_vals(account, snapshot, merged.into)
                vals = partner._usercom_before_pull(account, vals)
                if vals:
                    partner.write(vals)
                    partner._usercom_pulled(account, vals)
        return written

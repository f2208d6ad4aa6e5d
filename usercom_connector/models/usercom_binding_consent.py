from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.mail import email_normalize

from ..sync import consent, mapping, merge


class UsercomBinding(models.Model):
    """The consents of a contact: what is written of them, and what reads and calls tell."""

    _inherit = "usercom.binding"

    yes_written_at = fields.Datetime(
        readonly=True, help="A moment before the last call that wrote a consent that was given."
    )

    def _consent_rules(self):
        """The rules of consents; companies have none in User.com."""
        return self.account_id._consent_rules() if self.kind == mapping.CONTACT else ()

    def _consents_to_send(self, snapshot, wanted):
        """What is to be written about consents.

        :param wanted: what of the mapped values differs, also where User.com has refused it.
        :return: attribute to whether it was given.
        """
        refused, base = self.refused or {}, self.base_usercom or {}
        found = {}
        for rule in self._consent_rules():
            state = snapshot.consents.get(rule.purpose)
            # Odoo's address says nothing about the one in User.com where it cannot be sent, or is
            # not taken there: of its consent only a "no" goes. As of who does not take part.
            address = rule.address
            is_refused = (
                address in wanted and address in refused and refused[address] == wanted[address]
            )
            only_no = is_refused or not snapshot.takes_part
            if not rule.leads or (only_no and state != consent.WITHDRAWN):
                continue
            has_address = bool(address) and (
                bool(snapshot.values.get(address)) or address in wanted
            )
            word = consent.to_send(state, base.get(rule.key), has_address=has_address)
            if word is not None:
                found[rule.attribute] = word
        return found

    @api.model
    def _last_words(self, partners, since):
        """When each of these contacts last said something about a consent in Odoo, since a time.

        Or somebody else withdrew one at the same address.

        :return: partner id to time, for those who did.
        """
        own = {
            partner: {partner.id, partner.email_normalized, partner.phone_sanitized}
            for partner in partners
        }
        addresses = {key for keys in own.values() for key in keys if isinstance(key, str)}
        events = self.env["usercom.consent.event"]
        events.flush_model()
        found = self.env.execute_query(
            SQL(
                """
                SELECT partner_id, CASE WHEN state = %(no)s THEN address END, max(happened_at)
                  FROM usercom_consent_event
                 WHERE source <> 'usercom' AND happened_at >= %(since)s
                   AND (partner_id IN %(partners)s OR (state = %(no)s AND address IN %(addresses)s))
              GROUP BY 1, 2
                """,
                no=consent.WITHDRAWN,
                since=since,
                partners=tuple(partners.ids) or (0,),
                addresses=tuple(addresses) or ("",),
            )
        )
        said = {}
        for partner, keys in own.items():
            if times := [at for owner, address, at in found if keys & {owner, address} - {None}]:
                said[partner.id] = max(times)
        return said

    def _consent_events(self, read, merged, snapshot):
        """Note the consents that a read shows in the base.

        :return: list of values of the events it tells of, as far as they are news.
        """
        rules = self._consent_rules()
        words, news = consent.heard(
            rules,
            read.contact.get,
            merged.base_usercom,
            last_read_at=self.synced_at,
            now=read.contact.read_at,
            only_no=not snapshot.takes_part,
        )
        merged.base_usercom |= words
        for rule in rules:
            merged.base_odoo.pop(rule.attribute, None)  # what was on its way, if it was
        addresses = {rule.purpose: rule.address for rule in rules}
        # After a call that answered without values, what was sent is what is to be expected.
        seen = (self.base_odoo or {}) | (self.base_usercom or {}) if news else {}
        if not self.synced_at:
            self._note_disagreements(news, snapshot)
        events = []
        for purpose_id, event in news.items():
            attribute = addresses[purpose_id]
            if event.given:
                reads = [] if attribute in read.moved else [(read.contact, {})]
            else:
                reads = [(read.contact, seen)]
                reads += read.before[:1] if attribute in read.moved else []
            state = consent.GIVEN if event.given else consent.WITHDRAWN
            for contact, known in reads:
                for address in self._said_to(contact, known, attribute, snapshot):
                    vals = self._event_vals(purpose_id, state, event.at, address)
                    events.append(vals | {"happened_after": event.after})
        events += self._words_before(read.before, snapshot)
        told = ("purpose_id", "address", "state")
        return list({tuple(vals[name] for name in told): vals for vals in events[::-1]}.values())

    def _words_before(self, reads, snapshot):
        """Each "no" that reads right before a write show, and that nobody has heard of yet.

        :param reads: list of (contact in User.com, the last words known by then).
        :return: list of values of events.
        """
        rules = self._consent_rules() if reads else ()
        addresses = {rule.purpose: rule.address for rule in rules}
        return [
            self._event_vals(purpose_id, consent.WITHDRAWN, contact.read_at, address)
            for contact, seen in reads
            for purpose_id in consent.written_over(rules, contact.get, seen)
            for address in self._said_to(contact, seen, addresses[purpose_id], snapshot)
        ]

    def _said_to(self, contact, seen, attribute, snapshot):
        """The addresses that a new word of User.com's may belong to, or ``[False]`` for no address.

        :param seen: what was there when it was last looked at: a "no" may have been said before the
            address was changed, and counts for whoever has the old one.
        """
        if not attribute:
            return [False]
        found = [self._address_there(contact, attribute, snapshot)]
        found.append(self._shown_address(seen.get, attribute, snapshot))
        return list(dict.fromkeys(filter(None, found)))

    def _event_vals(self, purpose_id, state, at, address):
        """Values of a word from User.com."""
        return {
            "partner_id": self.partner_id.id,
            "address": address,
            "purpose_id": purpose_id,
            "state": state,
            "happened_at": at,
            "source": "usercom",
            "origin": self.account_id.name,
            "account_id": self.account_id.id,
        }

    def _note_disagreements(self, news, snapshot):
        """List, for a person, the consents that the first read shows otherwise than Odoo."""
        said = {consent.GIVEN: True, consent.WITHDRAWN: False}
        found = {
            purpose_id: event.given
            for purpose_id, event in news.items()
            if said.get(snapshot.consents.get(purpose_id), event.given) != event.given
        }
        if found:
            self.env["usercom.consent.drift"]._note_meeting(self, found)

    @api.model
    def _lower_by_calls(self, calls):
        """Record each "no" of a call of the webhook that a "yes" of ours may have written over.

        Everything else a read shows. Nothing but a "no" is believed, so this raises no consent.

        :param calls: list of (binding, attributes that say no, when User.com said so).
        """
        suspects = [
            (binding, rule, at)
            for binding, names, at in calls
            if binding.partner_id and consent.may_be_hidden(at, binding.yes_written_at or None)
            for rule in binding._consent_rules()
            # Where it was no before, it tells nothing new.
            if rule.attribute in names and (binding.base_usercom or {}).get(rule.key) is not False
        ]
        if not suspects:
            return
        events = self.env["usercom.consent.event"]
        partners = self.union(*(binding for binding, _rule, _at in suspects)).partner_id
        purposes = self.env["usercom.consent.purpose"].browse(
            {rule.purpose for _binding, rule, _at in suspects}
        )
        words = events._words(partners, purposes)
        lowered = []
        for binding, rule, at in suspects:
            partner, own = binding.partner_id, words[binding.partner_id.id][rule.purpose]
            if consent.lowers(own, at):
                own.append((consent.WITHDRAWN, at))
                address = purposes.browse(rule.purpose)._address_of(partner)
                lowered.append(binding._event_vals(rule.purpose, consent.WITHDRAWN, at, address))
        events.create(lowered)

    def _address_there(self, contact, attribute, snapshot):
        """The address that User.com holds, about which a word was said there; else Odoo's."""
        is_email = attribute == mapping.EMAIL.attribute
        own = self.partner_id.email_normalized if is_email else self.partner_id.phone_sanitized
        return self._shown_address(contact.get, attribute, snapshot) or own

    def _shown_address(self, shown, attribute, snapshot):
        """An address that User.com shows, in the form in which Odoo's is compared.

        :param shown: gives the value of an attribute.
        """
        value, context = shown(attribute), snapshot.context
        if not value or value == merge.UNANSWERED:
            return None
        if attribute == mapping.EMAIL.attribute:
            return email_normalize(value)
        return context.phone(value, context.country)

import json
from copy import deepcopy

from odoo import fields, models

from ..sync import consent, converters, mapping, merge, values
from ..tools.companies import MemberJob
from ..tools.exchange import PushJob
from .usercom_binding_notice import NamesakeThere

#: What other addons may not add to what is written: who the contact is, and consents, which have
#: rules of their own and are recorded as events.
NOT_BY_PAYLOAD = frozenset({"id", "custom_id", consent.UNSUBSCRIBED, "notifications"})


class UsercomBinding(models.Model):
    """What there is to send, and what is noted of it before the call and after."""

    _inherit = "usercom.binding"

    member_of = fields.Char(
        readonly=True, help="User.com ID of the company that the contact was made a member of."
    )

    def _job(self, snapshot, row_ids=(), tried=False):
        """What there is to send for this binding, or ``None``.

        :param snapshot: of the contact, from ``res.partner._usercom_snapshots``.
        :param tried: whether an earlier call may have created the contact.
        """
        self.ensure_one()
        # Reading a JSON field copies it.
        refused, base_odoo = self.refused or {}, self.base_odoo or {}
        base_usercom = self.base_usercom or {}
        asked = {conflict.attribute: conflict.odoo_value for conflict in self.conflict_ids}
        wanted = merge.outgoing(snapshot.rules, snapshot.values, base_odoo)
        outgoing = {
            attribute: value
            for attribute, value in wanted.items()
            if (attribute not in refused or refused[attribute] != value)
            and (attribute not in asked or asked[attribute] != value)
        }
        to_send = {
            name: word
            for name, word in self._consents_to_send(snapshot, wanted).items()
            if refused.get(name) != word
        }
        body = converters.payload(snapshot.rules, outgoing, snapshot.context)
        merges = (self.state == "linked" and self.merge_ids) or ()
        sends_id = bool(self.usercom_id) and self.send_custom_id
        awaited = sends_id and self.is_awaited
        is_idle = self.state == "linked" and not (to_send or merges or awaited)
        if is_idle and not body:
            return None
        body, dropped, altered = self._payload(snapshot, body)
        outgoing = {name: value for name, value in outgoing.items() if name not in dropped}
        if is_idle and not body:
            return None
        if sends_id:
            # Goes along, and costs no call of its own unless the person is on the website.
            body["custom_id"] = self.custom_id
        reads_first = [r for r in snapshot.rules if r.attribute in outgoing and r.reads_first]
        return PushJob(
            partner_id=self.partner_id.id,
            row_ids=tuple(row_ids),
            kind=self.kind,
            email=snapshot.values.get(mapping.EMAIL.attribute),
            phone=snapshot.values.get(mapping.PHONE.attribute),
            tried=tried,
            creates=snapshot.takes_part and self.account_id.create_in_usercom,
            binding_id=self.id,
            usercom_id=self.usercom_id or None,
            custom_id=self.custom_id,
            revision=self.revision,
            bases={name: base for name, base in base_odoo.items() if name in outgoing},
            outgoing=outgoing,
            body=body,
            altered=altered,
            reads_first=tuple(reads_first) if self.usercom_id else (),
            context=snapshot.context,
            seen=base_usercom,
            consents=to_send,
            consent_rules=self._consent_rules(),
            states=snapshot.consents,
            merges=tuple(merges),
            met=self.merge_met or {},
        )

    def _member_job(self, snapshot, row_ids=()):
        """Which company the contact is to be put into or taken out of, or ``None``.

        Only what we put it into is taken back. A company that does not take part any more stays as
        it is, and so do its members.
        """
        self.ensure_one()
        if self.kind == mapping.COMPANY or self.state != "linked" or not snapshot.takes_part:
            return None
        before, now = self.member_of or None, snapshot.employer
        if before == now or (now and not snapshot.may_join and not before):
            return None
        return MemberJob(
            partner_id=self.partner_id.id,
            row_ids=tuple(row_ids),
            binding_id=self.id,
            usercom_id=self.usercom_id,
            into=now if snapshot.may_join else None,
            out_of=before,
        )

    def _payload(self, snapshot, plain):
        """What is written, after other addons have had their say (``_usercom_payload``).

        :param plain: what the mapping gives.
        :return: the body, the attributes that it does not hold any more, which count as not sent,
            and the canonical values of those that it holds with another value.
        """
        body = self.partner_id._usercom_payload(self.account_id, deepcopy(plain))
        if body == plain:
            return plain, set(), {}
        taken = NOT_BY_PAYLOAD | {rule.attribute for rule in self._consent_rules()}
        if own := sorted(taken & (body.keys() - plain.keys())):
            raise ValueError(f"_usercom_payload must not set {', '.join(own)}.")
        json.dumps(body, sort_keys=True)  # here, where what cannot be sent stops this contact alone
        written = {values.attribute_of(key) for key in body}
        dropped = {values.attribute_of(key) for key in plain} - written
        changed = {values.attribute_of(key) for key in plain if body.get(key) != plain[key]}
        rules = [r for r in snapshot.rules if r.attribute in changed - dropped]
        # Reads show one name.
        name = f"{body.get('first_name', '')} {body.get('last_name', '')}"
        shown = {mapping.NAME.attribute: name} | body
        altered, _notices = converters.canonical_of_contact(
            rules, shown.get, lambda key: key in shown, snapshot.context
        )
        return body, dropped, altered

    def _note_sending(self, job):
        """Forget the bases of what is going to be written, to be committed before the call.

        If the answer is lost, User.com may hold the one or the other. Not those of consents that
        are taken back: that is done again, and who shows a "yes" until then says nothing new.
        """
        sent = [*job.outgoing, *job.consents]
        base_odoo = (self.base_odoo or {}) | dict.fromkeys(sent, merge.UNANSWERED)
        base_usercom = dict(self.base_usercom or {})
        for rule in job.leading:
            if job.consents.get(rule.attribute):
                base_usercom.pop(rule.key, None)
        vals = {"base_odoo": base_odoo, "base_usercom": base_usercom}
        if True in job.consents.values():
            vals["yes_written_at"] = consent.moment()
        self.write(vals)

    def _note_unwritten(self, job):
        """Know again what was there before a consent that then was not written.

        Else the "no" that it was to follow would count as a new one.
        """
        base = {rule.key: job.seen[rule.key] for rule in job.leading if rule.key in job.seen}
        if self and self.revision == job.revision:
            self.base_usercom = base | (self.base_usercom or {})

    def _record_sent(self, job, sent, snapshot):
        """Move the bases after a push.

        :return: whether this settles the job. Otherwise somebody else moved the base meanwhile,
            and what was read then may show the time before this call or after: so only what was
            written is noted, and the contact is read again.
        """
        self.ensure_one()
        settles = self.revision == job.revision
        base_odoo = {
            name: value
            for name, value in (self.base_odoo or {}).items()
            if name not in job.consents
        } | sent.outgoing
        base_usercom = {
            name: value
            for name, value in (self.base_usercom or {}).items()
            if name not in sent.outgoing
        }
        base_usercom |= {n: value for n, value in job.altered.items() if n in sent.outgoing}
        base_usercom |= {
            rule.key: sent.consents[rule.attribute]
            for rule in job.leading
            if rule.attribute in sent.consents
        }
        vals = {"revision": self.revision + 1}
        refusals = dict(sent.refused)
        if job.merges:
            left = [number for number in self.merge_ids or () if number not in job.merges]
            vals |= {"merge_ids": left or False, "merge_met": False}
        if sent.namesakes:
            refusals[mapping.EMAIL.attribute] = NamesakeThere(sent.namesakes)
        if settles:
            for name in job.outgoing.keys() - sent.outgoing.keys():
                # Was not written, so all is as before; what was refused does not go out again.
                base_odoo.pop(name, None)
                if name in job.bases:
                    base_odoo[name] = job.bases[name]
            unsent = {
                r.key for r in job.leading if r.attribute in job.consents
            } - base_usercom.keys()
            base_usercom |= {key: job.seen[key] for key in unsent & job.seen.keys()}
            base_usercom |= self._stored(job, sent, snapshot, refusals)
            refused = {
                name: value
                for name, value in (self.refused or {}).items()
                if name not in sent.outgoing
            }
            for name in refusals:
                refused[name] = job.consents.get(name, job.outgoing.get(name))
            vals |= {
                "usercom_id": sent.usercom_id,
                "state": "linked",
                "refused": refused,
            }
            if sent.custom_id:
                vals["send_custom_id"] = False
        if not job.usercom_id and sent.contact is None:
            vals["custom_id_there"] = self.custom_id  # it was created, or found, by this
        self.write(vals | {"base_odoo": base_odoo, "base_usercom": base_usercom})
        if settles:
            self._note_unsent(snapshot, refusals)
        else:
            self._look_again(sent.usercom_id)
        return settles

    def _stored(self, job, sent, snapshot, refusals):
        """What the answer to a write shows of what was written, for the base.

        :param refusals: gets what was answered, but not stored.
        """
        if sent.contact is None:
            return {}
        theirs, _notices = self._canonical(sent.contact, snapshot)
        stored = {name: theirs[name] for name in sent.outgoing if name in theirs}
        for rule in job.leading:
            if (word := sent.consents.get(rule.attribute)) is not None:
                shown = rule.shown(sent.contact.get(rule.attribute))
                if shown not in (None, word):
                    # No word of the person's, and no use in repeating it.
                    stored[rule.key] = shown
                    refusals[rule.attribute] = None
        return stored

    def _look_again(self, number):
        """Have the contact read again.

        :param number: its User.com ID.
        """
        if self.kind == mapping.COMPANY:
            self.account_id._list_companies_soon()
        else:
            self.env["usercom.ping"]._append([(self.account_id.id, "id", number)])

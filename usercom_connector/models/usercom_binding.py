import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.mail import email_normalize

from ..sync import consent, mapping, merge, values
from ..tools.exchange import PushJob


class BusyError(Exception):
    """Somebody's save holds the record right now."""


class TakenError(Exception):
    """User.com answered with a contact that is tied to another one in Odoo."""

    def __init__(self, usercom_id):
        super().__init__(usercom_id)
        self.usercom_id = usercom_id


class UsercomBinding(models.Model):
    """The tie between one contact in Odoo and one in User.com, and what both held when they agreed.

    A binding without a contact in Odoo is what is left of a deleted one: it keeps the contact in
    User.com from being created in Odoo again.
    """

    _name = "usercom.binding"
    _description = "User.com Binding"
    _order = "id desc"

    account_id = fields.Many2one(
        "usercom.account", required=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        "res.partner", "Contact", index="btree_not_null", ondelete="set null", readonly=True
    )
    usercom_id = fields.Char("User.com ID", readonly=True, help="User.com's own number.")
    usercom_url = fields.Char("Profile", compute="_compute_usercom_url")
    custom_id = fields.Char("User ID", required=True, readonly=True, help="The ID that we assign.")
    send_custom_id = fields.Boolean(
        readonly=True, help="The contact was in User.com without a User ID; it gets ours."
    )
    state = fields.Selection(
        [("new", "Being created"), ("linked", "Linked"), ("gone", "Deleted in User.com")],
        required=True,
        default="new",
        readonly=True,
    )
    origin = fields.Selection(
        [
            ("odoo", "Created from Odoo"),
            ("usercom", "Created from User.com"),
            ("matched", "Was on both sides"),
        ],
        required=True,
        readonly=True,
    )
    base_odoo = fields.Json(readonly=True)
    base_usercom = fields.Json(readonly=True)
    refused = fields.Json(readonly=True, help="Values that User.com did not take, not sent again.")
    notices = fields.Json(readonly=True, help="What of the contact could not travel, and why.")
    notice = fields.Text("Could Not Travel", compute="_compute_notice")
    revision = fields.Integer(readonly=True, help="Grows with each change of the base.")
    synced_at = fields.Datetime("Last in Step", readonly=True)

    _partner_uniq = models.Constraint(
        "UNIQUE(account_id, partner_id)", "A contact has one binding per account."
    )
    _usercom_id_uniq = models.Constraint(
        "UNIQUE(account_id, usercom_id)", "A contact in User.com has one binding per account."
    )
    _custom_id_uniq = models.Constraint(
        "UNIQUE(account_id, custom_id)", "A User ID belongs to one binding per account."
    )

    @api.depends("notices")
    @api.depends_context("lang")
    def _compute_notice(self):
        sentence = self.env["usercom.sentence"]
        for binding in self:
            texts = [sentence._of(code, args) for code, args in binding.notices or ()]
            binding.notice = "\n".join(texts) or False

    @api.depends("usercom_id", "account_id")
    def _compute_usercom_url(self):
        for binding in self:
            binding.usercom_url = binding.account_id._profile_url(binding.usercom_id)

    @api.depends("partner_id", "usercom_id", "custom_id")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_display_name(self):
        readable = self.partner_id._filtered_access("read")
        for binding in self:
            # sudo: who may see a contact may see the name of the company it belongs to.
            name = (binding.partner_id & readable).sudo().display_name
            binding.display_name = name or binding.usercom_id or binding.custom_id

    # === FINDING AND MAKING === #

    @api.model
    def _find(self, account, contact):
        """The binding of a contact in User.com.

        Also one whose contact was being created when the answer got lost: its User ID was
        committed before the call.
        """
        mine = Domain("account_id", "=", account.id)
        found = self.search(mine & Domain("usercom_id", "=", str(contact.id)), limit=1)
        if not found and contact.custom_id:
            found = self.search(
                mine
                & Domain("custom_id", "=", contact.custom_id)
                & Domain("usercom_id", "=", False),
                limit=1,
            )
        return found

    @api.model
    def _create_new(self, account, partner):
        """A binding for a contact that is going to be created in User.com, under a new User ID."""
        return self.create(
            {
                "account_id": account.id,
                "partner_id": partner.id,
                "custom_id": secrets.token_hex(16),
                "origin": "odoo",
            }
        )

    @api.model
    def _create_linked(self, account, partner, contact, origin):
        """A binding for a contact that is in User.com already. A User ID it has is kept."""
        binding = self.create(
            {
                "account_id": account.id,
                "partner_id": partner.id,
                "usercom_id": str(contact.id),
                "custom_id": contact.custom_id or secrets.token_hex(16),
                "send_custom_id": not contact.custom_id,
                "state": "linked",
                "origin": origin,
            }
        )
        binding._retry_held()
        return binding

    def _tie(self, contact):
        """Let a binding that has nobody in User.com have this contact, as at a first meeting."""
        self._forget_values()
        self.write(
            {
                "usercom_id": str(contact.id),
                "custom_id": contact.custom_id or self.custom_id,
                "send_custom_id": not contact.custom_id,
                "state": "linked",
                "origin": "matched",
                "synced_at": False,
                "revision": self.revision + 1,
            }
        )
        self._retry_held()

    def _retry_held(self):
        """Look again at what waited for a person, or for the ceiling, until these two were tied."""
        held = Domain("account_res_id", "=", self.account_id.id) & (
            Domain("due_at", "=", False) | Domain("problem_code", "=", "ceiling")
        )
        seen = Domain("lookup", "=", "id") & Domain("value", "=", self.usercom_id)
        mine = Domain("partner_res_id", "=", self.partner_id.id)
        for model, subject in (("usercom.ping", seen), ("usercom.change", mine)):
            rows = self.env[model].search(held & subject)
            rows.write({"problem_code": False, "problem_args": False})
            rows._retry()

    def _forget_values(self):
        """Forget all that the two sides held. Who is who stays."""
        self.write({"base_odoo": False, "base_usercom": False, "refused": False, "notices": False})

    def _leave_contact(self):
        """Become what is left of a contact that is no more: it must not come back, nothing else."""
        self._forget_values()
        self.write({"partner_id": False})

    def _lock(self):
        """Keep the binding for this transaction, or raise :class:`BusyError`."""
        if len(self.try_lock_for_update(allow_referencing=True)) != len(self):
            raise BusyError

    # === OUT === #

    def _job(self, snapshot, row_ids):
        """What there is to send for this binding, or ``None``.

        :param snapshot: of the contact, from ``res.partner._usercom_snapshots``.
        """
        self.ensure_one()
        refused = self.refused or {}
        wanted = merge.outgoing(snapshot.rules, snapshot.values, self.base_odoo or {})
        outgoing = {
            attribute: value
            for attribute, value in wanted.items()
            if attribute not in refused or refused[attribute] != value
        }
        seen = (self.base_usercom or {}).get(mapping.EMAIL_CONSENT)
        to_send = self._consent_to_send(snapshot, wanted)
        if to_send is not None and refused.get(mapping.EMAIL_CONSENT) == to_send:
            to_send = None
        body = values.payload(outgoing, self.account_id._country_names())
        if self.usercom_id and self.send_custom_id:
            body["custom_id"] = self.custom_id
        if self.state == "linked" and not body and to_send is None:
            return None
        return PushJob(
            partner_id=self.partner_id.id,
            row_ids=tuple(row_ids),
            binding_id=self.id,
            usercom_id=self.usercom_id or None,
            custom_id=self.custom_id,
            revision=self.revision,
            bases={name: base for name, base in (self.base_odoo or {}).items() if name in outgoing},
            outgoing=outgoing,
            body=body,
            address=snapshot.values.get(mapping.EMAIL.attribute),
            consent=to_send,
            consent_seen=seen,
            never_asked=snapshot.consent is None,
        )

    def _consent_to_send(self, snapshot, wanted):
        email, refused = mapping.EMAIL.attribute, self.refused or {}
        # Odoo's address says nothing about the one in User.com where it cannot be sent, or is not
        # taken there: of its consent only a "no" goes.
        is_refused = email in wanted and email in refused and refused[email] == wanted[email]
        has_address = bool(snapshot.values.get(email)) or email in wanted
        seen = (self.base_usercom or {}).get(mapping.EMAIL_CONSENT)
        to_send = consent.to_send(snapshot.consent, seen, has_address=has_address)
        return None if is_refused and snapshot.consent != consent.WITHDRAWN else to_send

    def _note_sending(self, job):
        """Forget the bases of what is going to be written, to be committed before the call.

        If the answer is lost, User.com may hold the one or the other.
        """
        base_odoo = (self.base_odoo or {}) | dict.fromkeys(job.outgoing, merge.UNANSWERED)
        base_usercom = dict(self.base_usercom or {})
        if job.consent is not None:
            base_usercom.pop(mapping.EMAIL_CONSENT, None)
        self.write({"base_odoo": base_odoo, "base_usercom": base_usercom})

    def _record_sent(self, job, sent, began):
        """Move the bases after a push, and take in what else the answer shows.

        :param began: a time before the call.
        :return: whether this settles the job. Otherwise somebody else moved the base meanwhile:
            the rows stay, and the contact is read again.
        """
        self.ensure_one()
        if self.revision != job.revision:
            self._record_overtaken(sent)
            return False
        if self._other_with("usercom_id", sent.usercom_id):
            raise TakenError(sent.usercom_id)
        base_odoo = dict(self.base_odoo or {}) | sent.outgoing
        for name in sent.refused:
            # Was not written, so all is as before; ``refused`` keeps it from going out again.
            base_odoo.pop(name, None)
            if name in job.bases:
                base_odoo[name] = job.bases[name]
        base_usercom = {
            name: value
            for name, value in (self.base_usercom or {}).items()
            if name not in sent.outgoing
        }
        if sent.consent is not None:
            base_usercom[mapping.EMAIL_CONSENT] = sent.consent
        if sent.contact is not None:
            theirs, _notices = self._canonical(sent.contact)
            base_usercom |= {name: theirs[name] for name in sent.outgoing if name in theirs}
        refusals = dict(sent.refused)
        if sent.consent is not None and sent.contact is not None:
            stored = values.boolean(sent.contact.get(mapping.EMAIL_CONSENT))
            if stored is not None and stored != sent.consent:
                # Answered, but not stored: no word of the person's, and no use in repeating it.
                base_usercom[mapping.EMAIL_CONSENT] = stored
                refusals[mapping.EMAIL_CONSENT] = None
        refused = {
            name: job.consent if name == mapping.EMAIL_CONSENT else job.outgoing.get(name)
            for name in refusals
        }
        self.write(
            {
                "usercom_id": sent.usercom_id,
                "state": "linked",
                "send_custom_id": False,
                "base_odoo": base_odoo,
                "base_usercom": base_usercom,
                "refused": {
                    name: value
                    for name, value in (self.refused or {}).items()
                    if name not in sent.outgoing
                }
                | refused,
                "revision": self.revision + 1,
            }
        )
        snapshots = self.partner_id._usercom_snapshots(self.account_id)
        self._note_unsent(snapshots[self.partner_id.id], refusals)
        if sent.contact is not None:
            self._absorb(sent.contact, began, moved=mapping.EMAIL.attribute in sent.outgoing)
        else:
            self.synced_at = began
        return True

    def _record_overtaken(self, sent):
        # A read was recorded since the call was planned, and it may show the time before it or
        # after. So only what was written is noted, and the contact is read again.
        base_usercom = {
            name: value
            for name, value in (self.base_usercom or {}).items()
            if name not in sent.outgoing
        }
        if sent.consent is not None:
            base_usercom[mapping.EMAIL_CONSENT] = sent.consent
        self.write(
            {
                "base_odoo": (self.base_odoo or {}) | sent.outgoing,
                "base_usercom": base_usercom,
                "revision": self.revision + 1,
            }
        )
        self.env["usercom.ping"]._append([(self.account_id.id, "id", sent.usercom_id)])

    def _other_with(self, name, value):
        return self.search(
            [
                ("account_id", "=", self.account_id.id),
                (name, "=", value),
                ("id", "!=", self.id),
            ],
            limit=1,
        )

    # === IN === #

    def _canonical(self, contact):
        """A read of User.com in canonical form.

        :return: attribute to value, leaving out what the answer did not show and what is no value,
            and the notices about the latter.
        """
        partner = self.partner_id
        theirs, notices = {}, []
        for rule in mapping.FIXED_MAPPING:
            if contact.has(rule.attribute):
                theirs[rule.attribute] = values.text(contact.get(rule.attribute))
        if address := theirs.get(mapping.EMAIL.attribute):
            theirs[mapping.EMAIL.attribute] = email_normalize(address)
            if not theirs[mapping.EMAIL.attribute]:
                del theirs[mapping.EMAIL.attribute]
                notices.append(("not_an_email_there", {}))
        if mapping.NAME.attribute in theirs:
            theirs[mapping.NAME.attribute] = values.person_name(contact.name, contact.email)
        if country := theirs.get(mapping.COUNTRY.attribute):
            code = self.account_id._country_codes().get(country.casefold())
            if code:
                theirs[mapping.COUNTRY.attribute] = code
            else:
                del theirs[mapping.COUNTRY.attribute]
                notices.append(("unknown_country", {"value": country}))
        if number := theirs.get(mapping.PHONE.attribute):
            e164 = partner._phone_format(
                number=number, country=self._phone_country(theirs), force_format="E164"
            )
            if e164:
                theirs[mapping.PHONE.attribute] = e164
            else:
                del theirs[mapping.PHONE.attribute]
                notices.append(("not_a_phone_there", {}))
        return theirs, notices

    def _phone_country(self, theirs):
        # A number without country code is read as one of the country the contact lives in.
        country = self.env["res.country"]
        if code := theirs.get(mapping.COUNTRY.attribute):
            country = country.search([("code", "=", code)], limit=1)
        return country or self.partner_id.country_id

    def _absorb(self, contact, began, moved=False):
        """Merge a read of User.com into the contact in Odoo and move the bases.

        The caller has locked the binding and made sure that the base is the one that was there
        when the read began. Writes only what differs.

        :param began: a time before the read.
        :param moved: whether this answers a write of ours that changed the e-mail address. A
            consent that it shows was given for the old one.
        :raises BusyError: when a user's save holds the contact; nothing is written then.
        """
        self.ensure_one()
        now = consent.moment()
        partner = self.partner_id
        snapshot = partner._usercom_snapshots(self.account_id)[partner.id]
        theirs, notices = self._canonical(contact)
        merged = merge.merge(
            snapshot.rules,
            snapshot.values,
            theirs,
            self.base_odoo or {},
            self.base_usercom or {},
        )
        if merged.into:
            self._write_into(partner, merged)
        self._absorb_consent(contact, merged, now, moved)
        vals = {
            "usercom_id": str(contact.id),
            "state": "linked",
            # A consent that the next read shows is dated from here on. It must not pass a "no" that
            # somebody entered while this read was on its way.
            "synced_at": began if self._is_consent_said_since(began) else now,
        }
        if contact.custom_id not in (None, "", self.custom_id):
            vals["send_custom_id"] = False
            if not self._other_with("custom_id", contact.custom_id):
                vals["custom_id"] = contact.custom_id
        elif contact.custom_id:
            vals["send_custom_id"] = False
        if merged.base_odoo != self.base_odoo or merged.base_usercom != self.base_usercom:
            vals |= {
                "base_odoo": merged.base_odoo,
                "base_usercom": merged.base_usercom,
                "revision": self.revision + 1,
            }
        self.write(vals)
        self._set_notices("in", notices)
        if self._job(partner._usercom_snapshots(self.account_id)[partner.id], ()):
            partner._usercom_enqueue(self.account_id)

    def _write_into(self, partner, merged):
        if not partner.try_lock_for_update(allow_referencing=True):
            raise BusyError
        partner.write(partner._usercom_vals(self.account_id, merged.into))
        after = partner._usercom_snapshots(self.account_id)[partner.id].values
        for attribute in merged.into:
            # What Odoo made of it. Without a base where it cannot be sent back (a name whose parts
            # are longer than ours may be), or it would count as an edit.
            merged.base_odoo.pop(attribute)
            if attribute in after:
                merged.base_odoo[attribute] = after[attribute]

    def _is_consent_said_since(self, moment):
        said = [
            ("partner_id", "=", self.partner_id.id),
            ("source", "!=", "usercom"),
            ("happened_at", ">=", moment),
        ]
        return bool(self.env["usercom.consent.event"].search_count(said, limit=1))

    def _absorb_consent(self, contact, merged, now, moved):
        read = values.boolean(contact.get(mapping.EMAIL_CONSENT))
        event = consent.observed(
            read,
            merged.base_usercom.get(mapping.EMAIL_CONSENT),
            known=mapping.EMAIL_CONSENT in merged.base_usercom,
            last_read_at=self.synced_at,
            now=now,
        )
        if read is not None:
            merged.base_usercom[mapping.EMAIL_CONSENT] = read
        # The word was said about the address that User.com holds.
        address = email_normalize(contact.email) or self.partner_id.email_normalized
        if event and address and not (event.given and moved):
            self.env["usercom.consent.event"].create(
                {
                    "partner_id": self.partner_id.id,
                    "address": address,
                    "state": consent.GIVEN if event.given else consent.WITHDRAWN,
                    "happened_at": event.at,
                    "source": "usercom",
                    "account_id": self.account_id.id,
                }
            )

    def _mark_gone(self):
        """The contact was deleted in User.com. It is shown, and never created again by itself."""
        self.write({"state": "gone", "revision": self.revision + 1})

    def _note_unsent(self, snapshot, refusals=()):
        """Note what of the contact cannot travel to User.com now.

        A refusal stands as long as the value that was refused would be sent. After that it is
        forgotten, so that the same value is tried anew when somebody enters it again.

        :param refusals: attribute to User.com's words, for what it has just refused; to ``None``
            for what it has silently not stored.
        """
        wanted = merge.outgoing(snapshot.rules, snapshot.values, self.base_odoo or {})
        to_send = self._consent_to_send(snapshot, wanted)
        if to_send is not None:
            wanted[mapping.EMAIL_CONSENT] = to_send
        refused = self.refused or {}
        standing = {
            name: value
            for name, value in refused.items()
            if name in wanted and wanted[name] == value
        }
        if standing != refused:
            self.refused = standing
        kept = [
            (code, args)
            for code, args in self.notices or ()
            if code in ("refused_value", "not_stored")
            and args["attribute"] in standing.keys() - set(refusals)
        ]
        new = [
            ("refused_value", {"attribute": name, "reason": refusals[name]})
            if refusals[name]
            else ("not_stored", {"attribute": name})
            for name in refusals
        ]
        self._set_notices("out", snapshot.notices + kept + new)

    def _set_notices(self, direction, notices):
        """Replace what could not travel in one direction.

        :param notices: list of (code, args) for ``usercom.sentence``.
        """
        kept = [
            (code, args) for code, args in self.notices or () if args.get("direction") != direction
        ]
        found = kept + [(code, args | {"direction": direction}) for code, args in notices]
        if found != [tuple(notice) for notice in self.notices or ()]:
            self.notices = found

    @api.model
    def _created_within_a_day(self, account, origin):
        """The bindings of the contacts that were created from one side in the last 24 hours.

        And of those that are being created now. What was refused created nobody.
        """
        since = fields.Datetime.now() - timedelta(days=1)
        recent = self.search(
            [
                ("account_id", "=", account.id),
                ("origin", "=", origin),
                ("create_date", ">=", since),
            ],
            order="create_date",
        )
        creating = set(recent._rows_creating().mapped("partner_res_id"))
        return recent.filtered(
            lambda binding: binding.usercom_id or binding.partner_id.id in creating
        )

    @api.model
    def _being_created(self, account, email, phone):
        """The bindings, not tied yet, of contacts that have this address, or number without one."""
        address = Domain("partner_id.email_normalized", "=", email)
        number = Domain("partner_id.phone_sanitized", "=", phone)
        return self.search(
            Domain("account_id", "=", account.id)
            & Domain("state", "=", "new")
            & (address if email else number if phone else Domain.FALSE)
        )

    def _rows_creating(self):
        """The rows by which these, of one account, are going to be created; the soonest first.

        There is none where a person has to see to it first: nobody waits for that.
        """
        new = self.filtered(lambda binding: binding.state == "new")
        return self.env["usercom.change"].search(
            [
                ("account_res_id", "in", new.account_id.ids),
                ("partner_res_id", "in", new.partner_id.ids),
                ("due_at", "!=", False),
            ],
            order="due_at",
        )

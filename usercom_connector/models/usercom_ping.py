import json
import time
from functools import partial

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, hmac, split_every
from psycopg2.extras import Json

from .. import client
from ..sync import consent, converters, mapping, values
from ..sync.attributes import STANDARD
from ..sync.pacing import EDIT
from ..tools import exchange
from .usercom_binding import Read
from .usercom_queue import RECORDED_TOGETHER
from .usercom_verdict import DIFFERENT, LEFT, SAME

#: So many seconds a call that may be the echo of a push waits for the push to be recorded.
ECHO_WAITS = 10
#: What each read shows of a contact, also where it has no value.
STANDARD_NAMES = frozenset(attribute.name for attribute in STANDARD[mapping.CONTACT])


class UsercomPing(models.Model):
    """A row that says "look at this contact in User.com". It holds no value to be believed.

    But a "no" (design.md, promise 8), which may lower a consent that was given before.
    """

    _name = "usercom.ping"
    _inherit = "usercom.listing"
    _description = "Contact to Read"

    _direction = "pull"
    _cron_xmlid = "usercom_connector.ir_cron_pull"
    _subject = ("lookup", "value")
    _questions = ("several_here", "taken_here", "user_id_taken", "not_taking_part", "deleted_here")

    lookup = fields.Selection(
        [
            ("id", "User.com ID"),
            ("custom_id", "User ID"),
            ("key", "Browser key"),
            ("email", "E-mail"),
            ("none", "No contact named"),
        ],
        "Known By",
        required=True,
        readonly=True,
    )
    value = fields.Char(readonly=True)
    usercom_url = fields.Char("Profile", compute="_compute_usercom_url")
    digest = fields.Char(
        readonly=True, help="Of the mapped values that the call showed; the values are not kept."
    )

    said_no = fields.Json(readonly=True, help="The consents' attributes that the call says no to.")
    called_at = fields.Datetime(readonly=True, help="When, in User.com's clock.")

    _due_idx = models.Index("(account_res_id, priority, due_at)")
    _subject_idx = models.Index("(account_res_id, value)")

    @api.depends("lookup", "value")
    def _compute_display_name(self):
        lookups = dict(self._fields["lookup"]._description_selection(self.env))
        for row in self:
            row.display_name = f"{lookups.get(row.lookup)} {row.value or ''}".strip()

    @api.depends("lookup", "value", "account_id")
    def _compute_usercom_url(self):
        for row in self:
            row.usercom_url = row.lookup == "id" and row.account_id._profile_url(row.value)

    def _person(self):
        """Who in User.com waits to be created, as far as it is known: equal for the same one."""
        number = (self.problem_args or {}).get("usercom_id")
        return ("id", number) if number else (self.lookup, self.value)

    # === APPENDING === #

    @api.model
    def _append(self, subjects, priority=EDIT, digest=None, said_no=None):
        """Insert rows by one statement.

        :param subjects: list of (account id, lookup, value).
        :param digest: of the values that a call showed, from :meth:`_digest_of_call`.
        :param said_no: the attributes that a call said no to and when, from :meth:`_no_of_call`.
        """
        names, called_at = said_no or (None, None)
        row = (fields.Datetime.now(), 0, priority, digest, names and Json(names), called_at)
        rows = SQL(", ").join(SQL("%s", (*subject, *row)) for subject in subjects)
        self.env.cr.execute(
            SQL(
                "INSERT INTO usercom_ping "
                "(account_res_id, lookup, value, due_at, attempts, priority, digest, "
                "said_no, called_at) VALUES %s",
                rows,
            )
        )
        self._wake()

    @api.model
    def _digest_of_call(self, account_id, user):
        """What a call of the webhook shows of the mapped fields.

        It only saves a read where it shows nothing new (design.md, promise 8).

        :param user: the contact as the call's body shows it.
        :return: a digest, or ``None`` where the call does not show all that comes in.
        """
        contact = client.Contact.from_webhook(user)
        if contact is None:
            return None
        is_list = isinstance(user.get("attributes"), list)
        account = self.env["usercom.account"].browse(account_id)
        listed = account._absent_consents()
        if is_list:
            listed |= {r.attribute for r in account._consent_rules()} - {consent.UNSUBSCRIBED}
        if any(
            not contact.has(rule.attribute)
            for rule in account._consent_rules()
            if rule.attribute not in listed
        ):
            return None  # what it leaves out may be a "no"
        return self._digest_of(account_id, contact, is_list=is_list)

    @api.model
    def _no_of_call(self, account_id, body):
        """What a call of the webhook says no to, and when.

        :param body: of the call, whose secret was right.
        :return: list of attributes, and the time in UTC; ``None`` where it says no to nothing.
        """
        user, at = body.get("user"), values.moment(body.get("timestamp"))
        contact = client.Contact.from_webhook(user)
        if not contact or not at:
            return None
        shown = {consent.UNSUBSCRIBED: contact.unsubscribed}
        if values.boolean(user.get("emails_enabled")) is False:
            shown[consent.UNSUBSCRIBED] = True  # the same, told the other way round
        names = {
            rule.attribute
            for rule in self.env["usercom.account"].browse(account_id)._consent_rules()
            if rule.shown(shown.get(rule.attribute, contact.get(rule.attribute))) is False
        }
        # A clock that is ahead of ours must not make it later than it came.
        return (sorted(names), min(at, consent.moment())) if names else None

    @api.model
    def _digest_of(self, account_id, contact, is_list=False):
        """As :meth:`_digest_of_call`, of a contact.

        :param is_list: whether custom attributes that it does not show have no value.
        """
        rules, context = self.env["usercom.account"]._reading_of(account_id)
        if context is None:
            return None
        theirs, notices = converters.canonical_of_contact(rules, contact.get, contact.has, context)
        if notices:
            return None  # a list of which only a part is known shows more than the base
        if is_list:
            # Such a list names the custom attributes that have a value.
            names = {rule.attribute for rule in rules} - STANDARD_NAMES
            theirs |= dict.fromkeys(name for name in names if not contact.has(name))
        if len(theirs) != len(rules):
            return None
        consents = {
            rule.key: rule.shown(contact.get(rule.attribute))
            for rule in self.env["usercom.account"].browse(account_id)._consent_rules()
        }
        return self._digest(theirs, consents)

    @api.model
    def _digest(self, shown, consents):
        message = json.dumps([shown, consents], sort_keys=True)
        return hmac(self.sudo().env, "usercom.ping", message)  # sudo: the database's secret

    # === WORKING OFF === #

    @api.model
    def _process(self, account, stream, usercom, groups, deadline):
        started, done = time.monotonic(), len(groups)
        revisions = self._in_transaction(lambda: self._plan(account, groups))
        jobs = [subject for subject, rows in groups.items() if subject[0] != "none"]
        began = consent.moment()
        usercom = usercom.within(deadline)
        answers = exchange.run_all(jobs, lambda subject: exchange.read(usercom, *subject), deadline)
        for some in split_every(RECORDED_TOGETHER, answers):
            self._in_transaction(
                partial(self._record, account, stream, groups, some, revisions, began)
            )
        seconds = time.monotonic() - started
        self._in_transaction(partial(self._adapt_batch, stream, answers, seconds))
        return done

    @api.model
    def _plan(self, account, groups):
        """Note how the bases stand before the reads begin.

        A read is merged only into the base that was there when it began: otherwise an older read
        would undo a newer push.

        :return: binding id to revision.
        """
        self._hold_back(account, groups, "usercom")
        wanted = {"id": [], "custom_id": []}
        for (lookup, value), rows in groups.items():
            wanted.get(lookup, []).append(value)
            if lookup == "none":
                rows._park("no_identity")
        bindings = self.env["usercom.binding"].search(
            Domain("account_id", "=", account.id)
            & Domain("kind", "=", mapping.CONTACT)
            & (
                Domain("usercom_id", "in", wanted["id"])
                | Domain("custom_id", "in", wanted["custom_id"])
            )
        )
        self._lower_by_calls(self._by_subject(groups, bindings))
        self._pass_over_echoes(account, groups, bindings)
        return {binding.id: binding.revision for binding in bindings}

    @api.model
    def _lower_by_calls(self, pieces):
        """Record each "no" that calls said, and that a read may not show.

        :param pieces: list of (rows, binding).
        """
        self.env["usercom.binding"]._lower_by_calls(
            [
                (binding, row.said_no, row.called_at)
                for rows, binding in pieces
                for row in rows
                if row.said_no and binding
            ]
        )

    @api.model
    def _by_subject(self, groups, bindings):
        """The bindings of those rows that name a contact by one of its numbers, beside them."""
        by_subject = {("id", binding.usercom_id): binding for binding in bindings}
        by_subject |= {("custom_id", binding.custom_id): binding for binding in bindings}
        return [(rows, by_subject.get(subject)) for subject, rows in groups.items()]

    def _keep_one(self, **vals):
        told = self.filtered("said_no")
        if len(self) > 1 and told:
            names = {name for row in told for name in row.said_no}
            vals |= {"said_no": sorted(names), "called_at": max(told.mapped("called_at"))}
        super()._keep_one(**vals)

    @api.model
    def _pass_over_echoes(self, account, groups, bindings):
        """Take out what shows nothing new, and what a push is about to settle: it costs no read."""
        by_rows = dict(self._by_subject(groups, bindings))
        rules, _context = account._reading_of(account.id)
        is_creating = None
        done = self.browse()
        for subject, rows in list(groups.items()):
            digests = set(rows.mapped("digest"))
            if False in digests or not rows[-1:].due_at:
                continue
            binding = by_rows[rows]
            if binding is None and is_creating is None:
                is_creating = bindings._is_creating(account)
            if binding._is_in_flight() if binding else is_creating:
                if rows._wait_for_push():
                    del groups[subject]
            elif (
                binding
                and binding.state == "linked"
                and not binding.conflict_ids  # what is asked about may be settled by it
                and digests == {self._digest(*binding._shown(rules))}
            ):
                done += rows
                del groups[subject]
        done._drop()

    def _wait_for_push(self):
        """Let these rows wait for a push to be recorded, unless they have done so for long.

        :return: whether they wait.
        """
        attempts = max(self.mapped("attempts")) + 1
        if attempts <= ECHO_WAITS:
            self._wait(1, "busy", attempts=attempts)
        return attempts <= ECHO_WAITS

    @api.model
    def _record(self, account, stream, groups, answers, revisions, began):
        places = [account._creations_left("usercom")]
        pieces, gone, done = [], [], self.browse()
        rows_left = set(self.union(*(groups[s] for s, _answer in answers)).exists()._ids)
        for subject, answer in answers:
            rows = self.browse(i for i in groups[subject]._ids if i in rows_left)
            rows = rows.with_prefetch(rows_left)
            if rows._settle_failure(account, stream, answer):
                continue
            if not answer:
                gone += [subject[1]] if subject[0] == "id" else []
                done += rows
            elif len(answer) > 1:
                self._append([(account.id, "id", str(contact.id)) for contact in answer])
                done += rows
            else:
                pieces.append((rows, answer[0]))
        self.env["usercom.binding"].search(
            [
                ("account_id", "=", account.id),
                ("kind", "=", mapping.CONTACT),
                ("usercom_id", "in", gone),
            ]
        )._mark_gone()
        done._drop()
        self._in_bulk(pieces, partial(self._record_some, account, revisions, began, places))
        if any(isinstance(answer, list) for _subject, answer in answers):
            stream._succeeded()

    @api.model
    def _record_some(self, account, revisions, began, places, pieces):
        """Take in contacts as they were read.

        :param revisions: of the bindings, by id, from before the read.
        :param places: how many more may be created; counted down.
        :param pieces: list of (rows, contact).
        """
        bindings = self.env["usercom.binding"]
        found = bindings._find(account, [contact for _rows, contact in pieces])
        locked = bindings.union(*found.values())._locked()
        # Here of those that a call names in another way.
        self._lower_by_calls([(rows, found[contact.id]) for rows, contact in pieces])
        unknown = [piece for piece in pieces if not found[piece[1].id]]
        left = list(places)
        reads, done, _aside = self._take_in(account, began, left, unknown, account.create_in_odoo)
        for rows, contact in pieces:
            binding = found[contact.id]
            if not binding:
                continue
            if not binding.partner_id:
                # Deleted in Odoo: it does not come back by itself.
                if not binding.usercom_id:
                    binding.write({"usercom_id": str(contact.id), "state": "linked"})
                    binding._forget_user_id()
                done += rows
            elif not account._covers(binding.partner_id):
                done += rows  # has moved to another company: stays as it is here
            elif binding.usercom_id and revisions.get(binding.id) != binding.revision:
                self._append([(account.id, "id", str(contact.id))])
                done += rows
            elif binding._is_saying() and rows._wait_for_push():
                pass
            elif binding not in locked:
                rows._wait(1, "busy")
            else:
                reads[binding.id] = Read(binding, contact, began)
                done += rows
        bindings._absorb(account, list(reads.values()))
        done._drop()
        places[:] = left  # last: what fails before is undone, and done again one by one
        return []

    @api.model
    def _take_in(self, account, began, places, pieces, creates):
        """Find the contacts in Odoo that these are, or create them.

        :param pieces: list of (rows, contact); there need not be any rows.
        :param creates: whether to create whom nobody in Odoo is.
        :return: binding id to the read that is to be absorbed, the rows that are done, and the
            contacts that have to wait, or need a person.
        """
        bindings = self.env["usercom.binding"]
        shown = {contact.id: self._shown_by(account, contact) for _rows, contact in pieces}
        same = self.env["res.partner"]._usercom_same_people(account, shown.values())
        tied = bindings._of_partners(account, self.env["res.partner"].union(*same.values()))
        custom_ids = bindings._by_custom_id(account, [contact for _rows, contact in pieces])
        owners = bindings.union(*custom_ids.values()).partner_id
        said = self.env["usercom.verdict"]._answers(
            account, owners.union(*same.values()), [contact.id for _rows, contact in pieces]
        )
        keys = {s.get("email") or s.get("phone_number") for s in shown.values()}
        deleted = bindings._deleted_here(account, keys - same.keys() - {None})
        known = self._strangers_no(account, [contact for _rows, contact in pieces])
        reads, done, to_link, to_create, begun, aside = {}, self.browse(), [], [], set(), []
        for rows, contact in pieces:
            theirs = shown[contact.id]
            key = theirs.get("email") or theirs.get("phone_number")
            if not contact.is_user or not key:
                done += rows  # a mere visitor, or nobody one could write to
                continue
            if {contact.id, key} & begun:
                rows._wait(0, "busy")  # one of these has just become this one, or its namesake
                aside.append(contact)
                continue
            people = same.get(key, self.env["res.partner"])
            owner = custom_ids.get(contact.custom_id)
            partner = rows._only_candidate(account, contact, people, tied, owner, said)
            if partner is None:
                rows._hear_stranger(account, contact, theirs, people, known)
                aside.append(contact)
                continue
            if not partner and key in deleted:
                rows._park("deleted_here", usercom_id=str(contact.id))
                aside.append(contact)
                continue
            if binding := tied.get(partner.id):
                # Deleted there and here again, or refused when we would have created it.
                binding._tie(contact)
                reads[binding.id] = Read(binding, contact, began)
            elif partner:
                to_link.append((partner, contact, "matched"))
            elif not creates:
                # The number tells how many people wait: one may be called about by its e-mail, too.
                rows._park("creation_off", usercom_id=str(contact.id))
                continue
            elif places[0] <= len(to_create):
                rows._wait_for_ceiling(account, "usercom")
                aside.append(contact)
                continue
            else:
                to_create.append((contact, theirs))
            begun |= {contact.id, key}
            done += rows
        created = self.env["res.partner"]._usercom_create(account, to_create)
        to_link += [(partner, contact, "usercom") for partner, contact, _vals in created]
        linked = bindings._create_linked(account, to_link)
        for binding, (_partner, contact, _origin) in zip(linked, to_link, strict=True):
            reads[binding.id] = Read(binding, contact, began)
        for partner, _contact, vals in created:
            partner._usercom_pulled(account, vals)
        places[0] -= len(created)
        return reads, done, aside

    @api.model
    def _strangers_no(self, account, contacts):
        """What those of these contacts have said no to who wait for a person to say who they are.

        :return: the contact's number to (row, attributes).
        """
        rows = self.search(
            [
                ("account_res_id", "=", account.id),
                ("lookup", "=", "id"),
                ("value", "in", [str(contact.id) for contact in contacts]),
                ("problem_code", "in", self._questions),
            ]
        )
        return {row.value: (row, set((row.problem_args or {}).get("said_no", ()))) for row in rows}

    def _hear_stranger(self, account, contact, theirs, people, known):
        """Record the "no" of somebody who waits for a person, for all who have the address.

        The row keeps what was heard: a consent that has followed since stands.

        :param known: of :meth:`_strangers_no`.
        """
        row, heard = known.get(str(contact.id), (self, set()))
        row = (self.exists() or row.exists())[:1]
        if row.problem_code not in self._questions:
            return  # nobody is asked, or not yet
        rules = [
            rule
            for rule in account._consent_rules()
            if rule.said(contact.get(rule.attribute), None) is False
        ]
        row.problem_args |= {"said_no": sorted({rule.attribute for rule in rules})}
        there = {*people.mapped("email_normalized"), *people.mapped("phone_sanitized")}
        events = self.env["usercom.consent.event"]
        for rule in rules:
            address = rule.address and theirs.get(rule.address)
            if rule.attribute not in heard and address in there:
                events._record_there(
                    {address: {}},
                    self.env["usercom.consent.purpose"].browse(rule.purpose),
                    consent.WITHDRAWN,
                    "usercom",
                    happened_at=contact.read_at,
                    origin=account.name,
                    account_id=account.id,
                    user_id=False,
                )

    @api.model
    def _shown_by(self, account, contact):
        """What a contact that is tied to nobody shows, in canonical form."""
        rules, context = account._rules(mapping.CONTACT), account._context()
        return converters.canonical_of_contact(rules, contact.get, contact.has, context)[0]

    def _only_candidate(self, account, contact, same, tied, owner, said):
        """The contact in Odoo that one from User.com is.

        :param same: contacts with its address or number.
        :param tied: partner id to binding.
        :param owner: the binding that has its User ID already.
        :param said: what a person said, from ``usercom.verdict._answers``.
        :return: one contact, none where it is nobody, and ``None`` where these rows have been put
            aside with the reason, or dropped.
        """
        number = str(contact.id)
        answers = [said.get((partner.id, number)) for partner in same]
        meant = self.env["usercom.verdict"]._narrow_down(list(same), answers)
        if meant is None:
            self._drop()  # a person said that nothing is to become of it
            return None
        same = same.browse().union(*meant)
        is_sure = SAME in answers and len(same) == 1
        people = same._usercom_take_part(account).filtered(lambda partner: not partner.is_company)
        binding = tied.get(people.id) if len(people) == 1 else None
        asked_about = owner and said.get((owner.partner_id.id, number))
        if is_sure and (not people or (binding and binding.state == "linked")):
            self._drop()  # the same person, who does not take part or has a tie that is to stay
        elif not same and asked_about in (SAME, LEFT):
            self._drop()
        elif len(people) > 1:
            self._park("several_here", partner_ids=people.ids, usercom_id=number)
        elif same and not people:
            self._park("not_taking_part", partner_ids=same.ids, usercom_id=number)
        elif binding and binding.state == "linked":
            self._park("taken_here", partner_ids=people.ids, usercom_id=number)
        elif binding and (ahead := binding._rows_creating()):
            self._wait_behind(ahead, 30)  # the push finds out that it is this one
        elif owner and owner != binding and not is_sure and asked_about != DIFFERENT:
            self._park(
                "user_id_taken",
                partner_id=owner.partner_id.id,
                partner_ids=people.ids,
                usercom_id=number,
            )
        elif binding and not binding._locked():
            self._wait(1, "busy")
        else:
            return people
        return None

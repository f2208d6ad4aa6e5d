from odoo import api, models
from odoo.tools import SQL, format_date, format_datetime

from ..sync import consent
from .usercom_consent_purpose import ADDRESSES

#: How a contact stands with a purpose: given comes apart into what may be used and what may not.
OPEN = "open"
HINDERED = "hindered"
NEVER = "never"

#: The address of a contact to Odoo's blacklist of such addresses: table and column.
BLACKLISTS = {
    "email_normalized": ("mail.blacklist", "email"),
    "phone_sanitized": ("phone.blacklist", "number"),
}
#: Sources of events that somebody who works here has recorded for the person.
BY_COLLEAGUES = ("odoo", "paper", "phone", "person", "email", "complaint", "import")
ICONS = {
    "email": "fa-envelope-o",
    "sms": "fa-commenting-o",
    "call": "fa-phone",
    "push": "fa-bell-o",
    "post": "fa-inbox",
}


class UsercomConsentStanding(models.AbstractModel):
    """How contacts stand with each purpose, as screens show it and lists look for it."""

    _name = "usercom.consent.standing"
    _description = "Consent Standing"

    @api.model
    def _purposes(self):
        """What people can be asked for now."""
        # sudo: purposes are no secret; portal users may not read the model.
        return self.env["usercom.consent.purpose"].sudo().search([("active", "=", True)])

    # === FOR SOME CONTACTS === #

    @api.model
    def _of(self, partners, purposes):
        """The standing of each contact at the addresses it has now, also in an unsaved form.

        A handful of queries, however many contacts.

        :return: partner id to purpose id to (state or ``None``, event, what hinders or ``False``).
        """
        events = self.env["usercom.consent.event"]
        keys = {}
        for partner in partners:
            for purpose in purposes:
                address = purpose._address_of(partner)
                if address or purpose.channel not in ADDRESSES:
                    keys[partner.id, purpose.id] = address or partner._origin.id
        said = events._said(set(keys.values()), purposes)
        listed = self._listed({key for key in keys.values() if isinstance(key, str)})
        found = {partner.id: {} for partner in partners}
        deciding = {}
        for partner in partners:
            for purpose in purposes:
                key = keys.get((partner.id, purpose.id))
                every = [word[1:] for word in said.get((purpose.id, key), ())]
                word = consent.latest(
                    word[1:]
                    for word in said.get((purpose.id, key), ())
                    if word[0] == partner._origin.id or word[1] == consent.WITHDRAWN
                )
                hindrance = (
                    (key in listed and "blacklist")
                    or (consent.is_blocked(every) and "blocked")
                    or False
                )
                deciding[partner.id, purpose.id] = word and word[2]
                found[partner.id][purpose.id] = (word and word[0], hindrance)
        # One set of records, so that reading the first of them reads all.
        by_id = {event.id: event for event in events.browse(filter(None, deciding.values()))}
        return {
            partner_id: {
                purpose_id: (state, by_id.get(deciding[partner_id, purpose_id], events), hindrance)
                for purpose_id, (state, hindrance) in standings.items()
            }
            for partner_id, standings in found.items()
        }

    @api.model
    def _listed(self, addresses):
        """Those of the addresses that are on a blacklist of Odoo."""
        listed = set()
        if addresses:
            for model, column in BLACKLISTS.values():
                # sudo: that an address is listed is for everybody who may read the contact.
                rows = self.env[model].sudo().search_fetch([(column, "in", addresses)], [column])
                listed.update(rows.mapped(column))
        return listed

    @api.model
    def _name_of(self, state, hindrance):
        """One of the values of the fields that contacts are looked for and grouped by."""
        if state == consent.GIVEN:
            return HINDERED if hindrance else OPEN
        return state or NEVER

    # === FOR ALL CONTACTS === #

    @api.model
    def _sql(self, purposes):
        """The same for all contacts, in one query: contact_id, purpose_id, happened_at, standing.

        There is no row for never asked. Same weights as ``sync.consent.latest``.
        """
        self.env["res.partner"].flush_model(list(BLACKLISTS))
        self.env["res.partner"]._usercom_recall_gathered()
        self.env["usercom.consent.event"].flush_model()
        for model, column in BLACKLISTS.values():
            self.env[model].flush_model([column, "active"])
        by_address = {}
        for purpose in purposes:
            address = ADDRESSES.get(purpose.channel)
            by_address[address] = by_address.get(address, purposes.browse()) | purpose
        parts = [self._sql_part(address, some) for address, some in by_address.items()]
        return SQL(" UNION ALL ").join(parts) if parts else self._sql_part(None, purposes)

    @api.model
    def _sql_part(self, address, purposes):
        facts = {
            "purposes": tuple(purposes.ids) or (0,),
            "given": consent.GIVEN,
            "withdrawn": consent.WITHDRAWN,
            "pending": consent.PENDING,
        }
        if not address:
            words = SQL(
                """
                SELECT partner_id AS contact_id, NULL AS address, purpose_id, state, happened_at
                  FROM usercom_consent_event
                 WHERE partner_id IS NOT NULL AND address_hash IS NULL
                   AND purpose_id IN %(purposes)s
                """,
                **facts,
            )
            hindered = SQL("FALSE")
            key = SQL("word.contact_id = overlay.partner_id AND overlay.address_hash IS NULL")
        else:
            # An erased person's events have only the hash of the address. It is met here by way of
            # another event at that address, which every contact that agreed has.
            words = SQL(
                """
                SELECT contact.id AS contact_id, %(address)s AS address, event.address_hash,
                       event.purpose_id, event.state, event.happened_at
                  FROM usercom_consent_event AS event
                  JOIN res_partner AS contact
                    ON %(address)s = event.address
                   AND (event.partner_id = contact.id OR event.state = %(withdrawn)s)
                 WHERE event.purpose_id IN %(purposes)s
             UNION ALL
                SELECT contact.id, %(address)s, erased.address_hash,
                       erased.purpose_id, erased.state, erased.happened_at
                  FROM usercom_consent_event AS erased
                  JOIN usercom_consent_event AS event ON event.address_hash = erased.address_hash
                  JOIN res_partner AS contact ON %(address)s = event.address
                 WHERE erased.address IS NULL AND erased.state = %(withdrawn)s
                   AND erased.purpose_id IN %(purposes)s
                """,
                address=SQL.identifier("contact", address),
                **facts,
            )
            model, column = BLACKLISTS[address]
            hindered = SQL(
                "EXISTS (SELECT FROM %s AS list WHERE list.active AND %s = word.address)",
                SQL.identifier(self.env[model]._table),
                SQL.identifier("list", column),
            )
            key = SQL("word.address_hash = overlay.address_hash")  # also where it was erased
        return SQL(
            """
            SELECT word.contact_id, word.purpose_id, word.happened_at,
                   CASE WHEN word.state != %(given)s THEN word.state
                        WHEN %(hindered)s OR %(blocked)s = (
                             SELECT overlay.state FROM usercom_consent_event AS overlay
                              WHERE %(key)s AND overlay.purpose_id = word.purpose_id
                                AND overlay.state IN (%(blocked)s, %(released)s)
                           ORDER BY overlay.id DESC LIMIT 1) THEN %(hindered_name)s
                        ELSE %(open_name)s END AS standing
              FROM (SELECT DISTINCT ON (contact_id, purpose_id) *
                      FROM (%(words)s) AS said
                     WHERE state IN (%(given)s, %(withdrawn)s, %(pending)s)
                  ORDER BY contact_id, purpose_id, (state = %(pending)s),
                           COALESCE(happened_at, '-infinity') DESC, (state = %(withdrawn)s) DESC
                   ) AS word
            """,
            words=words,
            hindered=hindered,
            key=key,
            blocked=consent.BLOCKED,
            released=consent.RELEASED,
            hindered_name=HINDERED,
            open_name=OPEN,
            **facts,
        )

    # === SENTENCES === #

    @api.model
    def _lines(self, partner, standings, may_record):
        """One line for each purpose, in words, as the widget on the contact shows them."""
        return [
            self._line(partner, purpose, *standing) | {"may_record": may_record}
            for purpose, standing in standings
        ]

    @api.model
    def _line(self, partner, purpose, state, event, hindrance):
        address = purpose._address_of(partner)
        needs_address = purpose.channel in ADDRESSES and not address
        notes = []
        if needs_address:
            notes.append(self._say_no_address(purpose))
        others = event and event.partner_id - partner._origin
        if others:
            notes.append(self.env._("Said at this address by another contact."))
        if state == consent.WITHDRAWN:
            pass  # which says enough, and is mostly what has put it on the blacklist
        elif hindrance == "blacklist":
            notes.append(self.env._("On Odoo's blacklist: nothing is sent there."))
        elif hindrance == "blocked":
            notes.append(self.env._("The address is blocked, because mail did not arrive."))
        return {
            "id": purpose.id,
            "name": purpose.name,
            "icon": ICONS[purpose.channel],
            "address": address or False,
            "state": state or NEVER,
            "standing": self._name_of(state, hindrance),
            "label": self._label(state),
            "since": self._since(event),
            "whence": self._whence(event, with_document=not others),
            "notes": notes,
            "needs_address": needs_address,
        }

    @api.model
    def _label(self, state):
        if not state:
            return self.env._("Never asked")
        field = self.env["usercom.consent.event"]._fields["state"]
        return dict(field._description_selection(self.env))[state]

    @api.model
    def _say_no_address(self, purpose):
        if ADDRESSES[purpose.channel] == "email_normalized":
            return self.env._("There is no valid e-mail address.")
        return self.env._("There is no valid phone number.")

    @api.model
    def _since(self, event):
        if not event:
            return False
        if not event.happened_at:
            found = format_date(self.env, event.recorded_at, date_format="d MMM yyyy")
            return self.env._("date unknown, found on %(date)s", date=found)
        moment = format_datetime(self.env, event.happened_at, dt_format="d MMM yyyy, HH:mm")
        return self.env._("since %(moment)s", moment=moment)

    @api.model
    def _whence(self, event, *, with_document=True):
        """Where a word came from, for colleagues: the way, the document, and who recorded it.

        Another contact's document may name whom the reader may not see.
        """
        if not event:
            return False
        field = event._fields["source"]
        parts = [dict(field._description_selection(self.env))[event.source]]
        if event.origin:
            parts[0] = f"{parts[0]} ({event.origin})"
        if with_document and event.document and event.source != "portal":
            parts.append(event.document)
        if event.user_id and event.source in BY_COLLEAGUES:
            parts.append(self.env._("recorded by %(name)s", name=event.user_id.name))
        return ", ".join(parts)

import hashlib
import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..sync import consent

#: So many events stand under one seal at most: so many are held in memory.
SEALED_TOGETHER = 10_000
EXPORTED_TOGETHER = 500
#: The number of the latest seal, kept beside the seals: without it, the loss of the last ones would
#: not show.
HIGHEST = "usercom_connector.ledger_highest_seal"
#: An event is in a seal after a day; this long after it was recorded it is missed there.
SEALED_WITHIN = timedelta(days=3)
#: The verification names so many faults.
NAMED = 20


class UsercomConsentSeal(models.Model):
    """A digest over events that no seal had before, and over the seal before it.

    Sealed is what is committed, whatever its number: an event whose transaction ends later comes
    under a later seal. Nothing of an event is written.
    """

    _name = "usercom.consent.seal"
    _description = "Seal of the Consent Ledger"
    _order = "number desc"
    _rec_name = "number"

    number = fields.Integer("Seal", required=True, readonly=True, aggregator=None)
    previous_id = fields.Many2one("usercom.consent.seal", readonly=True, ondelete="restrict")
    sealed_at = fields.Datetime("Sealed On", required=True, readonly=True)
    event_count = fields.Integer("Events", readonly=True)
    first_id = fields.Integer("First Event", readonly=True, aggregator=None)
    last_id = fields.Integer("Last Event", readonly=True, aggregator=None)
    content = fields.Char(readonly=True, help="The digest over the events' digests.")
    digest = fields.Char(readonly=True, help="Over this seal and the one before.")
    event_ids = fields.Many2many(
        "usercom.consent.event",
        "usercom_consent_seal_event_rel",
        "seal_id",
        "event_id",
        "Sealed Events",
        readonly=True,
        ondelete="restrict",
    )

    _number_uniq = models.Constraint("UNIQUE(number)", "Two seals have one number.")
    _previous_uniq = models.Constraint("UNIQUE(previous_id)", "Two seals follow one seal.")

    @api.depends("number")
    def _compute_display_name(self):
        for seal in self:
            seal.display_name = self.env._("Seal %s", seal.number)

    def write(self, vals):
        if vals:
            raise AccessError(self.env._("A seal stays as it was made."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise AccessError(self.env._("A seal stays as it was made."))

    # === SEALING === #

    @api.model
    def _cron_seal(self):
        cron = self.env["ir.cron"]
        [(left,)] = self.env.execute_query(
            SQL("SELECT count(*) FROM usercom_consent_event AS event WHERE %s", self._unsealed())
        )
        cron._commit_progress(remaining=left)
        while seal := self._seal_next():
            if not cron._commit_progress(min(seal.event_count, left)):
                break

    @api.model
    def _unsealed(self):
        return SQL(
            """
            NOT EXISTS (SELECT FROM usercom_consent_seal_event_rel AS sealed
                         WHERE sealed.event_id = event.id)
            """
        )

    @api.model
    def _seal_next(self):
        """Seal what has no seal yet, as much as one takes. Empty where nothing is left."""
        self.env["usercom.consent.event"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT id, digest FROM usercom_consent_event AS event
                 WHERE %s ORDER BY id LIMIT %s
                """,
                self._unsealed(),
                SEALED_TOGETHER,
            )
        )
        if not rows:
            return self.browse()
        previous = self.search([], limit=1)
        parameters = self.env["ir.config_parameter"].sudo()  # sudo: kept for nobody's eyes
        vals = {
            "number": 1 + max(previous.number, int(parameters.get_param(HIGHEST, 0))),
            "previous_id": previous.id,
            "sealed_at": consent.moment(),
            "event_count": len(rows),
            "first_id": rows[0][0],
            "last_id": rows[-1][0],
            "content": self._content(rows),
        }
        # Past the automations of Odoo, which stand before the registry's own ``create``.
        [seal] = UsercomConsentSeal.create(
            self, [{**vals, "digest": self._digest(vals, previous.digest)}]
        )
        seal.flush_recordset()
        self.env.execute_query(
            SQL(
                """
                INSERT INTO usercom_consent_seal_event_rel (seal_id, event_id)
                SELECT %s, unnest(%s) RETURNING event_id
                """,
                seal.id,
                [number for number, _digest in rows],
            )
        )
        self.env["usercom.consent.event"].invalidate_model(["seal_ids"])
        parameters.set_param(HIGHEST, str(seal.number))
        return seal

    @api.model
    def _content(self, rows):
        lines = "".join(f"{number}:{digest}\n" for number, digest in rows)
        return hashlib.sha256(lines.encode()).hexdigest()

    @api.model
    def _facts(self, vals, previous):
        """What the digest of a seal is about; ``previous`` is the digest of the seal before."""
        names = ("number", "event_count", "first_id", "last_id", "content")
        facts = {name: vals[name] for name in names}
        facts["sealed_at"] = vals["sealed_at"].isoformat()
        return facts | {"previous": previous or None}

    @api.model
    def _digest(self, vals, previous):
        facts = self._facts(vals, previous)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    # === VERIFYING === #

    def _sealed_rows(self):
        self.ensure_one()
        return self.env.execute_query(
            SQL(
                """
                SELECT event.id, event.digest
                  FROM usercom_consent_seal_event_rel AS sealed
                  JOIN usercom_consent_event AS event ON event.id = sealed.event_id
                 WHERE sealed.seal_id = %s ORDER BY event.id
                """,
                self.id,
            )
        )

    def _wrong(self):
        """What does not fit in this seal, in a sentence, or ``None``."""
        said = {"number": self.number, "day": fields.Date.to_string(self.sealed_at)}
        if self.digest != self._digest(self, self.previous_id.digest):
            return self.env._(
                "Seal %(number)s of %(day)s: it, or the one before it, is not as it was made.",
                **said,
            )
        rows = self._sealed_rows()
        if len(rows) != self.event_count:
            return self.env._(
                "Seal %(number)s of %(day)s: it was put under so many events: %(sealed)s, and so "
                "many are there: %(found)s. Look at the numbers from %(first)s to %(last)s.",
                sealed=self.event_count,
                found=len(rows),
                first=self.first_id,
                last=self.last_id,
                **said,
            )
        if self._content(rows) != self.content and self.event_count == 1:
            return self.env._(
                "Seal %(number)s of %(day)s: event %(first)s is not the one that was sealed, "
                "though its own digest may fit.",
                first=self.first_id,
                **said,
            )
        if self._content(rows) != self.content:
            return self.env._(
                "Seal %(number)s of %(day)s: among events %(first)s to %(last)s is one that is not "
                "the one that was sealed, though its own digest may fit.",
                first=self.first_id,
                last=self.last_id,
                **said,
            )
        return None

    @api.model
    def _verify(self):
        """Recompute everything: all that does not fit, each in a sentence."""
        return [*self._wrong_events(), *self._wrong_seals(), *self._wrong_ends()]

    @api.model
    def _wrong_events(self):
        events = self.env["usercom.consent.event"]
        last = 0
        while True:
            rows = self.env.execute_query(
                SQL(
                    "SELECT id FROM usercom_consent_event WHERE id > %s ORDER BY id LIMIT %s",
                    last,
                    SEALED_TOGETHER,
                )
            )
            if not rows:
                return
            ids = [number for (number,) in rows]
            yield from events._wrong(ids).values()
            last = ids[-1]

    @api.model
    def _wrong_seals(self):
        expected = 1
        for seal in self.search([("number", ">", 0)], order="number"):
            if seal.number != expected:
                yield self._say_missing(expected, seal.number - 1)
            elif seal.previous_id.number != expected - 1:
                yield self.env._(
                    "Seal %(number)s does not follow seal %(previous)s.",
                    number=seal.number,
                    previous=expected - 1,
                )
            if sentence := seal._wrong():
                yield sentence
            expected = seal.number + 1

    @api.model
    def _wrong_ends(self):
        last = self.search([], limit=1).number
        # sudo: as in sealing
        highest = int(self.env["ir.config_parameter"].sudo().get_param(HIGHEST, 0))
        if highest > last:
            yield self._say_missing(last + 1, highest)
        [(count, first)] = self.env.execute_query(
            SQL(
                """
                SELECT count(*), min(id) FROM usercom_consent_event AS event
                 WHERE recorded_at < %s AND %s
                """,
                consent.moment() - SEALED_WITHIN,
                self._unsealed(),
            )
        )
        if count:
            yield self.env._(
                "In no seal, though older than three days: %(count)s, the first of them event "
                "%(first)s. See whether the scheduled action “User.com: seal consents” runs.",
                count=count,
                first=first,
            )

    @api.model
    def _say_missing(self, first, last):
        if first == last:
            return self.env._("Seal %s is missing.", first)
        return self.env._("Seals %(first)s to %(last)s are missing.", first=first, last=last)

    def action_verify(self):
        self.env["usercom.consent.event"]._require_manager()
        # sudo: all is verified, also what belongs to companies that this manager does not see
        ledger = self.sudo()
        if wrong := ledger._verify():
            more = len(wrong) - NAMED
            lines = wrong[:NAMED] + ([self.env._("And %s more.", more)] if more > 0 else [])
            raise UserError("\n".join([self.env._("The ledger was tampered with:"), *lines]))
        events = ledger.env["usercom.consent.event"].search_count([])
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "sticky": True,
                "title": self.env._("The ledger is as it was recorded"),
                "message": self.env._(
                    "Verified: events %(events)s, seals %(seals)s.",
                    events=events,
                    seals=ledger.search_count([]),
                ),
            },
        }

    def action_open_events(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "usercom_connector.usercom_consent_event_action"
        )
        name = self.display_name
        domain = [("seal_ids", "=", self.id)]
        return {**action, "domain": domain, "name": name, "display_name": name}

    # === EXPORT === #

    @api.model
    def _export(self):
        """The whole ledger, line by line, as JSON objects: the events and then their seals.

        Of events of companies that the reader does not see there is the digest, which the seals
        need, and no more.
        """
        events = self.env["usercom.consent.event"]
        events._require_manager()
        proof = self.env["usercom.consent.proof"]
        last = 0
        while batch := events.sudo().search(
            [("id", ">", last)], order="id", limit=EXPORTED_TOGETHER
        ):
            seen = batch.sudo(False)._filtered_access("read").sudo()
            told = dict(zip(seen.ids, proof._events(seen), strict=True))
            for event in batch:
                yield {"event": told.get(event.id) or {"id": event.id, "digest": event.digest}}
            last = batch[-1].id
            self.env.invalidate_all()
        for seal in self.search([("number", ">", 0)], order="number"):
            yield {
                "seal": {
                    **self._facts(seal, seal.previous_id.digest),
                    "digest": seal.digest,
                    "events": [number for number, _digest in seal._sealed_rows()],
                }
            }

"""What a batch asks of the database does not grow with the number of contacts in it."""

from unittest.mock import patch

import odoo.sql_db
from odoo.addons.usercom_connector.sync.consent import moment

from .common import SyncCase

CORE = ("mail_message", "mail_tracking_value", '"res_company"."partner_id"', "snailmail_letter")


class TestQueries(SyncCase):
    def queries_of(self, work):
        """The statements of the scheduled actions' run."""
        statements = []
        real = odoo.sql_db.Cursor.execute

        def execute(cursor, query, *args, **kwargs):
            text = str(getattr(query, "code", query)).strip()
            # What core does for each contact that is written is there without us, too.
            if not any(table in text for table in CORE):
                statements.append(text)
            return real(cursor, query, *args, **kwargs)

        self.env.cr.flush()
        with patch.object(odoo.sql_db.Cursor, "execute", execute):
            work()
        return statements

    def people(self, count, prefix):
        return self.env["res.partner"].create(
            [{"name": f"P{n} {prefix}", "email": f"{prefix}{n}@example.com"} for n in range(count)]
        )

    def linked(self, count, prefix):
        partners = self.people(count, prefix)
        self.bring_in_step(partners)
        return partners

    def check_constant(self, prepare, work):
        """Nearly the same number of statements for five contacts and for forty."""
        prepare(2, "warm")
        work()
        counts = []
        for count in (5, 40):
            prepare(count, f"c{count}-")
            counts.append(self.queries_of(work))
        few, many = counts
        self.assertLessEqual(len(many), len(few) + 12, self.more_of(few, many))

    def more_of(self, few, many):
        heads = [statement.split("\n")[0][:90] for statement in many]
        return "\n".join(
            f"{heads.count(head):4} {head}" for head in sorted(set(heads)) if heads.count(head) > 4
        )

    def test_pushing_edits(self):
        def prepare(count, prefix):
            for number, partner in enumerate(self.linked(count, prefix)):
                partner.city = f"City {number}"

        self.check_constant(prepare, self.push)

    def test_three_purposes(self):
        """They cost no more than one, both ways; a call's "no" as little."""
        self.account.consent_attribute_ids.active = True
        self.account.creation_limit = 1000
        self.env["usercom.stream"].search([]).unlink()
        for name in ("sms_consent", "phone_consent"):
            self.sim.add_attribute(name, "boolean")
        events = self.env["usercom.consent.event"]
        purposes = self.account.consent_attribute_ids.purpose_id

        def people(count, prefix):
            partners = self.linked(count, prefix)
            for number, partner in enumerate(partners):
                partner.phone = f"+48600{len(prefix)}{count:02}{number:03}"
            self.push()
            return partners

        def said_here(count, prefix):
            partners = people(count, prefix)
            for purpose in purposes:
                events._record(partners, purpose, "given")

        def said_there(count, prefix):
            for partner in people(count, prefix):
                values = {"email_consent": True, "sms_consent": True, "phone_consent": False}
                self.sim.edit_contact(int(partner.usercom_id), attributes=values)
                self.ping(partner.usercom_id)

        def said_by_calls(count, prefix):
            said_here(count, prefix)
            self.push()
            for partner in self.env["res.partner"].search([("email", "=like", f"{prefix}%")]):
                subject = (self.account.id, "id", partner.usercom_id)
                self.env["usercom.ping"]._append([subject], said_no=(["sms_consent"], moment()))

        self.check_constant(lambda count, prefix: said_here(count, f"a{prefix}"), self.push)
        self.check_constant(lambda count, prefix: said_there(count, f"b{prefix}"), self.pull)
        self.check_constant(lambda count, prefix: said_by_calls(count, f"d{prefix}"), self.pull)

    def test_pushing_the_same(self):
        self.check_constant(lambda *args: self.linked(*args).write({"city": "Hel"}), self.push)

    def test_creating(self):
        self.check_constant(self.people, self.push)

    def test_dropping_what_is_unchanged(self):
        self.check_constant(lambda *args: self.linked(*args)._usercom_enqueue(), self.push)

    def test_pulling_edits(self):
        def prepare(count, prefix):
            for number, partner in enumerate(self.linked(count, prefix)):
                self.sim.edit_contact(int(partner.usercom_id), city=f"City {number}")
                self.ping(partner.usercom_id)

        self.check_constant(prepare, self.pull)

    def test_pulling_what_is_unchanged(self):
        def prepare(count, prefix):
            for partner in self.linked(count, prefix):
                self.ping(partner.usercom_id)

        self.check_constant(prepare, self.pull)

    def test_first_meetings(self):
        def prepare(count, prefix):
            partners = self.people(count, prefix)
            for partner in partners:
                self.sim.add_contact(email=partner.email, last_name="There")
                self.sim.add_contact(email=f"new{partner.email}")

        self.check_constant(prepare, self.push)

    def test_withdrawals_that_come_in_go_onto_the_blacklist(self):
        def prepare(count, prefix):
            partners = self.linked(count, prefix)
            partners.usercom_email_consent = "given"
            self.push()
            for partner in partners:
                self.sim.edit_contact(int(partner.usercom_id), attributes={"email_consent": False})
                self.ping(partner.usercom_id)

        self.check_constant(prepare, self.pull)
        listed = self.env["mail.blacklist"].search([])
        self.assertEqual(len(listed), 47)
        self.assertFalse(listed.message_follower_ids)

    def test_words_that_go_onto_the_blacklist_and_off_it(self):
        """Here what core does for the list's history counts, too."""
        counts = {}
        for count in (2, 5, 40):
            partners = self.people(count, f"n{count}-")
            for state in ("withdrawn", "given"):
                self.env.flush_all()
                self.env.invalidate_all()
                before = self.env.cr.sql_log_count
                self.env["usercom.consent.event"]._record(
                    partners, self.env.ref("usercom_connector.purpose_email"), state
                )
                self.env.flush_all()
                counts[count, state] = self.env.cr.sql_log_count - before
        for state in ("withdrawn", "given"):
            self.assertLessEqual(counts[40, state], counts[5, state] + 6, counts)

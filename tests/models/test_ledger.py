"""The ledger of consents: seals, what they find, erasure, merges, and who may do what."""

import json
from datetime import timedelta
from unittest.mock import patch

from odoo.addons.usercom_connector.models import usercom_consent_seal
from odoo.addons.usercom_connector.models.usercom_consent_event import FACTS
from odoo.exceptions import AccessError, UserError
from odoo.tests.common import TransactionCase, new_test_user, tagged
from odoo.tools import SQL, mute_logger
from psycopg2 import errors

GIVEN, WITHDRAWN = "given", "withdrawn"
MANAGER = "usercom_connector.group_usercom_manager"


@tagged("post_install", "-at_install")
class LedgerCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.env["usercom.consent.event"]
        cls.seals = cls.env["usercom.consent.seal"]
        cls.email = cls.env["usercom.consent.purpose"]._email()
        cls.sms = cls.env.ref("usercom_connector.purpose_sms")
        cls.text = cls.env["usercom.consent.text"].create(
            {"purpose_id": cls.email.id, "lang": "en_US", "text": "Yes, write to me."}
        )

    def contact(self, who="jan", **vals):
        return self.env["res.partner"].create(
            {"name": who.title(), "email": f"{who}@example.com"} | vals
        )

    def record(self, partner, state=GIVEN, purpose=None, **facts):
        return self.events._record(partner, purpose or self.email, state, **facts)

    def some(self, count=3):
        """Events of several people, with everything that there can be in one."""
        return self.events.concat(
            *(
                self.record(
                    self.contact(f"p{number}"),
                    source="portal",
                    text_id=self.text.id,
                    ip="192.0.2.1",
                    browser=f"Browser {number}",
                    document="/my/consents",
                    origin="Shop",
                    happened_after="2026-01-01 10:00:00",
                )
                for number in range(count)
            )
        )

    def seal(self):
        seals = self.seals
        while seal := self.seals._seal_next():
            seals |= seal
        return seals

    def sql(self, query, *args):
        self.env.flush_all()
        self.env.cr.execute(SQL(query, *args))
        self.env.invalidate_all()

    def set_by_sql(self, record, name, value):
        self.sql(
            "UPDATE %s SET %s = %s WHERE id = %s",
            SQL.identifier(record._table),
            SQL.identifier(name),
            value,
            record.id,
        )

    def check(self):
        return self.seals._verify()


class TestSeals(LedgerCase):
    def test_a_word_is_called_by_its_purpose_and_state(self):
        event = self.record(self.contact(), purpose=self.email)
        self.assertEqual(event.display_name, f"{self.email.name}: Given")

    def test_holds(self):
        events = self.some()
        self.assertEqual(self.check(), [])
        [first] = self.seal()
        self.assertEqual((first.number, first.event_count, first.event_ids), (1, 3, events))
        self.assertFalse(self.seals._seal_next())
        self.some(1)
        [second] = self.seal()
        self.assertEqual(second.previous_id, first)
        self.assertEqual(self.check(), [])
        self.assertEqual(self.seals.action_verify()["params"]["type"], "success")
        seal = self.seals.search([], limit=1)
        opened = seal.action_open_events()
        self.assertEqual(opened["display_name"], seal.display_name)
        self.assertEqual(self.events.search_count(opened["domain"]), seal.event_count)

    def test_by_the_scheduled_action(self):
        self.patch(usercom_consent_seal, "SEALED_TOGETHER", 2)
        self.some(5)
        with self.enter_registry_test_mode():
            self.env.ref("usercom_connector.ir_cron_seal").method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.seals.search([], order="number").mapped("event_count"), [2, 2, 1])
        self.assertEqual(self.check(), [])

    def test_commits_late(self):
        """An event whose number was drawn before the seal, and that is there only after it."""
        events = self.some()
        late = events[1]
        self.sql("CREATE TEMP TABLE late ON COMMIT DROP AS SELECT * FROM usercom_consent_event")
        self.sql("DELETE FROM usercom_consent_event WHERE id = %s", late.id)
        [first] = self.seal()
        self.assertEqual(first.event_ids, events - late)
        self.sql("INSERT INTO usercom_consent_event SELECT * FROM late WHERE id = %s", late.id)
        [second] = self.seal()
        self.assertEqual(second.event_ids, late)
        self.assertEqual(self.check(), [])

    def test_writes_no_event(self):
        events = self.some()
        self.env.flush_all()
        versions = "SELECT xmin::text, ctid::text FROM usercom_consent_event ORDER BY id"
        self.env.cr.execute(versions)
        before = self.env.cr.fetchall()
        self.patch(type(events), "write", lambda *args: self.fail("An event was written."))
        self.seal()
        self.env.flush_all()
        self.env.cr.execute(versions)
        self.assertEqual(self.env.cr.fetchall(), before)

    def test_events_without_a_seal_for_days(self):
        event = self.some(1)
        at = event.recorded_at - timedelta(days=4)
        self.patch(usercom_consent_seal.consent, "moment", lambda: at)
        self.some(1)
        self.patch(usercom_consent_seal.consent, "moment", lambda: at + timedelta(days=4))
        [sentence] = self.check()
        self.assertIn("seal consents", sentence)


class TestOneEvent(LedgerCase):
    """What is said of one must not be the words for many."""

    def test_words(self):
        event = self.some(1)
        [seal] = self.seal()
        said = self.seals.action_verify()["params"]["message"]
        self.assertEqual(said, f"Verified: events {self.events.search_count([])}, seals 1.")
        with self.subTest("replaced"):
            self.set_by_sql(seal, "content", "0")
            self.set_by_sql(seal, "digest", seal._digest(seal, False))
            [sentence] = self.check()
            self.assertIn(f"event {event.id} is not the one", sentence)
        self.set_by_sql(seal, "event_count", 2)
        for words in (said, sentence, *self.check()):
            self.assertNotRegex(words, r"\b1 (events|seals)|1 are\b")
        with self.subTest("not sealed"):
            event = self.some(1)
            later = event.recorded_at + timedelta(days=4)
            self.patch(usercom_consent_seal.consent, "moment", lambda: later)
            self.assertIn(f"three days: 1, the first of them event {event.id}.", self.check()[-1])


class TestTampering(LedgerCase):
    def setUp(self):
        super().setUp()
        self.all = self.some(4)
        self.first = self.seal()
        self.all |= self.some(2)
        self.second = self.seal()
        self.assertEqual(self.check(), [])
        self.event = self.all[1]

    def found(self, *words):
        sentences = self.check()
        self.assertTrue(sentences)
        text = "\n".join(sentences)
        for word in words:
            self.assertIn(word, text)
        with self.assertRaisesRegex(UserError, "tampered"):
            self.seals.action_verify()
        return sentences

    def test_each_fact(self):
        other_text = self.text.create(
            {"purpose_id": self.email.id, "lang": "en_US", "text": "Yes to everything."}
        )
        changes = {
            "purpose_id": self.sms.id,
            "state": WITHDRAWN,
            "happened_at": "2020-01-01 00:00:00",
            "happened_after": None,
            "recorded_at": "2020-01-01 00:00:00",
            "source": "odoo",
            "actor_res_id": 77,
            "origin": None,
            "document": "Paper",
            "text_id": other_text.id,
            "text_hash": "0",
            "subject": self.all[2].subject,
            "address_hash": self.all[2].address_hash,
            "evidence_hash": None,
            "digest": "0",
            # What stands outside the digest, and has something inside it to be compared with.
            "address": "eve@example.com",
            "ip": "192.0.2.2",
            "browser": "Another",
            "user_id": self.env.ref("base.user_admin").id,
        }
        self.assertLessEqual(set(FACTS), set(changes))
        for name, value in changes.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                self.set_by_sql(self.event, name, value)
                self.found(f"Event {self.event.id}:")
                savepoint.rollback()
                self.env.invalidate_all()
        self.assertEqual(self.check(), [])

    def test_fact_with_its_digest(self):
        """Who can write the rows can also work out the digest. The seal tells."""
        self.set_by_sql(self.event, "state", WITHDRAWN)
        facts = self.event.read(load=None)[0]
        self.set_by_sql(self.event, "digest", self.events._digest(facts))
        [sentence] = self.found()
        self.assertIn("Seal 1 of ", sentence)
        self.assertIn(f"events {self.all[0].id} to {self.all[3].id}", sentence)

    def test_deleted_row(self):
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(errors.RestrictViolation),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute("DELETE FROM usercom_consent_event WHERE id = %s", [self.event.id])
        self.sql("DELETE FROM usercom_consent_seal_event_rel WHERE event_id = %s", self.event.id)
        self.sql("DELETE FROM usercom_consent_event WHERE id = %s", self.event.id)
        [sentence] = self.found()
        self.assertIn("Seal 1 of ", sentence)
        self.assertIn("so many events: 4, and so many are there: 3.", sentence)

    def test_added_row(self):
        extra = self.some(1)
        self.sql(
            "INSERT INTO usercom_consent_seal_event_rel (seal_id, event_id) VALUES (%s, %s)",
            self.first.id,
            extra.id,
        )
        self.found("Seal 1 of ")

    def test_swapped_rows(self):
        one, other = self.all[0], self.all[1]
        for number, target in ((one.id, -1), (other.id, one.id), (-1, other.id)):
            self.sql("ALTER TABLE usercom_consent_seal_event_rel DISABLE TRIGGER ALL")
            self.sql("ALTER TABLE usercom_consent_event DISABLE TRIGGER ALL")
            self.sql("UPDATE usercom_consent_event SET id = %s WHERE id = %s", target, number)
        self.found("Seal 1 of ")

    def test_swapped_people(self):
        mine = self.all[0].partner_id
        self.record(mine, WITHDRAWN)
        self.set_by_sql(self.all[0], "partner_id", self.all[1].partner_id.id)
        self.found(f"Event {self.all[0].id}:", "several contacts")

    def test_text(self):
        self.set_by_sql(self.text, "text", "Yes to everything.")
        self.assertIn("text that the person was shown", self.found()[0])

    def test_seal(self):
        for name, value in {
            "number": 5,
            "sealed_at": "2020-01-01 00:00:00",
            "event_count": 3,
            "first_id": 1,
            "last_id": 1,
            "content": "0",
            "digest": "0",
            "previous_id": None,
        }.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                self.set_by_sql(self.second, name, value)
                self.found("Seal")
                savepoint.rollback()
                self.env.invalidate_all()

    def test_removed_seal(self):
        self.set_by_sql(self.second, "previous_id", None)
        self.sql("DELETE FROM usercom_consent_seal WHERE id = %s", self.first.id)
        self.found("Seal 1 is missing.")

    def test_removed_last_seal(self):
        self.sql("DELETE FROM usercom_consent_seal WHERE id = %s", self.second.id)
        self.found("Seal 2 is missing.")
        [third] = self.seal()
        self.assertEqual(third.number, 3)
        self.found("Seal 2 is missing.")


class TestErasure(LedgerCase):
    def assert_without_person(self, events):
        self.env.invalidate_all()
        for name in ("partner_id", "address", "ip", "browser"):
            self.assertFalse(any(events.mapped(name)), name)
        self.assertTrue(all(events.mapped("subject")) and all(events.mapped("address_hash")))
        self.assertEqual(self.check(), [])

    def test_deleting_the_contact(self):
        events = self.some()
        self.seal()
        digests = events.mapped("digest")
        kept = self.record(self.contact("other"))
        events.partner_id.unlink()
        self.assert_without_person(events)
        self.assertEqual(events.mapped("digest"), digests)
        self.assertEqual(kept.address, "other@example.com")

    def test_by_the_button(self):
        partner = self.contact()
        events = self.record(partner, ip="192.0.2.1")
        partner.action_usercom_erase()
        self.assert_without_person(events)
        self.assertFalse(partner.usercom_email_consent)

    def test_a_no_stays_with_a_contact_that_stays(self):
        partner = self.contact()
        events = self.record(partner, ip="192.0.2.1") | self.record(partner, WITHDRAWN)
        partner.action_usercom_erase()
        self.assert_without_person(events)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.assertEqual(partner.usercom_consent_event_ids.source, "erased")
        self.assertEqual(partner.usercom_consent_event_ids.happened_at, events[1].happened_at)
        self.assertNotEqual(partner.usercom_consent_event_ids.subject, events[1].subject)

    def test_a_no_waits_for_whoever_gets_the_address(self):
        """Whichever way it comes to a contact, also past ``write``."""
        number = "+48600100200"
        for purpose in (self.email, self.sms):
            self.record(self.contact(phone=number), WITHDRAWN, purpose).partner_id.unlink()
        poland, france = self.env.ref("base.pl"), self.env.ref("base.fr")
        firm = self.contact("firm", is_company=True, country_id=france.id)
        vals = {"parent_id": firm.id, "type": "contact", "phone": "600 100 200"}

        def from_the_firm():
            child = self.contact("child", **vals)
            self.assertNotEqual(child.phone_sanitized, number)
            self.env.cr.flush()
            self.assertFalse(child.usercom_consent_event_ids)
            firm.country_id = poland
            return child

        def edited():
            partner = self.contact("other")
            partner.email = "JAN@example.com"
            return partner

        def moved():
            partner = self.contact("moved", phone="600 100 200", country_id=france.id)
            partner.country_id = poland
            return partner

        for way, purpose in (
            (self.contact, self.email),
            (edited, self.email),
            (moved, self.sms),
            (from_the_firm, self.sms),
        ):
            with self.subTest(way.__name__):
                partner = way()
                self.env.cr.flush()
                event = partner.usercom_consent_event_ids
                self.assertEqual((event.source, event.purpose_id), ("erased", purpose))
                partner.unlink()

    def test_an_address_that_stays_is_not_looked_up(self):
        partner = self.contact()
        self.env.cr.flush()
        self.env.invalidate_all()
        with patch.object(self.registry["usercom.consent.event"], "_recall") as recall:
            partner.write({"comment": "Hello", "email": "jan@example.com", "city": "Hel"})
            self.env.cr.flush()
            recall.assert_not_called()
            self.contact("other").unlink()
            partner.email = "ola@example.com"
            self.env.cr.flush()
            recall.assert_called()

    def test_words_of_nobody_at_the_address(self):
        partner = self.contact()
        events = self.events.create(
            [
                {"address": address, "state": WITHDRAWN, "happened_at": "2026-01-01 10:00:00"}
                for address in ("jan@example.com", "shared@example.com")
            ]
        )
        shared = self.contact("shared", name="One") | self.contact("shared", name="Two")
        (partner | shared[0]).unlink()
        self.assert_without_person(events[0])
        self.assertEqual(events[1].address, "shared@example.com")

    def test_who_recorded_it_in_the_portal(self):
        user = new_test_user(self.env, "ledger-portal", groups="base.group_portal")
        user.partner_id.email = "jan@example.com"
        event = self.events.with_user(user)._record(
            user.partner_id, self.email, GIVEN, source="portal"
        )
        self.assertEqual(event.user_id, user)
        user.partner_id.action_usercom_erase()
        self.assert_without_person(event.sudo())
        self.assertFalse(event.sudo().user_id or event.sudo().create_uid)

    def may(self, partner):
        """What the form and the list say of a contact, which must be the same."""
        self.env.invalidate_all()
        state = partner.usercom_email_consent
        for value in (GIVEN, WITHDRAWN, False):
            found = self.env["res.partner"].search([("usercom_email_consent", "=", value)])
            self.assertEqual(partner in found, value == state, value)
        states = self.events._states(partner, self.email | self.sms)[partner.id]
        return states[self.email.id], states[self.sms.id]

    def test_refuses_a_new_import(self):
        partner = self.contact(phone="+48600100200")
        self.record(partner, WITHDRAWN)
        self.record(partner, WITHDRAWN, self.sms)
        partner.unlink()
        again = self.env["res.partner"].with_context(import_file=True)
        again = again.create(
            {
                "name": "Jan",
                "email": "JAN@example.com",
                "phone": "+48 600 100 200",
                "usercom_email_consent": GIVEN,
            }
        )
        self.assertEqual(self.may(again), (WITHDRAWN, WITHDRAWN))
        again.usercom_email_consent = GIVEN
        self.assertEqual(self.may(again)[0], WITHDRAWN)
        # What the person says now is another matter.
        self.record(again, GIVEN)
        self.assertEqual(self.may(again)[0], GIVEN)
        again.write({"email": "jan@example.com", "phone": "+48600100200"})
        self.assertEqual(self.may(again)[0], GIVEN)

    def test_address_that_is_entered_later(self):
        partner = self.contact()
        self.record(partner, WITHDRAWN)
        partner.unlink()
        other = self.contact("ola")
        self.assertEqual(self.may(other)[0], None)
        other.email = "jan@example.com"
        self.assertEqual(self.may(other)[0], WITHDRAWN)
        count = len(other.usercom_consent_event_ids)
        other.email = "ola@example.com"
        other.email = "jan@example.com"
        self.assertEqual(len(other.usercom_consent_event_ids), count)

    def test_of_somebody_with_the_same_address(self):
        partner, other = self.contact(), self.contact()
        self.record(partner, WITHDRAWN)
        partner.unlink()
        self.assertEqual(self.may(other)[0], WITHDRAWN)

    def test_a_yes_is_nobodys_afterwards(self):
        partner = self.contact()
        self.record(partner, GIVEN)
        partner.unlink()
        self.assertIsNone(self.may(self.contact())[0])


class TestMerge(LedgerCase):
    def test_points_to_who_is_left_and_still_verifies(self):
        one, other = self.contact("jan"), self.contact("ola")
        events = self.record(one, ip="192.0.2.1") | self.record(other, WITHDRAWN)
        self.seal()
        facts = events.mapped(lambda event: (event.digest, event.subject, event.address))
        self.env["base.partner.merge.automatic.wizard"]._merge((one | other).ids, one)
        self.assertFalse(other.exists())
        self.assertEqual(events.partner_id, one)
        self.assertEqual(
            facts, events.mapped(lambda event: (event.digest, event.subject, event.address))
        )
        self.assertEqual(events.mapped("ip"), ["192.0.2.1", False])
        self.record(one)
        self.assertEqual(self.check(), [])


class TestRoles(LedgerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = {
            "user": "base.group_user,base.group_partner_manager,base.group_allow_export",
            "manager": f"{MANAGER},base.group_partner_manager,base.group_allow_export",
            "admin": "base.group_system,base.group_partner_manager,base.group_allow_export",
            "portal": "base.group_portal",
            "public": "base.group_public",
        }
        cls.users = {
            name: new_test_user(cls.env, f"ledger-{name}", groups=group)
            for name, group in groups.items()
        }

    def setUp(self):
        super().setUp()
        self.partner = self.contact()
        self.event = self.record(self.partner, ip="192.0.2.1")
        self.gone = self.record(self.contact("gone"))
        self.gone.partner_id.unlink()
        self.made = self.seal()

    def test_nobody_edits(self):
        vals = {"address": "jan@example.com", "state": GIVEN, "happened_at": "2026-01-01 00:00:00"}
        for name, user in self.users.items():
            for record, values in (
                (self.event.with_user(user), vals),
                (self.made.with_user(user), {"number": 9, "sealed_at": "2026-01-01 00:00:00"}),
            ):
                field = next(iter(values))
                ways = {
                    "create": lambda r=record, v=values: r.create(v),
                    "write": lambda r=record, v=values: r.write(v),
                    "write as superuser": lambda r=record, v=values: r.sudo().write(v),
                    "unlink": record.unlink,
                    "unlink as superuser": lambda r=record: r.sudo().unlink(),
                    "copy": record.copy,
                    "name_create": lambda r=record: r.name_create("given"),
                    "web_save": lambda r=record, v=values: r.web_save(v, {}),
                    "set": lambda r=record, f=field, v=values: setattr(r, f, v[f]),
                    "set as superuser": lambda r=record, f=field, v=values: setattr(
                        r.sudo(), f, v[f]
                    ),
                }
                for way, call in ways.items():
                    with (
                        self.subTest(f"{name} {record._name} {way}"),
                        mute_logger("odoo.sql_db"),
                        self.assertRaises(AccessError),
                        self.env.cr.savepoint(),
                    ):
                        call()
                self.env.invalidate_all()
            if name in ("user", "manager", "admin"):
                result = self.events.with_user(user).load(["id", "state"], [["", "given"]])
                self.assertFalse(result["ids"])
        self.assertEqual(self.event.state, GIVEN)
        self.assertEqual(self.check(), [])

    def test_user_records_by_the_contact(self):
        partner = self.partner.with_user(self.users["user"])
        partner.usercom_email_consent = WITHDRAWN
        [event] = partner.usercom_consent_event_ids - self.event
        self.assertEqual(event.user_id, self.users["user"])

    def test_only_the_manager_sees_the_ledger(self):
        for name in ("manager", "admin"):
            events = self.events.with_user(self.users[name])
            self.assertLessEqual(self.event | self.gone, events.search([]))
            self.assertEqual(self.event.with_user(self.users[name]).ip, "192.0.2.1")
            self.assertEqual(self.seals.with_user(self.users[name]).search([]), self.made)
            self.assertTrue(self.seals.with_user(self.users[name]).action_verify())
        events = self.events.with_user(self.users["user"])
        self.assertIn(self.event, events.search([]))  # the history of a contact
        self.assertNotIn(self.gone, events.search([]))
        for name in ("ip", "browser", "subject", "address_hash", "digest", "seal_ids"):
            with self.assertRaises(AccessError):
                self.event.with_user(self.users["user"]).read([name])
        for name in ("portal", "public"):
            for model in (self.events, self.seals, self.email, self.text):
                with self.assertRaises(AccessError):
                    model.with_user(self.users[name]).search([])

    def test_only_the_manager_exports_verifies_and_erases(self):
        for name in ("user", "portal", "public"):
            user = self.users[name]
            for call in (
                lambda u=user: self.event.with_user(u).export_data(["state"]),
                lambda u=user: self.partner.with_user(u).export_data(
                    ["name", "usercom_consent_event_ids/happened_at"]
                ),
                lambda u=user: list(self.seals.with_user(u)._export()),
                lambda u=user: self.seals.with_user(u).action_verify(),
                lambda u=user: self.seals.with_user(u).search([]),
                lambda u=user: (
                    self.env["usercom.consent.proof"].with_user(u)._of(self.partner.with_user(u))
                ),
                lambda u=user: self.partner.with_user(u).action_usercom_erase(),
            ):
                with self.assertRaises(UserError):
                    call()
        manager = self.users["manager"]
        self.assertTrue(self.event.with_user(manager).export_data(["state"])["datas"])
        lines = list(self.seals.with_user(manager)._export())
        self.assertEqual(json.loads(json.dumps(lines)), lines)
        self.partner.with_user(manager).action_usercom_erase()
        self.assertFalse(self.event.address)

    def test_purposes_and_texts(self):
        for name, user in self.users.items():
            values = {"name": "Letters", "channel": "post"}
            purposes = self.env["usercom.consent.purpose"].with_user(user)
            if name in ("manager", "admin"):
                purpose = purposes.create(values)
                text = {"purpose_id": purpose.id, "lang": "en_US", "text": "Yes"}
                texts = self.text.with_user(user).create([text, text])
                self.assertEqual(texts.mapped("version"), [1, 2])
                with self.assertRaisesRegex(UserError, "new version"):
                    texts[0].text = "No"
            else:
                with self.assertRaises(AccessError):
                    purposes.create(values)

    def test_channel_of_a_purpose_that_people_answered_for(self):
        with self.assertRaisesRegex(UserError, "another channel"):
            self.email.channel = "sms"
        self.email.write({"channel": "email", "name": "News"})
        self.sms.channel = "post"


class TestProof(LedgerCase):
    def test_of_one_person(self):
        partner = self.some(1).partner_id
        self.seal()
        self.record(partner, WITHDRAWN)
        other = self.contact("other")
        self.record(other)
        proof = self.env["usercom.consent.proof"]._of(partner)
        self.assertEqual(json.loads(json.dumps(proof)), proof)
        first, second = proof["events"]
        self.assertEqual(first["text"], "Yes, write to me.")
        self.assertEqual(first["facts"]["state"], GIVEN)
        self.assertTrue(first["verified"] and first["seal"]["verified"] and second["verified"])
        self.assertIsNone(second["seal"])
        self.assertEqual(proof["states"][0]["state"], WITHDRAWN)

    def test_the_export_reads_a_batch_at_once(self):
        self.patch(usercom_consent_seal, "EXPORTED_TOGETHER", 2)
        events = self.some(5)
        self.seal()
        read = type(events).read
        with patch.object(type(events), "read", autospec=True, side_effect=read) as reads:
            lines = [line["event"] for line in self.seals._export() if "event" in line]
        self.assertEqual([line["id"] for line in lines], self.events.search([], order="id").ids)
        told = {line["id"]: line for line in lines}
        for event in events:
            self.assertEqual(told[event.id]["contact"], event.partner_id.id)
            self.assertEqual(told[event.id]["digest"], event.digest)
        self.assertEqual(reads.call_count, -(-len(lines) // 2))

    def test_says_what_is_wrong(self):
        event = self.some(1)
        self.seal()
        self.set_by_sql(event, "document", "Paper")
        self.set_by_sql(event.seal_ids, "content", "0")
        [line] = self.env["usercom.consent.proof"]._of(event.partner_id)["events"]
        self.assertFalse(line["verified"] or line["seal"]["verified"])
        self.assertIn("its facts", line["wrong"])
        self.assertIn("Seal", line["seal"]["wrong"])

    def test_with_what_others_said_at_the_address(self):
        one, other = self.contact(), self.contact()
        self.record(one, GIVEN)
        self.record(one, WITHDRAWN)
        [line] = self.env["usercom.consent.proof"]._of(other)["events"]
        self.assertEqual(line["facts"]["state"], WITHDRAWN)


class TestPrivacyLookup(LedgerCase):
    """By the glue addon, which is installed where Odoo's privacy lookup is."""

    def test_takes_the_person_out(self):
        partner = self.contact()
        events = self.record(partner, ip="192.0.2.1") | self.record(partner, WITHDRAWN)
        events |= self.events.create({"address": "jan@example.com", "state": WITHDRAWN})
        other = self.record(self.contact("ola"))
        wizard = self.env["privacy.lookup.wizard"].create(
            {"name": "Jan", "email": "jan@example.com"}
        )
        wizard.action_lookup()
        lines = wizard.line_ids.filtered(lambda line: line.res_model == events._name)
        self.assertEqual(sorted(lines.mapped("res_id")), events.ids)
        (
            lines | wizard.line_ids.filtered(lambda x: x.res_model == "res.partner")
        ).action_unlink_all()
        self.env.invalidate_all()
        self.assertFalse(partner.exists())
        self.assertFalse(any(events.mapped("address")) or events.partner_id)
        self.assertEqual(other.address, "ola@example.com")
        self.assertEqual(self.check(), [])
        self.assertEqual(self.contact().usercom_email_consent, WITHDRAWN)

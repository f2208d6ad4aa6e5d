"""What holds whatever another addon does in a hook (docs/developers.md)."""

from datetime import date
from unittest.mock import patch

from odoo.addons.usercom_connector.models.res_partner import ResPartner

from .common import SyncCase

PUSH_HOOKS = ("_usercom_take_part", "_usercom_payload", "_usercom_pushed")
PULL_HOOKS = ("_usercom_before_pull", "_usercom_pulled")


class HookCase(SyncCase):
    def hook(self, name, function):
        """Let a hook be ``function``, which gets the hook as it was, the contacts and the rest."""
        real = getattr(ResPartner, name)

        def hook(partners, *args):
            return function(lambda: real(partners, *args), partners, *args)

        patcher = patch.object(ResPartner, name, hook)
        patcher.start()
        self.addCleanup(patcher.stop)
        return patcher

    def people(self, count=4, **vals):
        partners = self.env["res.partner"].create(
            [
                {"name": f"Person {number}", "email": f"p{number}@example.com"} | vals
                for number in range(count)
            ]
        )
        self.bring_in_step(partners)
        return partners


class TestException(HookCase):
    """It parks the row of one contact with the traceback, and stops nothing else."""

    def fail_for(self, hook, bad):
        def failing(real, partners, _account, *args):
            is_created = hook == "_usercom_before_pull" and not partners
            if bad in ([args[0]["name"]] if is_created else partners.mapped("name")):
                raise RuntimeError("unforeseen")
            return real()

        return self.hook(hook, failing)

    def check_parked(self, rows):
        [row] = rows
        self.assertEqual((row.problem_code, row.due_at), ("unexpected", False))
        self.assertIn("RuntimeError: unforeseen", row.trace)
        return row

    def test_out(self):
        for hook in PUSH_HOOKS:
            with self.subTest(hook=hook):
                self.sim.reset()
                self.sim.add_attribute("email_consent", "boolean")
                self.env["usercom.binding"].search([]).unlink()
                people = self.env["res.partner"].create(
                    [{"name": f"{hook} {n}", "email": f"{hook}{n}@example.com"} for n in range(4)]
                )
                failing = self.fail_for(hook, f"{hook} 2")
                with self.assertLogs("odoo", "ERROR"):
                    self.push()
                row = self.check_parked(self.changes())
                self.assertEqual(row.partner_res_id, people[2].id)
                failing.stop()
                self.assertTrue(all((people - people[2]).mapped("usercom_id")))
                row.action_retry()
                self.push()
                self.assertEqual(len(self.sim.contacts()), 4)
                self.assertFalse(self.changes())

    def test_out_of_what_is_linked(self):
        people = self.people()
        for hook in PUSH_HOOKS:
            with self.subTest(hook=hook):
                people.write({"city": f"City {hook}"})
                failing = self.fail_for(hook, "Person 2")
                with self.assertLogs("odoo", "ERROR"):
                    self.push()
                row = self.check_parked(self.changes())
                failing.stop()
                cities = [c["city"] for c in self.sim.contacts() if c["name"] != "Person 2"]
                self.assertEqual(cities, [f"City {hook}"] * 3)
                row.action_retry()
                self.push()
                self.assertEqual(self.there(people[2])["city"], f"City {hook}")
                self.assertFalse(self.changes())

    def test_in(self):
        people = self.people()
        for hook in PULL_HOOKS:
            with self.subTest(hook=hook):
                for partner in people:
                    self.sim.edit_contact(int(partner.usercom_id), city=f"City {hook}")
                    self.ping(partner.usercom_id)
                failing = self.fail_for(hook, "Person 2")
                with self.assertLogs("odoo", "ERROR"):
                    self.pull()
                row = self.check_parked(self.pings())
                failing.stop()
                cities = (people - people[2]).mapped("city")
                self.assertEqual(cities, [f"City {hook}"] * 3)
                self.assertNotEqual(people[2].city, f"City {hook}")
                row.action_retry()
                self.pull()
                self.assertEqual(people[2].city, f"City {hook}")
                self.push()
                self.assertFalse(self.changes() or self.pings())

    def test_in_of_who_is_created(self):
        for hook in PULL_HOOKS:
            with self.subTest(hook=hook):
                for n in range(4):
                    contact = {"email": f"{hook}{n}@example.com", "first_name": f"{hook} {n}"}
                    self.ping(self.sim.add_contact(status="user", **contact)["id"])
                failing = self.fail_for(hook, f"{hook} 2")
                with self.assertLogs("odoo", "ERROR"):
                    self.pull()
                row = self.check_parked(self.pings())
                failing.stop()
                found = [("email", "like", f"{hook}_@example.com")]
                self.assertEqual(self.env["res.partner"].search_count(found), 3)
                row.action_retry()
                self.pull()
                self.assertEqual(self.env["res.partner"].search_count(found), 4)
                self.assertFalse(self.pings())

    def test_takes_no_place_under_the_ceiling(self):
        """What was begun with the others and undone is not counted twice."""
        self.account.creation_limit = 5
        self.fail_for("_usercom_payload", "Out 2")
        self.env["res.partner"].create(
            [{"name": f"Out {n}", "email": f"out{n}@example.com"} for n in range(4)]
        )
        with self.assertLogs("odoo", "ERROR"):
            self.push()
        self.check_parked(self.changes())
        self.fail_for("_usercom_pulled", "In 2")
        for n in range(4):
            contact = {"email": f"in{n}@example.com", "first_name": f"In {n}", "status": "user"}
            self.ping(self.sim.add_contact(**contact)["id"])
        with self.assertLogs("odoo", "ERROR"):
            self.pull()
        self.check_parked(self.pings())
        self.assertFalse(self.account.activity_ids)


class TestPayload(HookCase):
    def test_what_cannot_be_sent_stops_one(self):
        bodies = {
            "a date": lambda body: body | {"since": date(2026, 1, 1)},
            "nothing": lambda body: None,
            "a number as a name": lambda body: body | {1: "x", "a": "y"},
            "a User ID": lambda body: body | {"custom_id": "mine"},
            "a consent": lambda body: body | {"email_consent": True},
            "another consent": lambda body: body | {"unsubscribed": False},
        }
        people = self.people()
        for number, (what, change) in enumerate(bodies.items()):
            with self.subTest(what=what):
                hook = self.hook(
                    "_usercom_payload",
                    lambda _real, partner, _account, body, change=change: (
                        change(body) if partner == people[1] else body
                    ),
                )
                people.write({"city": f"City {number}"})
                with self.assertLogs("odoo", "ERROR"):
                    self.push()
                [row] = self.changes()
                self.assertEqual(
                    (row.problem_code, row.partner_res_id), ("unexpected", people[1].id)
                )
                self.assertEqual(self.there(people[3])["city"], f"City {number}")
                hook.stop()
                row.action_retry()
                self.push()

    def test_more_goes_along_and_costs_no_call_of_its_own(self):
        self.sim.add_attribute("tier", "string")
        [jan] = self.people(1)
        self.hook("_usercom_payload", lambda _r, _p, _a, body: body | {"tier": "gold"})
        jan._usercom_enqueue()
        self.push()
        self.assertFalse(self.sim.calls())
        jan.city = "Hel"
        self.push()
        self.assertEqual(self.there(jan)["attributes"]["tier"], "gold")
        self.assertEqual(self.sim.calls.count(), 1)

    def test_what_is_left_out_counts_as_not_sent(self):
        [jan] = self.people(1)
        hook = self.hook(
            "_usercom_payload",
            lambda _r, _p, _a, body: {k: v for k, v in body.items() if k != "city"},
        )
        jan.city = "Hel"
        self.push()
        self.assertFalse(self.sim.calls() or self.changes())
        jan.phone = "+48600100200"
        self.push()
        self.assertFalse(self.there(jan)["city"])
        self.assertEqual(self.there(jan)["phone_number"], "+48600100200")
        hook.stop()
        jan._usercom_enqueue()
        self.push()
        self.assertEqual(self.there(jan)["city"], "Hel")

    def test_of_a_new_contact(self):
        hook = self.hook("_usercom_payload", lambda _r, _p, _a, body: {"email": body["email"]})
        jan = self.make_partner(city="Hel")
        self.push()
        self.assertEqual(self.there(jan)["email"], "jan@example.com")
        self.assertFalse(self.there(jan)["city"])
        hook.stop()
        jan._usercom_enqueue()
        self.push()
        self.assertEqual((self.there(jan)["city"], self.there(jan)["name"]), ("Hel", "Jan Testowy"))

    def test_another_value_does_not_come_back(self):
        """Also after a call that answers without values: a new contact's, and one to many."""

        def masked(_real, _partner, _account, body):
            body |= {"city": "elsewhere"} if "city" in body else {}
            return body | ({"last_name": "X."} if "last_name" in body else {})

        self.hook("_usercom_payload", masked)
        people = self.people(5, city="Hel")
        self.assertEqual(people.mapped("city"), ["Hel"] * 5)
        self.assertEqual(people.mapped("name"), [f"Person {number}" for number in range(5)])
        people.write({"city": "Gdynia"})
        self.push()
        self.assertLess(self.sim.calls.count(), 5)
        for partner in people:
            self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.assertEqual(people.mapped("city"), ["Gdynia"] * 5)
        self.assertFalse(self.changes() or self.pings())
        # What somebody edits there does come in.
        self.sim.edit_contact(int(people[0].usercom_id), city="Sopot")
        self.ping(people[0].usercom_id)
        self.pull()
        self.assertEqual(people[0].city, "Sopot")


class TestPushed(HookCase):
    def told(self):
        told = []
        self.hook(
            "_usercom_pushed",
            lambda _real, partner, account, sent: told.append((partner.id, account.id, dict(sent))),
        )
        return told

    def test_of_each_of_many(self):
        people = self.people(5)
        told = self.told()
        people.write({"city": "Hel"})
        self.push()
        self.assertLess(self.sim.calls.count(), 5)
        expected = [(partner.id, self.account.id, {"city": "Hel"}) for partner in people]
        self.assertEqual(sorted(told), sorted(expected))

    def test_not_where_nothing_was_written(self):
        [jan] = self.people(1)
        jan.usercom_email_consent = "given"
        # A fresh read shows a newer "no", so the consent is not written.
        self.sim.edit_contact(int(jan.usercom_id), attributes={"email_consent": False})
        told = self.told()
        self.push()
        self.assertEqual(self.methods(), ["GET"])
        self.assertFalse(told)

    def test_an_edit_in_it_goes_out(self):
        [jan] = self.people(1)

        def pushed(_real, partner, _account, sent):
            if "city" in sent:
                partner.phone = "+48600100200"

        self.hook("_usercom_pushed", pushed)
        jan.city = "Hel"
        self.push()
        self.push()
        self.assertEqual(self.there(jan)["phone_number"], "+48600100200")
        self.assertFalse(self.changes())


class TestPull(HookCase):
    def test_what_is_left_out_is_not_brought_again_nor_sent_back(self):
        [jan] = self.people(1, city="Hel")
        self.hook("_usercom_before_pull", lambda _r, _p, _a, _vals: {})
        pulled = []
        self.hook("_usercom_pulled", lambda _r, _p, _a, vals: pulled.append(vals))
        self.sim.edit_contact(int(jan.usercom_id), city="Sopot")
        for _round in range(2):
            self.ping(jan.usercom_id)
            self.pull()
            self.push()
        self.assertEqual((jan.city, self.there(jan)["city"]), ("Hel", "Sopot"))
        self.assertFalse(self.sim.calls("PUT") or pulled)

    def test_what_is_changed_is_not_sent_back_and_what_is_added_is(self):
        [jan] = self.people(1, city="Hel")
        self.hook(
            "_usercom_before_pull",
            lambda _r, _p, _a, vals: vals | {"city": "SOPOT", "phone": "+48600100200"},
        )
        self.sim.edit_contact(int(jan.usercom_id), city="Sopot")
        self.ping(jan.usercom_id)
        self.pull()
        self.push()
        self.assertEqual((jan.city, self.there(jan)["city"]), ("SOPOT", "Sopot"))
        self.assertEqual(self.there(jan)["phone_number"], "+48600100200")

    def test_of_who_is_created(self):
        known = []
        self.hook("_usercom_before_pull", lambda _r, p, _a, vals: vals | {"ref": f"new {len(p)}"})
        self.hook("_usercom_pulled", lambda _r, p, _a, vals: known.append((p.usercom_id, vals)))
        contact = self.sim.add_contact(email="ola@example.com", city="Sopot", status="user")
        self.ping(contact["id"])
        self.pull()
        partner = self.env["res.partner"].search([("email", "=", "ola@example.com")])
        self.assertEqual((partner.ref, partner.city), ("new 0", "Sopot"))
        [(usercom_id, vals)] = known
        self.assertEqual(usercom_id, str(contact["id"]))
        self.assertEqual(vals["city"], "Sopot")


class TestTakePart(HookCase):
    def narrow(self):
        return self.hook(
            "_usercom_take_part", lambda real, *_: real().filtered(lambda p: p.ref != "out")
        )

    def test_out(self):
        [jan] = self.people(1)
        self.narrow()
        ola = self.make_partner(email="ola@example.com", ref="out")
        jan.write({"ref": "out", "city": "Hel"})
        self.push()
        self.assertFalse(self.sim.calls() or self.changes())
        self.assertFalse(self.binding(ola))
        self.assertIn("not kept in step any more", jan.usercom_status)

    def test_who_leaves_during_the_look_up_is_not_created(self):
        self.narrow()
        jan = self.make_partner()
        real = self.registry["usercom.change"]._bind

        def bind(this, *args):
            this.env["res.partner"].browse(jan.id).ref = "out"
            return real(this, *args)

        with patch.object(self.registry["usercom.change"], "_bind", bind):
            self.push()
        self.make_due()
        self.push()
        self.assertFalse(self.sim.contacts() or self.changes())

    def test_in(self):
        [jan] = self.people(1)
        self.narrow()
        jan.ref = "out"
        self.sim.edit_contact(int(jan.usercom_id), city="Hel")
        self.ping(jan.usercom_id)
        self.pull()
        self.assertFalse(jan.city or self.pings())
        self.make_partner(email="ola@example.com", ref="out")
        self.ping(self.sim.add_contact(email="ola@example.com", status="user")["id"])
        self.pull()
        self.assertEqual(self.pings().problem_code, "not_taking_part")

    def test_a_no_still_travels(self):
        [jan] = self.people(1)
        self.narrow()
        jan.ref = "out"
        jan.usercom_email_consent = "withdrawn"
        self.push()
        self.assertIs(self.there(jan)["attributes"]["email_consent"], False)

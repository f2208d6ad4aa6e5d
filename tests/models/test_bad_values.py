"""Values that one side cannot take: the rest of the contact goes, and the bad part is named."""

from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.client.transport import Answer, Transport
from odoo.addons.usercom_connector.models.usercom_binding import Read
from odoo.tests.common import tagged

from .common import SyncCase

LONG = "Wolfeschlegelsteinhausenbergerdorffwelche"  # 41 characters


@tagged("post_install", "-at_install")
class TestOut(SyncCase):
    """Values of Odoo's that User.com would refuse are not sent."""

    def check(self, bad, good, attribute, there, words):
        """``bad`` does not travel while a phone or a city does; ``good`` does, and all is well.

        :param bad: a dict of values; ``good`` likewise.
        :param there: what User.com is to hold in ``attribute`` in the end.
        """
        partner = self.make_linked(email="jan@example.com", phone="+48600100200", city="Gdynia")
        before = self.there(partner)[attribute]
        other = {"city": "Sopot"} if "city" not in bad else {"phone": "+48600100201"}
        partner.write(bad | other)
        self.push()
        self.assertEqual(self.there(partner)[attribute], before)
        if "city" in other:
            self.assertEqual(self.there(partner)["city"], "Sopot")
        else:
            self.assertEqual(self.there(partner)["phone_number"], "+48600100201")
        self.assertIn(words, partner.usercom_problem)
        self.assertFalse(self.changes())
        # Neither a further edit nor what comes back from User.com takes the notice away.
        partner.email = "new@example.com" if "email" not in bad else partner.email
        partner.country_id = self.env.ref("base.pl")
        self.push()
        self.assertIn(words, partner.usercom_problem)
        self.ping(partner.usercom_id)
        self.pull()
        self.assertIn(words, partner.usercom_problem)
        for name, value in bad.items():
            self.assertEqual(partner[name], value)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())
        # Corrected, it goes, and the notice with it.
        partner.write(good)
        self.push()
        self.assertEqual(self.there(partner)[attribute], there)
        self.assertFalse(partner.usercom_problem)

    def test_first_name_too_long(self):
        self.check(
            {"name": f"{LONG} Nowak"}, {"name": "Jan Nowak"}, "name", "Jan Nowak", "The name"
        )

    def test_last_name_too_long(self):
        self.check(
            {"name": f"Jan {LONG}"},
            {"name": f"Jan {LONG[:40]}"},
            "name",
            f"Jan {LONG[:40]}",
            "40 characters",
        )

    def test_phone_that_is_none(self):
        self.check(
            {"phone": "call my mother"},
            {"phone": "+48 600 100 202"},
            "phone_number",
            "+48600100202",
            "The phone was not sent",
        )

    def test_phone_that_is_too_short(self):
        self.check(
            {"phone": "+48 1"},
            {"phone": "+48 600 100 202"},
            "phone_number",
            "+48600100202",
            "The phone was not sent",
        )

    def test_email_that_is_none(self):
        self.check(
            {"email": "jan at example"},
            {"email": "JAN@Example.com"},
            "email",
            "jan@example.com",
            "The e-mail was not sent",
        )

    def test_several_emails(self):
        self.check(
            {"email": "jan@example.com, ola@example.com"},
            {"email": "ola@example.com"},
            "email",
            "ola@example.com",
            "one valid address",
        )

    def test_city_too_long(self):
        self.check({"city": "Ł" * 65}, {"city": "Ł" * 64}, "city", "Ł" * 64, "64 characters")

    def test_new_contact_with_bad_parts(self):
        partner = self.make_partner(name=f"Jan {LONG}", phone="none", city="x" * 65)
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")
        for part in ("The name", "The phone", "City"):
            self.assertIn(part, partner.usercom_problem)
        self.assertFalse(self.changes())

    def test_bad_email_and_a_phone(self):
        partner = self.make_partner(email="jan(at)example.com", phone="+48600100200")
        self.push()
        there = self.there(partner)
        self.assertEqual((there["email"], there["phone_number"]), (None, "+48600100200"))
        self.assertIn("The e-mail", partner.usercom_problem)

    def test_display_form_of_an_email(self):
        partner = self.make_partner(email='"Jan" <Jan@Example.com>')
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")
        self.assertFalse(partner.usercom_problem)

    def test_control_characters(self):
        partner = self.make_partner(name="Jan\tTestowy\r\n", city="\x01Gdynia\x1f\x7f")
        self.push()
        there = self.there(partner)
        self.assertEqual((there["name"], there["city"]), ("Jan Testowy", "Gdynia"))
        self.sim.reset_calls()
        self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.assertEqual(self.sim.calls.count("PUT"), 0)
        self.assertEqual(partner.city, "\x01Gdynia\x1f\x7f")

    def test_characters_beyond_the_basic_plane(self):
        partner = self.make_partner(name="Ośmiornica 🐙\U0001d4d9", city="東京")
        self.push()
        there = self.there(partner)
        self.assertEqual((there["name"], there["city"]), ("Ośmiornica 🐙\U0001d4d9", "東京"))


@tagged("post_install", "-at_install")
class TestCut(SyncCase):
    """Where the line says so, a part of a long text goes, and Odoo keeps the whole."""

    def test_of_a_new_contact(self):
        lines = self.account.contact_mapping_ids
        lines.write({"too_long": "cut"})
        name, city = f"{LONG} {LONG[::-1]}", "Ł" * 65
        partner = self.make_partner(name=name, city=city)
        self.push()
        there = self.there(partner)
        self.assertEqual(there["name"], f"{LONG[:39]}… {LONG[::-1][:39]}…")
        self.assertEqual(there["city"], "Ł" * 63 + "…")
        self.assertFalse(partner.usercom_problem)
        for _ in range(2):
            self.sim.reset_calls()
            self.ping(partner.usercom_id)
            self.pull()
            self.push()
            self.assertEqual((partner.name, partner.city), (name, city))
            self.assertEqual(self.methods(), ["GET"])


@tagged("post_install", "-at_install")
class TestRefused(SyncCase):
    """What User.com refuses although it looked right."""

    def refuse(self, bad="Nowhere", field="city"):
        """Let User.com refuse a value of a field, as long as it is sent."""
        self.refused_writes = []
        for name in ("update_contact", "upsert_contact"):
            real = getattr(client.UserCom, name)

            def write(usercom, number, values, real=real):
                if values.get(field) == bad:
                    self.refused_writes.append(values)
                    raise client.RecordRefused({field: ["There is no such place."]})
                return real(usercom, number, values)

            self.patch(client.UserCom, name, write)

    def test_rest_of_the_contact_goes(self):
        self.refuse()
        partner = self.make_linked()
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        there = self.there(partner)
        self.assertEqual((there["city"], there["phone_number"]), (None, "+48600100200"))
        self.assertIn("City was not taken by User.com", partner.usercom_problem)
        self.assertIn("There is no such place.", partner.usercom_problem)
        self.assertFalse(self.changes())
        self.assertEqual(len(self.refused_writes), 1)

    def test_of_a_new_contact(self):
        self.refuse()
        partner = self.make_partner(city="Nowhere")
        self.push()
        self.assertEqual(self.there(partner)["name"], "Jan Testowy")
        self.assertIn("City was not taken", partner.usercom_problem)
        self.assertFalse(self.changes())

    def test_is_not_sent_again_and_again(self):
        self.refuse()
        partner = self.make_linked()
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        for phone in ("+48600100201", "+48600100202"):
            partner.phone = phone
            self.push()
            self.assertEqual(self.there(partner)["phone_number"], phone)
            self.assertIn("City was not taken", partner.usercom_problem)
            self.ping(partner.usercom_id)
            self.pull()
            self.push()
            self.assertIn("City was not taken", partner.usercom_problem)
        self.assertEqual(len(self.refused_writes), 1)
        self.assertEqual(partner.city, "Nowhere")

    def test_corrected(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        partner.city = "Sopot"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Sopot")
        self.assertFalse(partner.usercom_problem)

    def test_put_back(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        self.assertTrue(partner.usercom_problem)
        partner.city = "Gdynia"
        self.push()
        self.assertFalse(partner.usercom_problem)
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_removed(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        partner.city = False
        self.push()
        self.assertFalse(self.there(partner)["city"])
        self.assertFalse(partner.usercom_problem)
        self.ping(partner.usercom_id)
        self.pull()
        self.assertFalse(partner.city)

    def test_corrected_and_refused_anew(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        for _ in range(2):
            partner.write({"city": "Nowhere", "phone": False})
            self.push()
            self.assertTrue(partner.usercom_problem)
            partner.write({"city": "Sopot", "phone": "+48600100200"})
            self.push()
            self.assertFalse(partner.usercom_problem)

    def test_nothing_else_to_send(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        partner.city = "Nowhere"
        self.push()
        self.assertIn("There is no such place", partner.usercom_problem)
        self.push()
        self.assertEqual(len(self.refused_writes), 1)
        # Another edit goes, and does not hide what is still refused.
        partner.phone = "+48600100200"
        self.push()
        self.assertEqual(self.there(partner)["phone_number"], "+48600100200")
        self.assertIn("There is no such place", partner.usercom_problem)
        partner.city = "Sopot"
        self.push()
        self.assertFalse(partner.usercom_problem)
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_edit_in_usercom_of_what_it_refused(self):
        self.refuse()
        partner = self.make_linked(city="Gdynia")
        partner.write({"city": "Nowhere", "phone": "+48600100200"})
        self.push()
        self.sim.edit_contact(int(partner.usercom_id), city="Hel")
        self.ping(partner.usercom_id)
        self.pull()
        self.push()
        # Odoo's value wins, but it cannot be sent: it stays here and is shown.
        self.assertEqual(partner.city, "Nowhere")
        self.assertEqual(self.there(partner)["city"], "Hel")
        self.assertIn("City was not taken", partner.usercom_problem)

    def test_user_id_refused(self):
        there = self.sim.add_contact(email="jan@example.com", first_name="Jan", status="user")
        real = client.UserCom.update_contact

        def write(usercom, number, values):
            if "custom_id" in values:
                raise client.RecordRefused({"custom_id": ["This field must be unique."]})
            return real(usercom, number, values)

        self.patch(client.UserCom, "update_contact", write)
        partner = self.make_partner(city="Gdynia")
        self.push()
        self.assertEqual(partner.usercom_id, str(there["id"]))
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.changes())


@tagged("post_install", "-at_install")
class TestIn(SyncCase):
    """Values of User.com's that Odoo cannot take."""

    def read(self, partner, **values):
        self.sim.edit_contact(int(partner.usercom_id), raw=True, **values)
        self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.assertFalse(self.pings())
        self.assertFalse(self.changes())

    def test_unknown_country(self):
        partner = self.make_linked(country_id=self.env.ref("base.pl").id)
        self.read(partner, country="Freedonia", city="Gdynia")
        self.assertEqual(partner.country_id.code, "PL")
        self.assertEqual(partner.city, "Gdynia")
        self.assertIn('"Freedonia"', partner.usercom_problem)
        self.read(partner, country="Germany")
        self.assertEqual(partner.country_id.code, "DE")
        self.assertFalse(partner.usercom_problem)

    def test_country_spellings(self):
        partner = self.make_linked()
        for spelling in ("Germany", "germany", " GERMANY ", "DE", "de"):
            self.read(partner, country="France")
            self.read(partner, country=spelling)
            self.assertEqual(partner.country_id.code, "DE")

    def test_email_that_is_none(self):
        partner = self.make_linked()
        self.read(partner, email="jan at example", city="Gdynia")
        self.assertEqual((partner.email, partner.city), ("jan@example.com", "Gdynia"))
        self.assertIn("The e-mail in User.com", partner.usercom_problem)
        self.read(partner, email="new@example.com")
        self.assertEqual(partner.email, "new@example.com")
        self.assertFalse(partner.usercom_problem)

    def test_phone_that_is_none(self):
        partner = self.make_linked(phone="+48600100200")
        self.read(partner, phone_number="call my mother", city="Gdynia")
        self.assertEqual(partner.city, "Gdynia")
        self.assertEqual(partner._phone_format(fname="phone"), "+48600100200")
        self.assertIn("The phone in User.com", partner.usercom_problem)
        self.read(partner, phone_number="600 100 201", country="Poland")
        self.assertEqual(partner.phone, "+48 600 100 201")
        self.assertFalse(partner.usercom_problem)

    def test_email_in_place_of_a_name(self):
        partner = self.make_linked()
        number = int(partner.usercom_id)
        self.sim.edit_contact(number, first_name="", last_name="")
        self.assertEqual(self.sim.contact(number)["name"], "jan@example.com")
        self.ping(number)
        self.pull()
        self.push()
        self.assertEqual(partner.name, "Jan Testowy")

    def test_new_contact_without_a_name(self):
        there = self.sim.add_contact(email="ola@example.com", status="user")
        self.ping(there["id"])
        self.pull()
        partner = self.env["res.partner"].search([("email", "=", "ola@example.com")])
        self.assertEqual(partner.name, "ola@example.com")
        self.sim.reset_calls()
        self.push()
        # Odoo's name of last resort is no name to give back.
        self.assertEqual(self.sim.contact(there["id"])["first_name"], None)
        self.assertFalse(self.changes())

    def test_new_contact_with_bad_parts(self):
        there = self.sim.add_contact(
            raw=True,
            email="ola@example.com",
            status="user",
            country="Freedonia",
            phone_number="none",
            city="x\x00y",
        )
        self.ping(there["id"])
        self.pull()
        partner = self.env["res.partner"].search([("email", "=", "ola@example.com")])
        self.assertEqual(partner.usercom_id, str(there["id"]))
        self.assertFalse(partner.phone or partner.country_id)
        self.assertEqual(partner.city, "xy")
        self.assertIn("Freedonia", partner.usercom_problem)
        self.assertIn("The phone in User.com", partner.usercom_problem)

    def test_control_characters(self):
        partner = self.make_linked()
        self.read(partner, city="Gdy\x00nia\r\n\t", country="Po\x00land")
        self.assertEqual(partner.city, "Gdynia")
        self.sim.reset_calls()
        self.read(partner)
        self.assertEqual(self.sim.calls.count("PUT"), 0)

    def test_refused_words_with_control_characters(self):
        """What User.com says may hold anything, too."""
        partner = self.make_linked()
        other = self.make_linked(email="ola@example.com")
        answer = b'{"errors": {"city": ["\\u0000bad\\ud83d"], "\\u0000": [null]}}'
        real = Transport.send

        def send(transport, method, url, body):
            if b"Nowhere" in (body or b""):
                return Answer(400, None, answer)
            return real(transport, method, url, body)

        self.patch(Transport, "send", send)
        partner.city = "Nowhere"
        other.city = "Gdynia"
        self.push()
        self.assertEqual(self.changes().problem_code, "refused")
        self.assertIn("bad", partner.usercom_problem)
        self.assertEqual(self.there(other)["city"], "Gdynia")

    def test_halves_of_characters(self):
        """JSON can hold them, and no database: an emoji that was cut in two."""
        there = self.sim.add_contact(email="ola@example.com", first_name="Ola", status="user")
        real = Transport.send

        def send(transport, method, url, body):
            answer = real(transport, method, url, body)
            return answer._replace(body=answer.body.replace(b'"Ola"', b'"Ola \\ud83d"'))

        self.patch(Transport, "send", send)
        self.ping(there["id"])
        self.pull()
        partner = self.env["res.partner"].search([("email", "=", "ola@example.com")])
        self.assertEqual(partner.name, "Ola ?")

    def test_values_of_other_types(self):
        partner = self.make_linked(city="Gdynia")
        self.read(partner, city=["Gdynia", "Sopot"], country=7, phone_number={"a": 1})
        self.assertEqual(partner.city, "Gdynia")
        self.assertFalse(partner.country_id or partner.phone)


@tagged("post_install", "-at_install")
class TestNoEcho(SyncCase):
    """What User.com stores in its own way is not taken for an edit, nor corrected back."""

    def check(self):
        partner = self.make_partner(
            name="Jan  Testowy ",
            email="Jan.Testowy@Example.COM",
            phone="600 100 200",
            city=" Gdynia ",
            country_id=self.env.ref("base.pl").id,
        )
        before = partner.read(["name", "email", "phone", "city"])
        self.push()
        for _ in range(2):
            self.sim.reset_calls()
            self.ping(partner.usercom_id)
            self.pull()
            partner.write({"name": partner.name, "city": partner.city})
            self.push()
            self.assertEqual(self.methods(), ["GET"])
            self.assertEqual(partner.read(["name", "email", "phone", "city"]), before)
        partner.write({"city": "Sopot ", "phone": "600100201", "email": "NEW@example.com"})
        self.push()
        for _ in range(2):
            self.sim.reset_calls()
            self.ping(partner.usercom_id)
            self.pull()
            self.push()
            self.assertEqual(self.methods(), ["GET"])
        self.assertEqual((partner.city, partner.email), ("Sopot ", "NEW@example.com"))
        return partner

    def test_plain(self):
        self.check()

    def test_normalise(self):
        self.sim.switch(normalise=True)
        partner = self.check()
        self.assertEqual(self.there(partner)["phone_number"], "+48 600 100 201")

    def test_normalise_to_digits(self):
        self.sim.switch(normalise=True, phone_format="digits")
        self.check()

    def test_listed_attributes_and_names(self):
        self.sim.switch(normalise=True, flatten_v2=False, with_names=True, null_lists=True)
        self.check()

    def test_contact_of_usercom(self):
        self.sim.switch(normalise=True)
        there = self.sim.add_contact(
            raw=True,
            email="Ola@Example.com ",
            first_name=" Ola",
            last_name="Nowa ",
            status="user",
            phone_number="48600100200",
            city=" Hel",
            country="poland",
        )
        self.ping(there["id"])
        self.pull()
        self.push()
        for _ in range(2):
            self.sim.reset_calls()
            self.ping(there["id"])
            self.pull()
            self.push()
            self.assertEqual(self.sim.calls.count("PUT"), 0)


@tagged("post_install", "-at_install")
class TestBlanks(SyncCase):
    """A blank that was never filled wipes nothing; a value that was removed is an edit."""

    def test_never_filled_wipes_nothing_there(self):
        there = self.sim.add_contact(
            email="jan@example.com",
            first_name="Jan",
            last_name="Testowy",
            status="user",
            phone_number="+48600100200",
            city="Gdynia",
            country="Poland",
        )
        partner = self.make_partner()
        self.push()
        self.assertEqual(partner.usercom_id, str(there["id"]))
        self.assertEqual((partner.city, partner.country_id.code), ("Gdynia", "PL"))
        self.assertEqual(self.there(partner)["phone_number"], "+48600100200")

    def test_never_filled_wipes_nothing_here(self):
        partner = self.make_partner(phone="+48600100200", city="Gdynia")
        there = self.sim.add_contact(email="jan@example.com", status="user")
        self.ping(there["id"])
        self.pull()
        self.push()
        self.assertEqual(partner.city, "Gdynia")
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_removal_travels_out(self):
        partner = self.make_linked(city="Gdynia", phone="+48600100200")
        partner.write({"city": False, "phone": ""})
        self.push()
        there = self.there(partner)
        self.assertFalse(there["city"] or there["phone_number"])
        self.ping(partner.usercom_id)
        self.pull()
        self.assertFalse(partner.city or partner.phone)

    def test_removal_travels_in(self):
        partner = self.make_linked(city="Gdynia", phone="+48600100200")
        self.sim.edit_contact(int(partner.usercom_id), city="", phone_number=None)
        self.ping(partner.usercom_id)
        self.pull()
        self.assertFalse(partner.city or partner.phone)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())

    def test_removed_email(self):
        partner = self.make_linked(phone="+48600100200")
        partner.email = False
        self.push()
        self.assertFalse(self.there(partner)["email"])
        self.assertFalse(partner.usercom_problem)

    def test_field_that_an_answer_leaves_out_is_no_blank(self):
        partner = self.make_linked(city="Gdynia")
        contact = self.binding(partner)
        read = client.Contact(int(contact.usercom_id), {"email": "jan@example.com"}, {})
        contact._absorb(self.account, [Read(contact, read, fields.Datetime.now())])
        self.assertEqual((partner.city, partner.name), ("Gdynia", "Jan Testowy"))

    def test_address_of_a_child_only_goes_out(self):
        company = self.env["res.partner"].create(
            {"name": "Firma", "is_company": True, "city": "Gdynia"}
        )
        child = self.make_linked(parent_id=company.id)
        sibling = self.make_partner(name="Ola", email="ola@e.com", parent_id=company.id)
        self.push()
        self.assertEqual(self.there(child)["city"], "Gdynia")
        self.sim.edit_contact(int(child.usercom_id), city="Hel", first_name="Janusz")
        self.ping(child.usercom_id)
        self.pull()
        self.push()
        self.assertEqual(child.name, "Janusz Testowy")
        self.assertEqual({child.city, sibling.city, company.city}, {"Gdynia"})
        company.city = "Sopot"
        self.push()
        self.assertEqual(child.city, "Sopot")
        self.assertEqual(self.there(child)["city"], "Sopot")
        self.assertEqual(self.there(sibling)["city"], "Sopot")

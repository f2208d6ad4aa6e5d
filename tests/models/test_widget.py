"""What the widget on web pages is told of a person: the push's own ID and the push's own values."""

from datetime import date
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import SyncCase
from .test_user_ids import UserIdCase, sha256


class WidgetCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account.write({"widget_on": True, "widget_key": "abc123", "widget_consent": "given"})

    def told(self, partner):
        return self.account._widget_person(partner)

    def visit(self, partner):
        """What a visit brings about, and the push after it."""
        self.account._widget_see_to(partner)
        self.push()

    def mark(self, *names, on_web=True):
        lines = self.account.contact_mapping_ids | self.account.company_mapping_ids
        for line in lines.filtered(lambda line: line.attribute_id.name_std in names):
            line.on_web = on_web

    def add_line(self, odoo_field, name, value_type, **vals):
        self.sim.add_attribute(name, value_type)
        self.account.action_refresh_attributes()
        attribute = self.account.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", name)]
        )
        line = {"odoo_field": odoo_field, "attribute_id": attribute.id, "on_web": True}
        return self.env["usercom.mapping"].create(
            {"account_id": self.account.id, "direction": "out", **line, **vals}
        )


class EveryStrategy:
    """The User ID in the page is the one in the API call, whichever way it was given."""

    def check_same(self, partner):
        """The page's User ID is the one that stands in User.com and in the calls."""
        user_id = self.told(partner).get("user_id")
        self.assertTrue(user_id)
        self.assertEqual(user_id, self.there(partner)["custom_id"])
        return user_id

    def test_created_by_odoo(self):
        partner = self.make_partner()
        self.assertEqual(self.told(partner), {"email": "jan@example.com"})
        self.visit(partner)
        user_id = self.check_same(partner)
        [call] = self.sim.calls("POST", "/users/update_or_create/")
        self.assertEqual(call["body"]["custom_id"], user_id)

    def test_after_the_address_has_changed(self):
        partner = self.make_linked()
        before = self.check_same(partner)
        partner.email = "new@example.com"
        self.assertEqual(self.check_same(partner), before)
        self.work()
        self.assertEqual(self.check_same(partner), before)
        self.assertEqual(self.told(partner)["email"], "new@example.com")
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_one_that_another_integration_gave(self):
        self.there_is(custom_id="shop-77")
        partner = self.make_partner()
        self.work()
        self.assertEqual(self.check_same(partner), "shop-77")
        contact = self.there(partner)
        self.sim.edit_contact(contact["id"], custom_id="shop-78")
        self.ping(contact["id"])
        self.pull()
        self.assertEqual(self.check_same(partner), "shop-78")

    def test_not_before_the_call_is_answered(self):
        partner = self.make_partner()
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        self.assertEqual(self.binding(partner).state, "new")
        self.assertNotIn("user_id", self.told(partner))
        self.work()
        self.check_same(partner)

    def test_not_where_it_is_another_contacts(self):
        mine = self.make_linked()
        theirs = self.there_is(custom_id="shop-77", email="other@example.com")
        other = self.make_partner(email="other@example.com")
        self.work()
        self.sim.edit_contact(theirs["id"], custom_id="")
        self.sim.edit_contact(self.there(mine)["id"], custom_id="shop-77")
        for partner in (mine, other):
            self.ping(self.there(partner)["id"])
        self.pull()
        self.assertEqual(self.binding(other).custom_id, "shop-77")
        for partner in (mine, other):
            self.assertNotIn("user_id", self.told(partner))

    def test_deleted_in_user_com(self):
        partner = self.make_linked()
        self.sim.delete_contact(self.there(partner)["id"])
        partner.city = "Hel"
        self.push()
        self.assertEqual(self.binding(partner).state, "gone")
        self.assertEqual(self.told(partner), {})


class GivesIds(EveryStrategy):
    def test_a_visit_gives_it_to_who_is_there_without_one(self):
        self.there_is()
        partner = self.make_partner()
        self.push()
        self.assertEqual(self.told(partner), {"email": "jan@example.com"})
        self.sim.reset_calls()
        partner._usercom_enqueue(self.account)
        self.push()
        self.assertFalse(self.sim.calls("PUT"))  # by itself it is worth no call
        self.visit(partner)
        user_id = self.check_same(partner)
        [call] = self.sim.calls("PUT")
        self.assertEqual(call["body"], {"custom_id": user_id})

    def test_it_still_goes_when_what_it_went_with_does_not(self):
        self.there_is(city="Gdynia")
        partner = self.make_partner(city="Gdynia")
        self.work()
        line = self.account.contact_mapping_ids.filtered(lambda line: line.odoo_field == "city")
        line.winner = "usercom"
        self.sim.edit_contact(self.there(partner)["id"], city="Sopot")
        partner.city = "Hel"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Sopot")
        self.assertFalse(self.there(partner)["custom_id"])
        self.visit(partner)
        self.check_same(partner)


@tagged("post_install", "-at_install")
class TestRandomOnPages(GivesIds, WidgetCase, UserIdCase):
    pass


@tagged("post_install", "-at_install")
class TestSha256OnPages(GivesIds, WidgetCase, UserIdCase):
    strategy = "sha256"

    def test_it_is_the_one_of_the_first_address(self):
        partner = self.make_linked(email="Jan@Example.com")
        partner.email = "new@example.com"
        self.work()
        self.assertEqual(self.check_same(partner), sha256("jan@example.com"))


@tagged("post_install", "-at_install")
class TestKeepOnPages(EveryStrategy, WidgetCase, UserIdCase):
    strategy = "keep"

    def test_ours_is_no_id_of_who_is_there_without_one(self):
        self.there_is()
        partner = self.make_partner()
        self.push()
        partner.city = "Gdynia"
        self.visit(partner)
        self.assertFalse(self.there(partner)["custom_id"])
        self.assertEqual(self.told(partner), {"email": "jan@example.com"})


@tagged("post_install", "-at_install")
class TestValues(WidgetCase):
    def test_only_what_is_marked(self):
        partner = self.make_linked(city="Gdynia", phone="+48600100200")
        user_id = self.binding(partner).custom_id
        names = {"first_name": "Jan", "last_name": "Testowy"}
        told = names | {"email": "jan@example.com", "user_id": user_id}
        self.assertEqual(self.told(partner), told)
        self.mark("city")
        self.assertEqual(self.told(partner), told | {"city": "Gdynia"})
        self.mark("email", "name", on_web=False)
        self.assertEqual(self.told(partner), {"city": "Gdynia", "user_id": user_id})

    def test_in_the_form_of_the_push(self):
        """Every type: what the page is told is what the body of the call held."""
        lang = self.env["res.lang"]._activate_lang("pl_PL")
        category = self.env["res.partner.category"].create({"name": "Retail"})
        category.with_context(lang=lang.code).name = "Detal"
        self.add_line("employee", "staff", "boolean")
        self.add_line("color", "colour", "integer")
        self.add_line("partner_latitude", "latitude", "float")
        self.add_line("create_date", "born", "datetime")
        self.add_line("comment", "remark", "string")
        self.add_line("category_id", "kinds", "string")
        self.add_line("lang", "tongue", "string")
        self.mark("city", "phone_number", "region", "country")
        partner = self.make_linked(
            city="Gdynia",
            phone="600 100 200",
            country_id=self.env.ref("base.us").id,
            state_id=self.env.ref("base.state_us_5").id,
            color=7,
            employee=True,
            partner_latitude=54.5,
            comment="<p>Über &amp; Łódź</p>",
            category_id=category.ids,
            lang="pl_PL",
        )
        self.sim.reset_calls()
        self.env["usercom.binding"].search([]).base_odoo = False
        partner._usercom_enqueue(self.account)
        self.push()
        [call] = [call for call in self.sim.calls() if call["method"] in ("POST", "PUT")]
        told = self.told(partner)
        self.assertEqual((told["colour"], told["staff"]), (7, True))
        self.assertEqual(told["latitude"], 54.5)
        self.assertEqual(told["remark"], "Über & Łódź")
        self.assertIn(str(date.today().year), str(told["born"]))
        for name in told.keys() - {"user_id", "company"}:
            self.assertEqual(told[name], call["body"][name], name)
        self.assertGreater(len(told), 10)

    def test_as_other_addons_let_it_go(self):
        partner = self.make_linked()

        def payload(partner, account, body):
            kept = {name: value.upper() for name, value in body.items() if name != "last_name"}
            return kept | {"more": 1}

        with patch.object(self.env.registry["res.partner"], "_usercom_payload", payload):
            told = self.told(partner)
        user_id = self.binding(partner).custom_id
        self.assertEqual(
            told, {"first_name": "JAN", "email": "JAN@EXAMPLE.COM", "user_id": user_id}
        )

    def test_a_blank_is_not_told(self):
        self.add_line("color", "colour", "integer")
        self.mark("city")
        partner = self.make_partner()
        self.push()
        told = self.told(partner)
        self.assertNotIn("city", told)
        partner.color = 7
        self.push()
        partner.color = 0
        self.assertEqual(self.told(partner)["colour"], 0)

    def test_what_waits_for_a_person_or_was_refused_is_not_told(self):
        self.mark("city")
        partner = self.make_linked(city="Gdynia")
        self.sim.add_contact(email="new@example.com", first_name="Somebody")
        partner.email = "new@example.com"
        self.push()
        self.assertTrue(self.binding(partner)._open_question())
        self.assertNotIn("email", self.told(partner))
        line = self.account.contact_mapping_ids.filtered(lambda line: line.odoo_field == "city")
        line.winner = "ask"
        contact = self.there(partner)
        self.sim.edit_contact(contact["id"], city="Sopot")
        partner.city = "Hel"
        self.ping(contact["id"])
        self.pull()
        self.assertTrue(self.binding(partner).conflict_ids)
        self.assertNotIn("city", self.told(partner))

    def test_company_with_its_id(self):
        self.mark("postal_code")
        company = self.make_partner(name="Acme", is_company=True, email=False, zip="81-001")
        company.email = "office@acme.example"
        partner = self.make_linked(parent_id=company.id)
        self.push()
        told = self.told(partner)["company"]
        self.assertEqual(told.keys(), {"company_id", "name", "postal_code"})
        [there] = self.sim.companies()
        self.assertEqual(told["company_id"], there["fields"]["custom_id"])
        self.assertEqual((told["name"], told["postal_code"]), ("Acme", "81-001"))
        self.account.participant_domain = "[('name', '!=', 'Acme')]"
        self.assertNotIn("company", self.told(partner))
        self.assertEqual(self.told(company), {})

    def test_nothing_of_who_takes_no_part(self):
        partner = self.make_linked()
        self.account.participant_domain = f"[('id', '!=', {partner.id})]"
        self.assertEqual(self.told(partner), {})

    def test_nobody_becomes_a_contact_by_visiting(self):
        self.account.create_in_usercom = False
        partner = self.make_partner()
        self.assertEqual(self.told(partner), {})
        self.sim.add_contact(email="jan@example.com")
        self.visit(partner)
        self.assertEqual(self.told(partner)["user_id"], self.there(partner)["custom_id"])
        self.assertEqual(len(self.sim.contacts()), 1)


@tagged("post_install", "-at_install")
class TestKey(WidgetCase):
    def refuse(self, **vals):
        with self.assertRaises(ValidationError) as caught, self.env.cr.savepoint():
            self.account.write(vals)
        return str(caught.exception)

    def test_shape(self):
        for key in ("abc12", "abc1234", "abc 12", "abc-12", "ąbc123"):
            text = self.refuse(widget_key=key)
            self.assertIn("six letters and digits", text)
            self.assertNotIn(key, text)
        self.account.widget_key = " xyZ789 "
        self.assertEqual(self.account.widget_key, "xyZ789")

    def test_a_rest_key_is_refused_with_the_reason(self):
        text = self.refuse(widget_key="k" * 64)
        self.assertIn("REST key", text)
        self.assertIn("six characters", text)
        self.assertNotIn("kkkk", text)

    def test_nothing_starts_unsaid(self):
        self.refuse(widget_key=False)
        self.refuse(widget_consent=False)
        self.assertFalse(self.account.copy().widget_on)

    def test_pages_are_paths(self):
        self.assertIn("shop is no beginning", self.refuse(widget_pages="/my\nshop"))
        self.account.widget_not_pages = "/my/orders\n\n /shop "

"""Companies: who is who, what travels, and who belongs to whom."""

from unittest.mock import patch

from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.tests import Form
from odoo.tests.common import tagged

from .common import SyncCase

LIST, BY_NUMBER, BY_ID = "/companies/", "/companies/:id/", "/companies-by-id/:custom_id/"
JOIN, LEAVE = "/companies/:id/add_member/", "/companies/:id/remove_member/"


class CompanyCase(SyncCase):
    def make_company(self, **vals):
        vals = {"name": "Firma", "is_company": True, "email": "biuro@firma.pl"} | vals
        return self.env["res.partner"].create(vals)

    def add_company(self, **values):
        """A company that somebody made in User.com."""
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            number = usercom.create_company({"name": "Firma"} | values).id
        self.sim.reset_calls()
        return number

    def edit_company(self, number, **values):
        """An edit that somebody made in User.com."""
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom.update_company(number, values)
        self.sim.reset_calls()

    def company(self, partner):
        """The company in User.com that this one is tied to."""
        number = int(self.binding(partner).usercom_id)
        [found] = [company for company in self.sim.companies() if company["id"] == number]
        return found

    def stream(self):
        return self.env["usercom.stream"]._of(self.account, "push")

    def list_companies(self):
        """What a day, or a click, brings about."""
        self.account.action_list_companies()
        self.push()

    def make_linked_company(self, **vals):
        partner = self.make_company(**vals)
        self.push()
        self.sim.reset_calls()
        return partner

    def employ(self, company, **vals):
        """A person of a company, on both sides, with no calls counted."""
        return self.make_linked(parent_id=company.id, **vals)

    def members(self, partner):
        """The names of those whom User.com shows as members of a company."""
        numbers = set(self.company(partner)["employees"])
        return {contact["name"] for contact in self.sim.contacts() if contact["id"] in numbers}

    def counted(self):
        return [(call["method"], call["path"]) for call in self.sim.calls()]


@tagged("post_install", "-at_install")
class TestCreating(CompanyCase):
    def test_new_company_is_created_under_the_company_id_we_assign(self):
        partner = self.make_company(
            phone="+48 22 600 10 20", street="Długa 1", zip="00-001", city="Warszawa"
        )
        partner.country_id = self.env.ref("base.us")
        partner.state_id = self.env.ref("base.state_us_5")
        self.push()
        there = self.company(partner)["fields"]
        binding = self.binding(partner)
        self.assertEqual(there["custom_id"], binding.custom_id)
        self.assertEqual((there["name"], there["email"]), ("Firma", "biuro@firma.pl"))
        self.assertEqual(there["phone_numbers"], ["+48226001020"])
        self.assertEqual((there["address"], there["postal_code"]), ("Długa 1", "00-001"))
        self.assertEqual((there["city"], there["region"]), ("Warszawa", "California"))
        self.assertEqual(there["country"], "United States")
        self.assertEqual((binding.kind, binding.state), ("company", "linked"))
        self.assertEqual(partner.usercom_id, binding.usercom_id)
        self.assertFalse(partner.usercom_url)
        self.assertFalse(self.sim.contacts())
        self.assertFalse(self.changes())
        self.assertEqual(self.counted(), [("GET", LIST), ("POST", LIST)])

    def test_after_a_lost_answer_there_is_one(self):
        self.sim.fault("timeout", method="POST", path=LIST, commit=True)
        with patch.object(client, "UserCom", _impatient):
            partner = self.make_company()
            self.push()
        self.assertEqual(self.binding(partner).state, "new")
        partner.city = "Łódź"
        self.make_due()
        self.push()
        [there] = self.sim.companies()
        self.assertEqual(self.binding(partner).usercom_id, str(there["id"]))
        self.assertEqual(there["fields"]["city"], "Łódź")
        self.assertEqual(self.counted()[-1], ("PUT", BY_ID))

    def test_after_a_call_that_never_arrived_there_is_one(self):
        self.sim.fault("drop", method="POST", path=LIST, commit=False)
        partner = self.make_company()
        self.push()
        self.assertFalse(self.sim.companies())
        self.make_due()
        self.push()
        self.assertEqual(self.company(partner)["fields"]["name"], "Firma")

    def test_a_name_that_is_refused_parks_the_company(self):
        refused = client.RecordRefused({"name": ["Not this one."]})
        with patch.object(client.UserCom, "create_company", side_effect=refused) as create:
            self.make_company()
            self.push()
        self.assertEqual(create.call_count, 1)  # without a name there is no use in trying
        self.assertEqual(self.changes().problem_code, "refused")
        self.assertFalse(self.sim.companies())

    def test_creation_switched_off(self):
        self.account.create_in_usercom = False
        partner = self.make_company()
        self.push()
        self.assertFalse(self.sim.companies())
        self.assertFalse(self.binding(partner))
        self.assertFalse(self.changes())

    def test_ceiling(self):
        self.account.creation_limit = 1
        self.make_company()
        self.make_company(name="Druga", email="druga@example.com")
        self.push()
        self.assertEqual(len(self.sim.companies()), 1)
        self.assertEqual(self.changes().problem_code, "ceiling")
        self.account.creation_limit = 2
        self.push()
        self.assertEqual(len(self.sim.companies()), 2)

    def test_who_does_not_take_part(self):
        self.make_company(email=False)
        firm = self.make_company(name="Oddział", email="oddzial@example.com")
        for kind in ("invoice", "delivery", "other"):
            vals = {"name": kind, "email": f"{kind}@example.com", "type": kind}
            self.env["res.partner"].create(
                [vals | {"parent_id": firm.id}, vals | {"parent_id": firm.id, "is_company": True}]
            )
        self.push()
        self.assertEqual([c["fields"]["name"] for c in self.sim.companies()], ["Oddział"])
        self.assertFalse(self.sim.contacts())

    def test_a_person_of_no_kind_of_address_is_a_person(self):
        """An import leaves the kind of address empty where its column is."""
        person = self.make_partner(type=False)
        self.push()
        self.assertTrue(self.there(person))

    def test_the_count_before_switching_on_covers_companies(self):
        wizard = self.env["usercom.creation"].create(
            {"account_id": self.account.id, "side": "usercom"}
        )
        before = wizard._count_existing()
        self.make_company()
        self.make_company(name="Druga")  # the same address: still another company
        self.make_partner()
        self.assertEqual(wizard._count_existing(), before + 3)

    def test_namesakes_are_not_both_created(self):
        first = self.make_company(email="a@example.com")
        second = self.make_company(name=" FIRMA ", email="b@example.com")
        self.push()
        self.assertEqual(len(self.sim.companies()), 1)
        self.make_due()
        self.push()
        self.assertEqual(len(self.sim.companies()), 1)
        self.assertEqual(self.changes().partner_res_id, second.id)
        self.assertEqual(self.changes().problem_code, "company_taken_there")
        self.assertIn(first.name, self.changes().problem)


@tagged("post_install", "-at_install")
class TestLinking(CompanyCase):
    def test_by_email_before_name(self):
        self.add_company(name="Firma", email="inna@example.com")
        number = self.add_company(name="Stara nazwa", email="Biuro@Firma.pl", custom_id="g-1")
        partner = self.make_company()
        self.push()
        binding = self.binding(partner)
        self.assertEqual((binding.usercom_id, binding.custom_id), (str(number), "g-1"))
        self.assertEqual(len(self.sim.companies()), 2)
        self.assertEqual(self.company(partner)["fields"]["name"], "Firma")

    def test_by_name_without_regard_to_case_and_spaces(self):
        number = self.add_company(name="FIRMA  sp. z o.o.", city="Hel")
        partner = self.make_company(name="Firma Sp. z o.o.", zip="00-001")
        self.push()
        self.assertEqual(self.binding(partner).usercom_id, str(number))
        there = self.company(partner)["fields"]
        self.assertEqual(there["custom_id"], self.binding(partner).custom_id)
        self.assertEqual((there["email"], there["postal_code"]), ("biuro@firma.pl", "00-001"))
        self.assertEqual(partner.city, "Hel")  # a blank takes the other side's value

    def test_another_legal_form_is_another_company(self):
        self.add_company(name="Firma S.A.")
        self.make_company(name="Firma sp. z o.o.")
        self.push()
        self.assertEqual(len(self.sim.companies()), 2)

    def test_several_with_one_name_are_left_to_a_person(self):
        numbers = [self.add_company(), self.add_company()]
        partner = self.make_company()
        self.push()
        self.assertEqual(self.changes().problem_code, "several_companies_there")
        for number in numbers:
            self.assertIn(str(number), self.changes().problem)
        self.assertFalse(self.binding(partner))
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{numbers[0]}/")
        self.changes().action_retry()
        self.push()
        self.assertEqual(self.binding(partner).usercom_id, str(numbers[1]))

    def test_one_that_is_somebody_elses(self):
        self.add_company()
        first = self.make_company(email=False, phone="+48 22 600 10 20")
        self.push()
        self.make_company(email="inna@example.com")
        self.push()
        self.assertEqual(self.changes().problem_code, "company_taken_there")
        self.assertEqual(self.changes().problem_args["partner_id"], first.id)
        self.assertEqual(len(self.sim.companies()), 1)

    def test_two_here_and_one_there(self):
        number = self.add_company()
        self.make_company(email="a@example.com")
        self.make_company(email="b@example.com")
        self.push()
        bindings = self.env["usercom.binding"].search([("partner_id", "!=", False)])
        self.assertEqual(bindings.usercom_id, str(number))
        self.assertEqual(self.changes().problem_code, "company_taken_there")
        self.assertEqual(len(self.sim.companies()), 1)

    def test_a_company_id_that_another_one_has_here(self):
        partner = self.make_linked_company()
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{self.binding(partner).usercom_id}/")
        self.add_company(name="Inna", custom_id=self.binding(partner).custom_id)
        self.list_companies()
        self.make_company(name="Inna", email="inna@example.com")
        self.push()
        self.assertEqual(self.changes().problem_code, "user_id_taken")
        self.assertFalse(self.changes().can_settle)  # the answers are about people
        self.assertEqual(len(self.sim.companies()), 1)

    def test_deleted_in_odoo_it_stays_dead(self):
        self.add_company()
        partner = self.make_company()
        self.push()
        number = self.binding(partner).usercom_id
        partner.unlink()
        self.push()
        self.list_companies()
        left = self.env["usercom.binding"].search([("usercom_id", "=", number)])
        self.assertEqual((left.state, left.partner_id), ("linked", self.env["res.partner"]))
        self.assertFalse(left.base_usercom)
        self.assertFalse(self.env["res.partner"].search([("name", "=", "Firma")]))

    def test_deleted_there_it_is_shown_and_not_created_again(self):
        partner = self.make_linked_company()
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{self.binding(partner).usercom_id}/")
        partner.city = "Łódź"
        self.push()
        self.assertEqual(self.binding(partner).state, "gone")
        self.assertFalse(self.sim.companies())

    def test_one_that_was_deleted_there_since_the_list_was_read(self):
        number = self.add_company()
        self.make_linked_company(name="Inna", email="inna@example.com")  # reads the list
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{number}/")
        partner = self.make_company()
        self.push()
        self.assertEqual(self.company(partner)["fields"]["name"], "Firma")

    def test_a_contact_and_a_company_with_one_number(self):
        partner = self.make_linked()
        company = self.make_linked_company()
        self.binding(company).usercom_id = self.binding(partner).usercom_id
        self.env.flush_all()
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.assertEqual((partner.name, company.name), ("Jan Testowy", "Firma"))
        self.assertFalse(self.pings())


@tagged("post_install", "-at_install")
class TestList(CompanyCase):
    def test_is_read_before_the_first_company_and_then_once_a_day(self):
        self.sim.switch(page_size=2)
        for number in range(3):
            self.add_company(name=f"Inna {number}")
        self.make_company()
        self.push()
        self.assertEqual(self.sim.calls.count("GET", LIST), 2)
        self.make_company(name="Druga", email="druga@example.com")
        self.push()
        self.assertEqual(self.sim.calls.count("GET", LIST), 2)
        day_ago = fields.Datetime.subtract(fields.Datetime.now(), days=1, minutes=1)
        self.stream().write({"companies_listed_at": day_ago, "companies_due_at": day_ago})
        self.push()
        self.assertEqual(self.sim.calls.count("GET", LIST), 5)  # there are five companies now

    def test_keeps_nothing_but_names_and_addresses(self):
        self.add_company(name="Inna", email="inna@example.com", city="Hel", custom_id="g-1")
        self.make_company()
        self.push()
        seen = self.env["usercom.binding"].search([("state", "=", "seen")])
        self.assertEqual(seen.base_usercom, {"name": "Inna", "email": "inna@example.com"})
        self.assertEqual(seen.custom_id, "g-1")
        self.assertFalse(seen.partner_id)
        self.assertEqual(self.account.binding_count, 1)
        self.assertNotIn(seen, seen.search(self.account.action_open_bindings()["domain"]))

    def test_costs_no_list_where_there_are_no_companies(self):
        self.add_company()
        self.make_linked()
        self.account._list_companies_soon()
        self.push()
        self.assertFalse(self.sim.calls.count("GET", LIST))

    def test_a_list_that_fails_creates_nothing_and_is_read_later(self):
        self.sim.fault("500", path=LIST)
        self.make_company()
        person = self.make_partner()
        self.push()
        self.assertFalse(self.sim.companies())
        self.assertEqual(self.changes().problem_code, "server")
        self.assertTrue(self.there(person))
        self.make_due()
        self.push()
        self.assertEqual(len(self.sim.companies()), 1)

    def test_a_list_that_is_longer_than_a_round_goes_on(self):
        self.sim.switch(page_size=1)
        for number in range(3):
            self.add_company(name=f"Inna {number}")
        number = self.add_company()
        partner = self.make_company()
        for count in range(1, 4):
            self._one_turn()
            self.assertEqual(self.sim.calls.count("GET", LIST), count)
            self.assertEqual(self.changes().problem_code, "listing_companies")
            self.make_due()
        self.push()
        self.assertEqual(self.sim.calls.count("GET", LIST), 4)
        self.assertEqual(self.binding(partner).usercom_id, str(number))

    def _one_turn(self):
        """One turn of the account in a round whose time is up already."""
        self.env.cr.flush()
        self.env.invalidate_all()
        changes = self.env["usercom.change"]
        with self.registry.cursor() as cr:
            changes.with_env(self.env(cr=cr))._drain_account(self.account.id, 0.0)
            cr.commit()
        self.env.invalidate_all()

    def test_who_is_not_listed_any_more_is_forgotten(self):
        number = self.add_company(name="Inna")
        self.make_linked_company()
        seen = self.env["usercom.binding"].search([("state", "=", "seen")])
        self.assertEqual(seen.usercom_id, str(number))
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{number}/")
        seen.synced_at = fields.Datetime.subtract(seen.synced_at, minutes=1)
        self.list_companies()
        self.assertFalse(seen.exists())


@tagged("post_install", "-at_install")
class TestBothWays(CompanyCase):
    def test_renamed_here(self):
        partner = self.make_linked_company()
        partner.name = "Firma i Syn"
        self.push()
        self.assertEqual(self.company(partner)["fields"]["name"], "Firma i Syn")
        self.assertEqual(self.counted(), [("PUT", BY_NUMBER)])
        self.assertEqual(self.sim.calls()[0]["body"], {"name": "Firma i Syn"})

    def test_edited_there(self):
        partner = self.make_linked_company(phone="+48 22 600 10 20", street="Długa 1")
        self.edit_company(
            int(self.binding(partner).usercom_id),
            name="Firma i Syn",
            city="Hel",
            country="Poland",
            address="Krótka 2",
            phone_numbers=["+48226001021"],
        )
        self.list_companies()
        self.assertEqual((partner.name, partner.city), ("Firma i Syn", "Hel"))
        self.assertEqual(partner.country_id.code, "PL")
        self.assertEqual(partner.phone, "+48 22 600 10 20")  # these two only go out
        self.assertEqual(partner.street, "Długa 1")
        self.push()
        self.assertEqual(self.counted(), [("GET", LIST)])

    def test_edited_on_both_sides(self):
        partner = self.make_linked_company(city="Hel")
        self.edit_company(int(self.binding(partner).usercom_id), postal_code="00-001")
        partner.city = "Łódź"
        self.push()
        self.list_companies()
        there = self.company(partner)["fields"]
        self.assertEqual((there["city"], there["postal_code"]), ("Łódź", "00-001"))
        self.assertEqual((partner.city, partner.zip), ("Łódź", "00-001"))

    def test_what_is_unchanged_costs_nothing(self):
        partner = self.make_linked_company()
        revision = self.binding(partner).revision
        self.list_companies()
        self.assertEqual(self.counted(), [("GET", LIST)])
        self.assertEqual(self.binding(partner).revision, revision)
        partner._usercom_enqueue()
        self.push()
        self.assertEqual(self.counted(), [("GET", LIST)])
        self.assertFalse(self.changes())

    def test_no_echo_where_the_server_stores_something_else(self):
        self.sim.switch(normalise=True)
        partner = self.make_linked_company(name="Firma", city="Łódź")
        partner.city = "Hel  Jastarnia"
        self.push()
        self.sim.reset_calls()
        self.list_companies()
        partner._usercom_enqueue()
        self.push()
        self.assertEqual(self.counted(), [("GET", LIST)])

    def test_a_line_that_is_added_is_carried_to_companies(self):
        partner = self.make_linked_company()
        self.edit_company(int(self.binding(partner).usercom_id), description="Sprzedaje młotki")
        attribute = self.env["usercom.attribute"].search(
            [
                ("account_id", "=", self.account.id),
                ("kind", "=", "company"),
                ("name_std", "=", "description"),
            ]
        )
        line = self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "kind": "company",
                "odoo_field": "function",
                "attribute_id": attribute.id,
            }
        )
        line._carry()
        self.push()
        self.assertEqual(partner.function, "Sprzedaje młotki")
        self.assertEqual(self.counted(), [("GET", LIST)])

    def test_what_could_not_travel_is_on_the_companys_form(self):
        partner = self.make_company(phone="none")
        self.push()
        self.assertIn("The phone was not sent", partner.usercom_problem)
        with Form(partner, "base.view_partner_form") as form:
            for name, hidden in (("usercom_problem", False), ("usercom_consent_lines", True)):
                self.assertEqual(form._get_modifier(name, "invisible"), hidden, name)

    def test_companies_have_no_consents(self):
        self.sim.add_attribute("email_consent", "boolean", content_type="company")
        partner = self.make_linked_company()
        partner.usercom_email_consent = "given"
        self.push()
        self.assertFalse(self.counted())
        self.edit_company(int(self.binding(partner).usercom_id), email_consent=False, city="Hel")
        self.list_companies()
        self.assertEqual((partner.city, partner.usercom_email_consent), ("Hel", "given"))

    def test_who_left_the_filter_is_left_alone(self):
        partner = self.make_linked_company()
        self.account.participant_domain = "[('email_normalized', '!=', 'biuro@firma.pl')]"
        partner.city = "Hel"
        self.push()
        self.edit_company(int(self.binding(partner).usercom_id), name="Inna")
        self.list_companies()
        self.assertEqual(partner.name, "Firma")
        self.assertIsNone(self.company(partner)["fields"]["city"])

    def test_the_first_lists_cost_does_not_grow_in_queries(self):
        counts = []
        for size in (5, 20):
            for number in range(size):
                self.add_company(name=f"Inna {size}-{number}")
            self.make_linked_company(name=f"Firma {size}", email=f"{size}@example.com")
            self.account.action_list_companies()
            self.env.cr.flush()
            before = self.env.cr.sql_log_count
            self.push()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(abs(counts[1] - counts[0]), 3, counts)


@tagged("post_install", "-at_install")
class TestEmployers(CompanyCase):
    def test_new_person_of_a_company(self):
        company = self.make_linked_company()
        person = self.make_partner(parent_id=company.id)
        self.push()
        self.assertEqual(self.members(company), {"Jan Testowy"})
        self.assertEqual(self.sim.calls.count("POST", JOIN), 1)
        self.assertEqual(self.binding(person).member_of, self.binding(company).usercom_id)
        self.assertFalse(self.changes())

    def test_nothing_changed_costs_nothing(self):
        person = self.employ(self.make_linked_company())
        person._usercom_enqueue()
        self.push()
        self.ping(self.binding(person).usercom_id)
        self.pull()
        self.push()
        self.assertEqual(self.counted(), [("GET", "/users/:id/")])

    def test_both_new_at_once(self):
        company = self.make_company()
        self.make_partner(parent_id=company.id)
        self.push()
        self.assertEqual(self.members(company), {"Jan Testowy"})
        self.assertFalse(self.changes())

    def test_change_of_employer_costs_just_the_two_calls(self):
        first = self.make_linked_company()
        second = self.make_linked_company(name="Druga", email="druga@example.com")
        person = self.employ(first)
        person.parent_id = second
        self.push()
        self.assertEqual(self.counted(), [("POST", JOIN), ("POST", LEAVE)])
        self.assertFalse(self.members(first))
        self.assertEqual(self.members(second), {"Jan Testowy"})

    def test_no_employer_any_more(self):
        company = self.make_linked_company()
        person = self.employ(company)
        person.parent_id = False
        self.push()
        self.assertEqual(self.counted(), [("POST", LEAVE)])
        self.assertFalse(self.members(company))
        self.assertFalse(self.binding(person).member_of)

    def test_employer_deleted_in_odoo(self):
        company = self.make_linked_company()
        person = self.employ(company)
        number = int(self.binding(company).usercom_id)
        company.unlink()
        self.push()
        self.assertFalse(person.parent_id)
        [there] = [c for c in self.sim.companies() if c["id"] == number]
        self.assertFalse(there["employees"])

    def test_employer_that_is_linked_later(self):
        self.account.create_in_usercom = False
        company = self.make_company()
        there = self.sim.add_contact(email="jan@example.com", first_name="Jan", status="user")
        person = self.make_partner(parent_id=company.id)
        bystander = self.make_partner(name="Ola", email="ola@example.com", parent_id=company.id)
        self.push()
        self.assertEqual(self.binding(person).usercom_id, str(there["id"]))
        self.assertFalse(self.binding(person).member_of)
        self.add_company()
        self.list_companies()
        self.stream().companies_listed_at = False
        company.city = "Hel"
        self.push()
        self.push()
        self.assertEqual(self.company(company)["employees"], [there["id"]])
        self.assertFalse(self.binding(bystander))  # is not linked, and not looked up for this

    def test_membership_that_is_there_already(self):
        company = self.make_linked_company()
        there = self.sim.add_contact(email="jan@example.com", first_name="Jan", status="user")
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom.add_member(self.binding(company).usercom_id, there["id"])
        self.sim.reset_calls()
        person = self.make_partner(parent_id=company.id)
        self.push()
        self.assertFalse(self.sim.calls.count("POST", JOIN))
        self.assertEqual(self.binding(person).member_of, self.binding(company).usercom_id)

    def test_memberships_made_in_usercom_are_left_alone(self):
        company = self.make_linked_company()
        other = self.add_company(name="Inna")
        person = self.employ(company)
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom.add_member(other, self.binding(person).usercom_id)
        person.parent_id = False
        self.push()
        [there] = [c for c in self.sim.companies() if c["id"] == other]
        self.assertEqual(there["employees"], [int(self.binding(person).usercom_id)])
        self.assertFalse(self.members(company))

    def test_a_person_whom_usercom_had_first(self):
        company = self.make_linked_company()
        person = self.make_partner(parent_id=company.id)
        self.env["usercom.change"].search([]).unlink()
        there = self.sim.add_contact(
            email="jan@example.com", first_name="Jan", last_name="Testowy", status="user"
        )
        self.ping(there["id"])
        self.pull()
        self.push()
        self.assertEqual(self.binding(person).usercom_id, str(there["id"]))
        self.assertEqual(self.members(company), {"Jan Testowy"})

    def test_a_failing_call_is_repeated_without_the_write(self):
        company = self.make_linked_company()
        self.sim.fault("500", path=JOIN)
        person = self.make_partner(parent_id=company.id)
        self.push()
        self.assertEqual(self.changes().problem_code, "server")
        self.assertEqual(self.binding(person).state, "linked")
        self.sim.reset_calls()
        self.make_due()
        self.push()
        self.assertEqual(self.counted(), [("POST", JOIN)])
        self.assertEqual(self.members(company), {"Jan Testowy"})

    def test_half_a_change_is_finished(self):
        first = self.make_linked_company()
        second = self.make_linked_company(name="Druga", email="druga@example.com")
        person = self.employ(first)
        self.sim.fault("500", path=LEAVE)
        person.parent_id = second
        self.push()
        self.make_due()
        self.push()
        self.assertFalse(self.members(first))
        self.assertEqual(self.members(second), {"Jan Testowy"})

    def test_company_that_is_gone_there(self):
        company = self.make_linked_company()
        person = self.make_linked()
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom._call("DELETE", f"/companies/{self.binding(company).usercom_id}/")
        person.parent_id = company
        self.push()
        self.assertEqual(self.binding(company).state, "gone")
        self.assertEqual(self.binding(person).state, "linked")
        self.assertFalse(self.changes())

    def test_person_who_is_gone_there(self):
        company = self.make_linked_company()
        person = self.make_linked()
        self.sim.delete_contact(int(self.binding(person).usercom_id))
        person.parent_id = company
        self.push()
        self.assertEqual(self.binding(company).state, "linked")
        self.assertEqual(self.binding(person).state, "gone")
        self.assertFalse(self.changes())

    def test_employer_that_left_the_filter_keeps_its_people(self):
        company = self.make_linked_company()
        person = self.employ(company)
        self.account.participant_domain = "[('email_normalized', '!=', 'biuro@firma.pl')]"
        self.make_partner(name="Ola", email="ola@example.com", parent_id=company.id)
        person.function = "x"
        person._usercom_enqueue()
        self.push()
        self.assertEqual(self.members(company), {"Jan Testowy"})

    def test_employer_that_does_not_take_part_is_joined_by_nobody(self):
        company = self.make_linked_company()
        other = self.make_linked_company(name="Inna", email="inna@example.com")
        person = self.employ(company)
        self.account.participant_domain = "[('email_normalized', '!=', 'inna@example.com')]"
        person.parent_id = other
        self.push()
        self.assertEqual(self.counted(), [("POST", LEAVE)])
        self.assertFalse(self.members(company) | self.members(other))

    def test_an_invoice_address_is_no_member(self):
        company = self.make_linked_company()
        self.make_partner(parent_id=company.id, type="invoice")
        self.push()
        self.assertFalse(self.counted())

    def test_queries_do_not_grow_with_the_people(self):
        company = self.make_linked_company()
        counts = []
        for size in (3, 30):
            people = self.env["res.partner"].create(
                [{"name": f"P{size}-{n}", "email": f"p{size}-{n}@e.com"} for n in range(size)]
            )
            self.push()
            self.push()
            people.parent_id = company
            self.env.cr.flush()  # the tracking of these edits is none of the push
            before = self.env.cr.sql_log_count
            self.push()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(len(self.members(company)), 33)
        self.assertLessEqual(counts[1] - counts[0], 6, counts)


@tagged("post_install", "-at_install")
class TestBecoming(CompanyCase):
    def test_a_person_who_becomes_a_company_and_back(self):
        partner = self.make_linked()
        person = self.binding(partner)
        partner.is_company = True
        self.push()
        self.assertEqual(len(self.sim.contacts()), 1)
        [there] = self.sim.companies()
        self.assertEqual(partner.usercom_id, str(there["id"]))
        self.assertEqual(
            self.env["res.partner"].search([("usercom_id", "=", str(there["id"]))]), partner
        )
        self.assertFalse(self.env["res.partner"].search([("usercom_id", "=", person.usercom_id)]))
        partner.city = "Hel"
        self.push()
        self.assertFalse(self.sim.contact(int(person.usercom_id))["city"])
        partner.is_company = False
        self.push()
        self.assertEqual(partner.usercom_id, person.usercom_id)
        self.assertEqual(self.sim.contact(int(person.usercom_id))["city"], "Hel")
        self.assertEqual((len(self.sim.contacts()), len(self.sim.companies())), (1, 1))

    def test_who_sleeps_takes_nothing_in(self):
        partner = self.make_linked()
        person = self.binding(partner)
        partner.is_company = True
        self.push()
        lines = self.env["usercom.mapping"].search([("account_id", "=", self.account.id)])
        lines.winner = "usercom"
        self.sim.edit_contact(int(person.usercom_id), first_name="Ktoś", city="Hel")
        self.ping(person.usercom_id)
        self.pull()
        self.assertEqual((partner.name, partner.city), ("Jan Testowy", False))

    def test_a_no_still_reaches_the_profile_of_the_person(self):
        partner = self.make_linked(attributes={"email_consent": True})
        person = self.binding(partner)
        self.assertEqual(partner.usercom_email_consent, "given")
        partner.is_company = True
        self.push()
        partner.write({"usercom_email_consent": "withdrawn", "city": "Hel"})
        self.push()
        there = self.sim.contact(int(person.usercom_id))
        self.assertIs(there["attributes"]["email_consent"], False)
        [company] = self.sim.companies()
        self.assertEqual(company["fields"]["city"], "Hel")
        self.assertFalse(self.changes())


def _impatient(base_url, key, **more):
    return client.api.UserCom(base_url, key, timeout=(1.0, 0.5), **more)

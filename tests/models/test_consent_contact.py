"""Consents on the contact: lines, recording by hand, filters and groupings."""

from datetime import datetime, timedelta

from freezegun import freeze_time
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree
from odoo import fields
from odoo.addons.usercom_connector.sync import consent
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form
from odoo.tests.common import TransactionCase, new_test_user, tagged
from odoo.tools.safe_eval import safe_eval

GIVEN, WITHDRAWN, PENDING = "given", "withdrawn", "pending"
STANDINGS = ["open", "hindered", "pending", "withdrawn", "never"]


@tagged("post_install", "-at_install")
class ContactCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.email = cls.env.ref("usercom_connector.purpose_email")
        cls.sms = cls.env.ref("usercom_connector.purpose_sms")
        cls.call = cls.env.ref("usercom_connector.purpose_call")
        cls.post = cls.env["usercom.consent.purpose"].create({"name": "Letters", "channel": "post"})
        cls.sales = new_test_user(
            cls.env, "contact-sales", groups="base.group_user,base.group_partner_manager"
        )

    def partner(self, **vals):
        vals = {"name": "Jan", "email": "jan@example.com", "phone": "+48 601 234 567"} | vals
        return self.env["res.partner"].create(vals)

    def say(self, partner, state, purpose=None, source="odoo", **facts):
        events = self.env["usercom.consent.event"]
        return events._record(partner, purpose or self.email, state, source, **facts)

    def lines(self, partner):
        return {line["id"]: line for line in partner.usercom_consent_lines}


class TestLines(ContactCase):
    def test_one_line_a_purpose(self):
        partner = self.partner()
        lines = self.lines(partner)
        purposes = self.env["usercom.consent.purpose"].search([])
        self.assertEqual(list(lines), purposes.ids)
        self.assertEqual({line["label"] for line in lines.values()}, {"Never asked"})

    def test_state_since_when_and_from_where(self):
        partner = self.partner()
        self.say(
            partner,
            GIVEN,
            source="paper",
            happened_at=datetime(2026, 3, 5, 12),
            document="Form 7",
            user_id=self.sales.id,
        )
        line = self.lines(partner)[self.email.id]
        self.assertEqual((line["state"], line["label"]), (GIVEN, "Given"))
        self.assertIn("5 Mar 2026", line["since"])
        self.assertEqual(line["whence"], f"On paper, Form 7, recorded by {self.sales.name}")
        self.say(partner, WITHDRAWN, source="portal")
        line = self.lines(partner)[self.email.id]
        self.assertEqual((line["state"], line["whence"]), (WITHDRAWN, "Portal"))

    def test_found_without_a_date(self):
        partner = self.partner()
        self.say(partner, GIVEN, source="usercom", happened_at=False, origin="Acme live")
        line = self.lines(partner)[self.email.id]
        self.assertIn("date unknown, found on", line["since"])
        self.assertEqual(line["whence"], "User.com (Acme live)")

    def test_said_by_somebody_else_at_the_address(self):
        partner, other = self.partner(), self.partner()
        self.say(partner, GIVEN)
        self.say(other, WITHDRAWN, source="paper", document="Other's form")
        line = self.lines(partner)[self.email.id]
        self.assertEqual(line["state"], WITHDRAWN)
        self.assertEqual(line["notes"], ["Said at this address by another contact."])
        self.assertNotIn("Other's form", line["whence"])
        self.assertIn("Other's form", self.lines(other)[self.email.id]["whence"])

    def test_said_at_the_address_before_anybody_had_it(self):
        self.env["mail.blacklist"]._add("jan@example.com")
        line = self.lines(self.partner())[self.email.id]
        self.assertEqual((line["state"], line["notes"]), (WITHDRAWN, []))

    def test_without_an_address(self):
        lines = self.lines(self.partner(email=False, phone=False))
        self.assertEqual(lines[self.email.id]["notes"], ["There is no valid e-mail address."])
        self.assertEqual(lines[self.sms.id]["notes"], ["There is no valid phone number."])
        self.assertFalse(lines[self.post.id]["needs_address"])

    def test_follows_the_address_in_an_unsaved_form(self):
        partner = self.partner()
        self.say(partner, GIVEN)
        form = Form(partner)
        self.assertEqual(form.usercom_consent_lines[0]["state"], GIVEN)
        form.email = "new@example.com"
        self.assertEqual(form.usercom_consent_lines[0]["state"], "never")
        form.email = "jan@example.com"
        self.assertEqual(form.usercom_consent_lines[0]["state"], GIVEN)

    def test_hindrances_are_said_and_are_no_withdrawal(self):
        partner = self.partner()
        self.say(partner, GIVEN)
        self.say(partner, consent.BLOCKED, source="bounce")
        line = self.lines(partner)[self.email.id]
        self.assertEqual((line["state"], line["standing"]), (GIVEN, "hindered"))
        self.assertIn("blocked", line["notes"][0])
        self.say(partner, consent.RELEASED, source="bounce")
        self.assertEqual(self.lines(partner)[self.email.id]["standing"], "open")

    def test_who_may_not_edit_the_contact_sees_and_is_offered_nothing_else(self):
        reader = new_test_user(self.env, "contact-reader", groups="base.group_user")
        partner = self.partner()
        self.say(partner, GIVEN)
        for user, may in ((reader, False), (self.sales, True)):
            line = partner.with_user(user).usercom_consent_lines[0]
            self.assertEqual((line["state"], line["may_record"]), (GIVEN, may))

    def test_companies_have_none(self):
        self.assertFalse(self.partner(is_company=True).usercom_consent_lines)

    def test_a_card_more_costs_no_query_more(self):
        counts = []
        for count in (3, 40):
            partners = self.env["res.partner"].create(
                [{"name": "P", "email": f"p{count}-{n}@example.com"} for n in range(count)]
            )
            for partner in partners:
                self.say(partner, GIVEN, user_id=self.sales.id)
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            partners.with_user(self.sales).web_read(
                {"usercom_consent_lines": {}, "usercom_email_standing": {}}
            )
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[1], counts[0] + 1)


class TestWord(ContactCase):
    def word(self, partner, state=GIVEN, user=None, **vals):
        words = self.env["usercom.consent.word"].with_user(user or self.sales)
        vals = {"source": "phone"} | vals
        return words.create(
            {"partner_id": partner.id, "purpose_id": self.email.id, "state": state} | vals
        )

    def test_it_is_on_record(self):
        partner = self.partner()
        at = datetime(2026, 3, 5, 12)
        word = self.word(partner, source="paper", happened_at=at, document="Form 7")
        word.action_record()
        event = partner.usercom_consent_event_ids
        self.assertEqual(
            (event.state, event.source, event.document, event.happened_at, event.user_id),
            (GIVEN, "paper", "Form 7", at, self.sales),
        )
        self.assertEqual(event.address, "jan@example.com")
        self.assertEqual(event.digest, event._digest(event.read(load=None)[0]))
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_two_words_of_one_second_have_an_order(self):
        partner = self.partner()
        for state in (GIVEN, WITHDRAWN, GIVEN, WITHDRAWN, GIVEN):
            self.word(partner, state).action_record()
            self.assertEqual(partner.usercom_email_consent, state)

    def opened(self, partner, state=GIVEN):
        words = (
            self.env["usercom.consent.word"]
            .with_user(self.sales)
            .with_context(
                default_partner_id=partner.id,
                default_purpose_id=self.email.id,
                default_state=state,
            )
        )
        return Form(words)

    def test_a_no_from_while_it_was_open_stands(self):
        for days in (None, 2):
            with self.subTest(days=days):
                partner = self.partner(email=f"{days}@example.com")
                self.say(partner, WITHDRAWN, happened_at=datetime(2026, 1, 1))
                form = self.opened(partner)
                form.source = "phone"
                if days:
                    form.happened_at = fields.Datetime.now() - timedelta(days=days)
                self.assertFalse(form.warning)
                self.say(partner, WITHDRAWN, source="portal")
                action = form.save().action_record()
                self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
                self.assertEqual(len(partner.usercom_consent_event_ids), 3)
                if not days:
                    self.assertIn("later word: Withdrawn", action["params"]["message"])
        form = self.opened(partner, WITHDRAWN)
        form.source = "phone"
        self.say(partner, GIVEN)
        form.save().action_record()
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_the_date_that_is_proposed(self):
        form = self.opened(self.partner())
        now = form.opened_at
        self.assertEqual(form.happened_at, now)
        for source, proposed in (("paper", False), ("phone", now), ("email", False)):
            form.source = source
            self.assertEqual(form.happened_at, proposed)
        form.happened_at = entered = datetime(2026, 3, 5, 12)
        form.source = "paper"
        self.assertEqual(form.happened_at, entered)
        form = self.opened(self.partner(), WITHDRAWN)
        form.source = "paper"
        self.assertEqual(form.happened_at, form.opened_at)

    def test_says_that_the_document_stays(self):
        for model in ("usercom.consent.word", "usercom.consent.event"):
            field = self.env[model].fields_get(["document"])["document"]
            self.assertIn("no personal data", field["help"])

    def test_says_nothing_of_a_contact_that_is_not_to_be_seen(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        partner = self.partner(company_id=company.id)
        self.say(partner, GIVEN)
        word = self.word(partner, happened_at=datetime(2020, 1, 1))
        self.assertFalse(word.known_event)
        self.assertFalse(word.warning)

    def test_a_complaint_withdraws(self):
        partner = self.partner()
        with self.assertRaisesRegex(ValidationError, "no consent"):
            self.word(partner, source="complaint").action_record()
        self.assertFalse(partner.usercom_consent_event_ids)
        self.word(partner, WITHDRAWN, source="complaint").action_record()
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        [line] = [line for line in partner.usercom_consent_lines if line["id"] == self.email.id]
        self.assertIn("Complaint, recorded by", line["whence"])

    def test_not_in_the_future(self):
        word = self.word(self.partner(), happened_at=fields.Datetime.now() + timedelta(hours=1))
        with self.assertRaisesRegex(ValidationError, "future"):
            word.action_record()

    def test_needs_an_address_where_the_channel_has_one(self):
        partner = self.partner(email=False)
        with self.assertRaisesRegex(ValidationError, "valid e-mail address or phone"):
            self.word(partner).action_record()
        self.word(partner, purpose_id=self.post.id).action_record()
        self.assertEqual(self.lines(partner)[self.post.id]["state"], GIVEN)

    def test_older_than_a_no_is_said_before_and_changes_nothing(self):
        partner = self.partner()
        self.say(partner, WITHDRAWN)
        word = self.word(partner, happened_at=fields.Datetime.now() - timedelta(days=1))
        self.assertIn("later word: Withdrawn", word.warning)
        word.action_record()
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.assertFalse(self.word(partner).warning)

    def test_only_who_may_write_the_contact(self):
        reader = new_test_user(self.env, "word-reader", groups="base.group_user")
        portal = new_test_user(self.env, "word-portal", groups="base.group_portal")
        partner = self.partner()
        with self.assertRaises(AccessError):
            self.word(partner, user=reader).action_record()
        with self.assertRaises(AccessError):
            self.word(partner, user=portal)
        self.assertFalse(partner.usercom_consent_event_ids)

    def test_not_of_a_company_that_the_user_does_not_see(self):
        company = self.env["res.company"].create({"name": "Other"})
        partner = self.partner(company_id=company.id)
        with self.assertRaises(AccessError):
            self.word(partner).action_record()
        self.assertFalse(partner.usercom_consent_event_ids)

    def test_every_filter_of_the_history_is_for_salespeople(self):
        events = self.env["usercom.consent.event"].with_user(self.sales)
        filters = etree.fromstring(events.get_view(view_type="search")["arch"]).findall("filter")
        domains = {each.get("name"): each.get("domain") for each in filters if each.get("domain")}
        self.assertIn("given", domains)
        for name, domain in domains.items():
            with self.subTest(filter=name):
                events.search(safe_eval(domain))

    def test_history_has_everything_that_counts(self):
        partner, other = self.partner(), self.partner()
        mine = self.say(partner, GIVEN) | self.say(other, WITHDRAWN)
        self.say(other, GIVEN)
        self.say(partner, GIVEN, self.sms)
        action = partner.with_user(self.sales).usercom_action_consent_history(self.email.id)
        found = self.env["usercom.consent.event"].with_user(self.sales).search(action["domain"])
        self.assertEqual(found, mine.sorted(reverse=True))

    def of_nobody(self, address, state=WITHDRAWN, purpose=None):
        vals = {"address": address, "purpose_id": (purpose or self.email).id, "state": state}
        return self.env["usercom.consent.event"].create(vals)

    def test_history_has_a_no_that_came_before_the_contact(self):
        no = self.of_nobody("jan@example.com")
        by_phone = self.of_nobody("+48601234567", purpose=self.sms)
        partner = self.partner(phone="+48 601 234 567", active=False).with_user(self.sales)
        events = self.env["usercom.consent.event"].with_user(self.sales)
        self.env.flush_all()
        for purpose, event in ((self.email, no), (self.sms, by_phone)):
            action = partner.usercom_action_consent_history(purpose.id)
            self.env.invalidate_all()
            found = events.search(action["domain"])
            self.assertEqual(found, event)
            self.assertEqual(found.read(["state"])[0]["state"], WITHDRAWN)

    def test_nothing_else_of_nobody_is_seen(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.partner(email="hidden@example.com", company_id=company.id)
        self.partner(email="jan@example.com")
        events = self.of_nobody("nobody@example.com") | self.of_nobody("hidden@example.com")
        events |= self.of_nobody("jan@example.com", "pending")
        events |= self.of_nobody(False, purpose=self.post)
        self.env.flush_all()
        self.env.invalidate_all()
        mine = events.with_user(self.sales)
        self.assertFalse(mine.search([("id", "in", events.ids)]))
        self.assertFalse(mine._filtered_access("read"))
        with self.assertRaises(AccessError):
            mine[0].read(["address"])
        # Who may see the other company's contact sees what counts for it.
        self.sales.company_ids |= company
        mine = mine.with_context(allowed_company_ids=self.sales.company_ids.ids)
        self.assertEqual(mine.search([("id", "in", events.ids)]), events[1])
        self.assertEqual(mine._filtered_access("read"), events[1])


said = st.lists(
    st.tuples(
        st.integers(0, 3),  # who, 3 is nobody
        st.sampled_from(["jan@example.com", "ola@example.com"]),
        st.sampled_from([GIVEN, WITHDRAWN, PENDING, consent.BLOCKED, consent.RELEASED]),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=7,
)


class TestLists(ContactCase):
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        said=said,
        emails=st.lists(
            st.sampled_from(["jan@example.com", "OLA@example.com", False]), min_size=3, max_size=3
        ),
        listed=st.booleans(),
        erased=st.booleans(),
    )
    @example(
        said=[(0, "jan@example.com", GIVEN, 1)],
        emails=["jan@example.com", False, False],
        listed=True,
        erased=False,
    )
    @example(
        said=[(0, "jan@example.com", GIVEN, 1), (2, "jan@example.com", consent.BLOCKED, 2)],
        emails=["jan@example.com", False, "jan@example.com"],
        listed=False,
        erased=True,
    )
    @example(
        said=[(2, "jan@example.com", WITHDRAWN, 1)],
        emails=["jan@example.com", "jan@example.com", "OLA@example.com"],
        listed=False,
        erased=True,
    )
    def test_lists_groups_and_lines_agree(self, said, emails, listed, erased):
        with self.env.cr.savepoint() as savepoint:
            partners = self.env["res.partner"].create([{"name": "P", "email": e} for e in emails])
            self.env["usercom.consent.event"].create(
                [
                    {
                        "partner_id": partners[who : who + 1].id,
                        "address": address,
                        "purpose_id": self.email.id,
                        "state": state,
                        "happened_at": day is not None and datetime(2026, 1, 1 + day),
                    }
                    for who, address, state, day in said
                ]
            )
            if listed:
                self.env["mail.blacklist"]._add("jan@example.com")
            if erased:
                partners[2].unlink()
            self.check_agreement(partners.exists())
            savepoint.rollback()

    def check_agreement(self, partners):
        mine = [("id", "in", partners.ids)]
        shown = {p: self.lines(p)[self.email.id]["standing"] for p in partners}
        for partner in partners:
            self.assertEqual(partner.usercom_email_standing, shown[partner])
        search = self.env["res.partner"].search
        grouped = self.env["res.partner"]._read_group(
            mine, ["usercom_email_standing"], ["id:recordset"]
        )
        grouped = dict(grouped)
        for name in STANDINGS:
            wanted = {p.id for p, standing in shown.items() if standing == name}
            found = search([*mine, ("usercom_email_standing", "=", name)])
            self.assertEqual(set(found.ids), wanted, name)
            found = search([*mine, ("usercom_email_standing", "!=", name)])
            self.assertEqual(set(found.ids), set(partners.ids) - wanted, name)
            self.assertEqual(set(grouped.get(name, partners.browse()).ids), wanted)
        for field, name in (("open", "open"), ("withdrawn", "withdrawn")):
            field = f"usercom_{field}_purpose_ids"
            wanted = {p.id for p, standing in shown.items() if standing == name}
            self.assertEqual(set(search([*mine, (field, "in", self.email.ids)]).ids), wanted)
            self.assertEqual(
                set(search([*mine, (field, "=", False)]).ids), set(partners.ids) - wanted
            )
            rows = dict(self.env["res.partner"]._read_group(mine, [field], ["id:recordset"]))
            self.assertEqual(set(rows.get(self.email, partners.browse()).ids), wanted)
            self.assertEqual(set(partners.filtered(field).ids), wanted)

    def test_other_channels(self):
        partner, other = self.partner(), self.partner(phone="+48 601 234 568")
        self.say(partner, GIVEN, self.sms)
        self.say(partner, WITHDRAWN, self.post)
        self.say(other, GIVEN, self.sms)
        self.env["phone.blacklist"].add("+48601234568")
        search = self.env["res.partner"].search
        found = search([("usercom_open_purpose_ids", "=", self.sms.id)])
        self.assertEqual(found, partner)
        found = search([("usercom_withdrawn_purpose_ids", "ilike", "letters")])
        self.assertEqual(found, partner)

    def test_who_was_erased_with_a_no_is_not_mailable(self):
        """An undated consent of somebody who is entered anew does not raise the old "no"."""
        event = self.say(self.partner(), WITHDRAWN)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_consent_event SET partner_id = NULL, address = NULL WHERE id = %s",
            [event.id],
        )
        self.env.invalidate_all()
        again = self.partner()
        self.say(again, GIVEN, source="import", happened_at=False)
        self.assertEqual(again.usercom_email_standing, "withdrawn")
        search = self.env["res.partner"].search
        self.assertNotIn(again, search([("usercom_email_standing", "=", "open")]))
        self.assertIn(again, search([("usercom_email_standing", "=", "withdrawn")]))

    def test_filters_of_the_screen(self):
        view = self.env["res.partner"].get_view(view_type="search")
        names = ("open", "open_sms", "open_call", "never", "withdrawn", "withdrew_this_month")
        for name in (*names, "hindered"):
            self.assertIn(f'name="usercom_{name}"', view["arch"])
        this_month, before = self.partner(), self.partner(email="ola@example.com")
        with freeze_time("2026-11-20"):
            self.say(this_month, WITHDRAWN, happened_at=datetime(2026, 11, 2))
            self.say(before, WITHDRAWN, happened_at=datetime(2026, 10, 31, 12))
            domain = [
                ("usercom_email_standing", "=", "withdrawn"),
                ("usercom_email_since", ">=", "today =1d"),
                ("id", "in", (this_month | before).ids),
            ]
            self.assertEqual(self.env["res.partner"].search(domain), this_month)

    def test_groups_on_the_screen_in_one_query(self):
        partners = self.partner(), self.partner(email="ola@example.com"), self.partner()
        self.say(partners[0], GIVEN, happened_at=datetime(2026, 3, 5))
        self.say(partners[1], WITHDRAWN, happened_at=datetime(2026, 4, 5))
        mine = [("id", "in", [partner.id for partner in partners])]
        contacts = self.env["res.partner"].with_user(self.sales)
        for spec in (
            "usercom_email_standing",
            "usercom_email_since:month",
            "usercom_open_purpose_ids",
            "usercom_withdrawn_purpose_ids",
        ):
            self.assertTrue(
                contacts.fields_get([spec.split(":")[0]], ["groupable"]).popitem()[1]["groupable"]
            )
            contacts.formatted_read_group(mine, [spec], ["__count"])
            before = self.env.cr.sql_log_count
            groups = contacts.formatted_read_group(mine, [spec], ["__count"])
            self.assertLessEqual(self.env.cr.sql_log_count - before, 2, spec)
            self.assertEqual(sum(group["__count"] for group in groups), 3)
            for group in groups:
                found = contacts.search_count([*mine, *group["__extra_domain"]])
                self.assertEqual(found, group["__count"], group)
            result = contacts.web_read_group(mine, [spec], ["__count"])
            self.assertEqual(result["length"], len(groups))
        ordered = contacts.search(mine, order="usercom_email_since desc")
        self.assertIn(partners[1], ordered)

    def test_portal_and_public_do_not_search(self):
        portal = new_test_user(self.env, "lists-portal", groups="base.group_portal")
        contacts = self.env["res.partner"].with_user(portal)
        for domain in ([("usercom_email_standing", "=", "open")],):
            with self.assertRaises(AccessError):
                contacts.search(domain)
        with self.assertRaises(AccessError):
            contacts._read_group([], ["usercom_email_standing"], ["__count"])

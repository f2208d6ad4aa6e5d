"""Odoo's mailings: unsubscribing withdraws a consent, and a withdrawal opts out of lists."""

from datetime import datetime, timedelta

from odoo import fields
from odoo.tests.common import HttpCase, TransactionCase, tagged

GIVEN, WITHDRAWN = "given", "withdrawn"
JAN = "jan@example.com"


class MailingCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.env["usercom.consent.event"]
        cls.email = cls.env.ref("usercom_connector.purpose_email")
        cls.news = cls.env["usercom.consent.purpose"].create({"name": "News", "channel": "email"})
        cls.partner = cls.env["res.partner"].create({"name": "Jan Testowy", "email": JAN})
        cls.newsletter, cls.offers, cls.plain = cls.env["mailing.list"].create(
            [
                {"name": "Newsletter", "usercom_purpose_id": cls.news.id, "is_public": True},
                {"name": "Offers", "usercom_purpose_id": cls.news.id, "is_public": True},
                {"name": "Plain", "is_public": True},
            ]
        )
        cls.contact = cls.env["mailing.contact"].create({"name": "Jan", "email": "Jan@Example.com"})

    def subscribe(self, mailing_list, **vals):
        vals |= {"list_id": mailing_list.id, "contact_id": self.contact.id}
        return self.env["mailing.subscription"].create(vals)

    def say(self, state, purpose=None, partner=None, **facts):
        return self.events._record(partner or self.partner, purpose or self.news, state, **facts)

    def state(self, purpose=None, partner=None):
        partner, purpose = partner or self.partner, purpose or self.news
        return self.events._states(partner, purpose)[partner.id][purpose.id]

    def said(self, *states):
        return self.events.search([("state", "in", states)], order="id")


@tagged("post_install", "-at_install")
class TestLists(MailingCase):
    def test_opting_out_withdraws_what_the_list_is_for(self):
        self.say(GIVEN)
        self.say(GIVEN, self.email)
        subscription = self.subscribe(self.newsletter)
        reason = self.env["mailing.subscription.optout"].create({"name": "Too many"})
        subscription.write({"opt_out_reason_id": reason.id})
        self.assertEqual(self.state(), WITHDRAWN)
        self.assertEqual(self.state(self.email), GIVEN)
        [event] = self.said(WITHDRAWN)
        self.assertEqual((event.source, event.partner_id), ("mailing", self.partner))
        self.assertEqual(event.document, "Newsletter: Too many")

    def test_on_its_date(self):
        at = datetime(2026, 3, 1, 12)
        self.say(GIVEN, happened_at=at + timedelta(days=1))
        subscription = self.subscribe(self.newsletter, opt_out_datetime=at)
        self.assertEqual(self.said(WITHDRAWN).happened_at, at)
        self.assertEqual(self.state(), GIVEN)
        subscription._usercom_settle()
        self.assertEqual(len(self.said(WITHDRAWN)), 1)

    def test_opting_out_again_beats_a_yes_from_before_it(self):
        """Which may come later, from User.com."""
        at = fields.Datetime.now() - timedelta(days=3)
        subscription = self.subscribe(self.newsletter)
        self.say(WITHDRAWN, happened_at=at)
        subscription.opt_out = True
        self.say(GIVEN, happened_at=at + timedelta(days=1), source="usercom")
        self.assertEqual(self.state(), WITHDRAWN)

    def test_a_list_without_purpose_says_nothing(self):
        self.say(GIVEN)
        self.subscribe(self.plain).opt_out = True
        self.assertEqual(self.state(), GIVEN)

    def test_opting_in_by_staff_or_import_is_no_consent(self):
        subscription = self.subscribe(self.newsletter, opt_out=True)
        subscription.opt_out = False
        self.subscribe(self.offers)
        self.assertFalse(self.said(GIVEN))
        self.assertEqual(self.state(), WITHDRAWN)
        self.assertEqual(self.contact.subscription_ids.mapped("opt_out"), [True, True])

    def test_a_withdrawal_opts_out_and_a_consent_opts_in_again(self):
        one, two = self.subscribe(self.newsletter), self.subscribe(self.offers)
        plain = self.subscribe(self.plain)
        self.say(WITHDRAWN, source="portal")
        self.assertEqual((one | two | plain).mapped("opt_out"), [True, True, False])
        self.assertTrue(one.opt_out_datetime)
        self.assertEqual(len(self.said(WITHDRAWN)), 1)
        self.say(GIVEN)
        self.assertEqual((one | two).mapped("opt_out"), [False, False])
        self.assertEqual(self.state(), GIVEN)

    def test_a_consent_leaves_out_who_opted_out_of_the_list(self):
        subscription = self.subscribe(self.newsletter)
        subscription.opt_out = True
        self.say(GIVEN)
        self.assertTrue(subscription.opt_out)

    def test_a_consent_that_waits_opts_out_until_it_is_confirmed(self):
        one, two = self.subscribe(self.newsletter), self.subscribe(self.plain)
        self.say("pending", source="website")
        self.assertEqual((one | two).mapped("opt_out"), [True, False])
        self.assertFalse(self.said(WITHDRAWN))
        one.opt_out = False  # by staff
        self.assertTrue(one.opt_out)
        self.say(GIVEN, source="confirmation")
        self.assertFalse(one.opt_out)
        self.say("pending", source="website")
        self.assertFalse(one.opt_out)

    def test_a_consent_that_waits_beside_one_that_is_given(self):
        """Two contacts have the address, and one of them has agreed."""
        subscription = self.subscribe(self.newsletter)
        self.say(GIVEN)
        self.say("pending", partner=self.partner.copy({"email": JAN}))
        self.assertFalse(subscription.opt_out)

    def test_a_reason_given_for_what_waits_is_no_withdrawal(self):
        """Core writes it onto all that was opted out when somebody leaves a list."""
        subscription = self.subscribe(self.newsletter)
        self.say("pending", source="website")
        reason = self.env["mailing.subscription.optout"].create({"name": "Too many"})
        subscription.opt_out_reason_id = reason
        self.assertEqual(subscription.opt_out_reason_id, reason)
        self.assertFalse(self.said(WITHDRAWN))
        self.say(GIVEN, source="confirmation")
        self.assertFalse(subscription.opt_out)

    def test_a_form_opts_nobody_out_who_was_there_before_it(self):
        subscription = self.subscribe(self.newsletter)
        self.env.flush_all()
        self.env.cr.execute("UPDATE mailing_subscription SET write_date = '2026-01-01'")
        self.env.invalidate_all()
        self.say("pending", source="website")
        self.assertFalse(subscription.opt_out)

    def test_nobody_is_opted_in_whose_address_says_no(self):
        subscription = self.subscribe(self.newsletter)
        self.say(WITHDRAWN, partner=self.partner.copy({"email": JAN}))
        self.say(GIVEN)
        self.assertTrue(subscription.opt_out)

    def test_whoever_comes_later(self):
        self.contact.email = "ola@example.com"
        self.subscribe(self.newsletter).opt_out = True
        ola = self.env["res.partner"].create({"name": "Ola", "email": "ola@example.com"})
        self.assertEqual(self.state(partner=ola), WITHDRAWN)

    def test_who_comes_onto_a_list_by_its_contacts(self):
        """Which core writes past the subscriptions, as in an import."""
        self.say(WITHDRAWN)
        contacts = self.contact.create({"email": JAN, "list_ids": self.newsletter.ids})
        contacts |= self.contact.create({"email": JAN})
        contacts[-1:].list_ids = self.newsletter
        contacts |= self.contact.create({"email": JAN})
        self.newsletter.contact_ids = contacts
        self.env.invalidate_all()
        self.assertEqual(contacts.subscription_ids.mapped("opt_out"), [True] * 3)

    def test_a_list_that_gets_a_purpose(self):
        out = self.subscribe(self.plain, opt_out=True)
        other = self.env["mailing.contact"].create(
            {"email": "ola@example.com", "list_ids": self.plain.ids}
        )
        ola = self.env["res.partner"].create({"name": "Ola", "email": "ola@example.com"})
        self.say(WITHDRAWN, partner=ola)
        self.assertFalse(other.subscription_ids.opt_out)
        self.plain.usercom_purpose_id = self.news
        self.assertEqual(self.state(), WITHDRAWN)
        self.assertEqual(self.said(WITHDRAWN)[-1:].happened_at, out.opt_out_datetime)
        self.assertTrue(other.subscription_ids.opt_out)

    def test_merged_lists_and_other_addresses(self):
        self.subscribe(self.plain)
        self.say(WITHDRAWN)
        self.newsletter.action_merge(self.plain, archive=False)
        [merged] = self.newsletter.subscription_ids
        self.assertTrue(merged.opt_out)
        ola = self.env["mailing.contact"].create(
            {"email": "ola@example.com", "list_ids": self.offers.ids}
        )
        self.assertFalse(ola.subscription_ids.opt_out)
        ola.email = JAN
        self.assertTrue(ola.subscription_ids.opt_out)

    def test_cost(self):
        counts = []
        for count in (2, 5, 40):
            partners = self.env["res.partner"].create(
                [{"name": "P", "email": f"n{count}-{n}@example.com"} for n in range(count)]
            )
            self.env["mailing.contact"].create(
                [{"email": p.email, "list_ids": self.newsletter.ids} for p in partners]
            )
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.say(WITHDRAWN, partner=partners)
            self.env.flush_all()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[2], counts[1] + 6, counts)


@tagged("post_install", "-at_install")
class TestBounces(MailingCase):
    def test_the_automatic_blacklisting_blocks(self):
        self.say(GIVEN, self.email)
        self.partner.message_bounce = 5
        mailing = self.env["mailing.mailing"].create(
            {"subject": "Hello", "mailing_model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        traces = self.env["mailing.trace"].create(
            [
                {
                    "trace_type": "mail",
                    "model": "res.partner",
                    "res_id": self.partner.id,
                    "email": JAN,
                    "mass_mailing_id": mailing.id,
                    "trace_status": "bounce",
                }
                for _ in range(5)
            ]
        )
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mailing_trace SET write_date = %s WHERE id = %s",
            (fields.Datetime.now() - timedelta(days=10), traces[0].id),
        )
        self.env.invalidate_all()
        message = {
            "bounced_email": JAN,
            "bounced_msg_ids": [],
            "bounced_partner": self.partner,
            "bounced_record": self.env["res.partner"],
            "bounced_message": self.env["mail.message"],
            "body": "",
            "email_from": "mailer-daemon@example.com",
            "to": "bounce@example.com",
            "message_id": "<1@example.com>",
        }
        self.env["mail.thread"]._routing_handle_bounce(None, message)
        self.assertTrue(self.env["mail.blacklist"].search([("email", "=", JAN)]))
        self.assertEqual(self.state(self.email), GIVEN)
        self.assertEqual(self.said("blocked").source, "bounce")
        self.env["mail.blacklist"]._remove(JAN)
        self.assertTrue(self.said("released"))
        self.assertEqual(self.state(self.email), GIVEN)


@tagged("post_install", "-at_install")
class TestPages(MailingCase, HttpCase):
    def mailing(self, **vals):
        return self.env["mailing.mailing"].create(
            {"subject": "Hello", "body_html": "<p>Hello</p>"} | vals
        )

    def link(self, mailing, record, page):
        token = mailing._generate_mailing_recipient_token(record.id, JAN)
        return (
            f"/mailing/{mailing.id}/{page}?document_id={record.id}&email={JAN}&hash_token={token}"
        )

    def test_unsubscribe_link_of_a_mailing_to_contacts(self):
        self.say(GIVEN, self.email)
        mailing = self.mailing(mailing_model_id=self.env["ir.model"]._get_id("res.partner"))
        self.url_open(self.link(mailing, self.partner, "unsubscribe")).raise_for_status()
        self.assertEqual(self.state(self.email), WITHDRAWN)
        self.assertEqual(self.said(WITHDRAWN).source, "blacklist")

    def test_unsubscribe_link_of_a_mailing_to_a_list(self):
        self.say(GIVEN, self.email)
        self.say(GIVEN)
        subscription = self.subscribe(self.newsletter)
        mailing = self.to_list()
        self.url_open(self.link(mailing, self.contact, "unsubscribe")).raise_for_status()
        self.assertTrue(subscription.opt_out)
        self.assertEqual(self.state(), WITHDRAWN)
        self.assertEqual(self.state(self.email), GIVEN)

    def to_list(self):
        return self.mailing(
            mailing_model_id=self.env["ir.model"]._get_id("mailing.list"),
            contact_list_ids=self.newsletter.ids,
        )

    def choose(self, lists):
        mailing = self.to_list()
        token = mailing._generate_mailing_recipient_token(self.contact.id, JAN)
        return self.make_jsonrpc_request(
            "/mailing/list/update",
            {
                "mailing_id": mailing.id,
                "document_id": self.contact.id,
                "email": JAN,
                "hash_token": token,
                "lists_optin_ids": lists.ids,
            },
        )

    def test_choosing_lists(self):
        self.subscribe(self.newsletter).opt_out = True
        self.choose(self.newsletter)
        self.assertEqual(self.state(), GIVEN)
        event = self.said(GIVEN)
        self.assertEqual((event.source, event.partner_id), ("mailing", self.partner))
        self.assertEqual(event.document, "/mailing/list/update (Newsletter)")
        self.assertFalse(self.contact.subscription_ids.opt_out)
        self.choose(self.plain)
        self.assertEqual(self.state(), WITHDRAWN)

    def test_choosing_lists_with_double_opt_in(self):
        self.news.double_opt_in = True
        self.choose(self.offers)
        self.assertEqual(self.state(), "pending")
        self.assertTrue(self.contact.subscription_ids.opt_out)
        self.assertEqual(len(self.env["mail.mail"].search([("email_to", "=", JAN)])), 1)
        self.subscribe(self.newsletter).opt_out = True
        self.choose(self.newsletter)
        self.assertEqual(self.state(), WITHDRAWN)
        self.assertTrue(all(self.contact.subscription_ids.mapped("opt_out")))

    def test_double_opt_in_where_several_have_the_address(self):
        self.partner.copy({"email": JAN})
        self.news.double_opt_in = True
        self.choose(self.newsletter)
        self.assertTrue(self.contact.subscription_ids.opt_out)
        self.env["usercom.consent.confirmation"]._confirm(self.said("pending"))
        self.assertFalse(self.contact.subscription_ids.opt_out)

    def test_one_message_for_all_lists_that_are_chosen(self):
        purposes = self.news.create(
            [{"name": f"P{i}", "channel": "email", "double_opt_in": True} for i in range(5)]
        )
        lists = self.newsletter.create(
            [
                {"name": purpose.name, "usercom_purpose_id": purpose.id, "is_public": True}
                for purpose in purposes
            ]
        )
        self.choose(lists)
        self.assertEqual(self.said("pending").purpose_id, purposes)
        self.assertEqual(len(self.env["mail.mail"].search([("email_to", "=", JAN)])), 1)

    def test_choosing_lists_where_several_have_the_address(self):
        self.partner.copy({"email": JAN})
        self.choose(self.newsletter)
        self.assertIsNone(self.state())
        self.assertFalse(self.said(GIVEN).partner_id)

    def test_choosing_lists_again_without_a_contact(self):
        self.partner.email = "other@example.com"
        subscription = self.subscribe(self.newsletter)
        self.choose(self.plain)
        self.assertTrue(subscription.opt_out)
        self.choose(self.newsletter)
        self.assertFalse(subscription.opt_out)

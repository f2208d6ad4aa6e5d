"""Proof and export over HTTP: who gets them, and that others can verify what they got."""

import hashlib
import json

from odoo.addons.usercom_connector.models import usercom_consent_seal
from odoo.tests.common import HttpCase, new_test_user, tagged


def digest_of(facts):
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@tagged("post_install", "-at_install")
class TestConsents(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, groups in {
            "user": "base.group_user,base.group_partner_manager",
            "manager": "usercom_connector.group_usercom_manager",
            "portal": "base.group_portal",
        }.items():
            new_test_user(cls.env, f"proof-{name}", groups=groups, password=f"proof-{name}")
        purpose = cls.env["usercom.consent.purpose"]._email()
        text = cls.env["usercom.consent.text"].create(
            {"purpose_id": purpose.id, "lang": "en_US", "text": "Yes, <b>write</b> to me."}
        )
        cls.partner, cls.other = cls.env["res.partner"].create(
            [
                {"name": "Zażółć <i>Jan</i>", "email": "jan@example.com"},
                {"name": "Ola", "email": "ola@example.com"},
            ]
        )
        events = cls.env["usercom.consent.event"]
        facts = {"text_id": text.id, "document": "Karta żółta", "ip": "192.0.2.1"}
        events._record(cls.partner, purpose, "given", "portal", **facts)
        events._record(cls.other, purpose, "given")
        cls.other.action_usercom_erase()
        cls.env["usercom.consent.seal"]._seal_next()
        events._record(cls.partner, purpose, "withdrawn")
        cls.pages = [
            f"/usercom/consents/proof/{cls.partner.id}",
            f"/usercom/consents/proof/{cls.partner.id}/json",
            "/usercom/consents/export",
        ]

    def sign_in(self, name):
        self.authenticate(f"proof-{name}", f"proof-{name}")

    def test_who_gets_them(self):
        for page in self.pages:
            answer = self.url_open(page, allow_redirects=False)
            self.assertEqual(answer.status_code, 303)  # to sign in
        for name in ("user", "portal"):
            self.sign_in(name)
            for page in self.pages:
                answer = self.url_open(page)
                self.assertEqual(answer.status_code, 403)
                self.assertNotIn("jan@example.com", answer.text)
        self.sign_in("manager")
        for page in self.pages:
            self.assertEqual(self.url_open(page).status_code, 200)
        self.assertEqual(self.url_open("/usercom/consents/proof/999999999").status_code, 404)

    def test_page(self):
        self.sign_in("manager")
        answer = self.url_open(self.pages[0])
        self.assertIn("Zażółć &lt;i&gt;Jan&lt;/i&gt;", answer.text)
        self.assertIn("Yes, &lt;b&gt;write&lt;/b&gt; to me.", answer.text)
        self.assertEqual(answer.text.count("Verified: the facts"), 2)
        self.assertEqual(answer.text.count("Verified: the event is among"), 1)
        self.assertEqual(answer.text.count("Not sealed yet"), 1)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_page_in_the_language_of_who_reads_it(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        self.env["ir.module.module"]._load_module_terms(["usercom_connector"], ["pl_PL"])
        self.env["res.users"].search([("login", "=", "proof-manager")]).lang = "pl_PL"
        self.sign_in("manager")
        answer = self.url_open(self.pages[0])
        self.assertIn("<title>Dowód zgód: Zażółć &lt;i&gt;Jan&lt;/i&gt;</title>", answer.text)
        self.assertEqual(answer.text.count("Sprawdzono: dane"), 2)

    def test_json(self):
        self.sign_in("manager")
        proof = self.url_open(self.pages[1]).json()
        self.assertEqual(proof["contact"]["email"], "jan@example.com")
        self.assertEqual([e["facts"]["state"] for e in proof["events"]], ["given", "withdrawn"])
        for event in proof["events"]:
            self.assertEqual(digest_of(event["facts"]), event["digest"])

    def test_export_verifies_without_odoo(self):
        self.patch(usercom_consent_seal, "EXPORTED_TOGETHER", 1)
        self.sign_in("manager")
        lines = [json.loads(line) for line in self.url_open(self.pages[2]).text.splitlines()]
        events = [line["event"] for line in lines if "event" in line]
        [seal] = [line["seal"] for line in lines if "seal" in line]
        self.assertEqual(len(events), 3)
        for event in events:
            self.assertEqual(digest_of(event["facts"]), event["digest"])
        self.assertNotIn("ola@example.com", json.dumps(lines))
        digests = {event["id"]: event["digest"] for event in events}
        sealed = "".join(f"{number}:{digests[number]}\n" for number in seal.pop("events"))
        self.assertEqual(hashlib.sha256(sealed.encode()).hexdigest(), seal["content"])
        self.assertEqual(seal.pop("digest"), digest_of(seal))

    def test_button_that_verifies(self):
        self.sign_in("manager")
        button = {"model": "usercom.consent.seal", "method": "action_verify", "kwargs": {}}
        action = self.make_jsonrpc_request(
            "/web/dataset/call_button/usercom.consent.seal/action_verify", {**button, "args": [[]]}
        )
        self.assertEqual(action["params"]["title"], "The ledger is as it was recorded")

    def test_export_of_other_companies(self):
        self.partner.company_id = self.env["res.company"].create({"name": "Other"})
        self.sign_in("manager")
        text = self.url_open(self.pages[2]).text
        self.assertNotIn("jan@example.com", text)
        self.assertEqual(len(text.splitlines()), 4)
        self.assertEqual(self.url_open(self.pages[0]).status_code, 404)

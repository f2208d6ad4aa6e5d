"""Contacts that are merged or deleted: one person stays one, and nobody comes back."""

from odoo.tests import new_test_user, tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class MergeDeleteCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env,
            "merge-manager",
            groups="usercom_connector.group_usercom_manager,base.group_partner_manager",
        )
        cls.account.user_id = cls.manager
        cls.env.cr.precommit.run()
        cls.env["usercom.change"].search([]).unlink()

    def setUp(self):
        super().setUp()
        self.begin()

    def begin(self):
        """Nobody on either side, and nothing to do; then whoever a test is about."""
        bindings = self.env["usercom.binding"].search([])
        partners = bindings.partner_id
        bindings.unlink()
        partners.unlink()
        self.account.on_delete = "nothing"
        self.env.cr.precommit.run()
        self.changes().unlink()
        self.pings().unlink()
        self.env["usercom.stream"].search([]).unlink()
        self.sim.reset()
        self.sim.add_attribute("email_consent", "boolean")

    def people(self, email="jan@example.com"):
        partners = self.env["res.partner"].with_context(active_test=False)
        return partners.search([("email_normalized", "=", email)])

    def merge(self, kept, *others):
        wizard = self.env["base.partner.merge.automatic.wizard"]
        partners = kept.union(*others)
        wizard._merge(partners.ids, kept)
        self.env.invalidate_all()

    def stones(self):
        return self.env["usercom.binding"].search(
            [("account_id", "=", self.account.id), ("partner_id", "=", False)]
        )

    def consent_there(self, contact):
        return self.sim.contact(contact["id"])["attributes"].get("email_consent")


class TestMerged(MergeDeleteCase):
    def begin(self):
        super().begin()
        self.kept = self.make_linked(city="Hel")
        self.lost = self.make_linked(name="Jan B", email="b@example.com", phone="+48600100200")
        self.profile, self.other = self.there(self.kept), self.there(self.lost)
        self.sim.reset_calls()

    def check_joined(self):
        [left] = self.sim.contacts()
        self.assertEqual(left["id"], self.profile["id"])
        self.assertFalse(self.binding(self.kept).merge_ids)
        self.assertEqual(self.binding(self.kept).usercom_id, str(self.profile["id"]))
        self.assertFalse(self.changes() or self.pings())
        self.assertFalse(self.people("b@example.com") - self.kept)

    def test_profiles_are_joined(self):
        self.merge(self.kept, self.lost)
        self.push()
        self.check_joined()
        self.assertEqual(len(self.sim.calls("POST", "/users/merge/")), 1)
        self.assertEqual(self.there(self.kept)["phone_number"], "+48600100200")
        self.sim.reset_calls()
        self.work()
        self.assertFalse(self.sim.calls())

    def test_late_call_about_the_one_that_went(self):
        number, user_id = self.other["id"], self.other["custom_id"]
        self.merge(self.kept, self.lost)
        for _before_and_after in range(2):
            self.ping(number)
            self.ping("b@example.com", "email")
            self.ping(user_id, "custom_id")
            self.pull()
            self.pull()
            self.assertFalse(self.people("b@example.com") - self.kept)
            self.push()
        self.check_joined()
        self.assertFalse(self.stones().address_hash)

    def test_lost_answer(self):
        for commit in (True, False):
            with self.subTest(commit=commit):
                self.begin()
                self.merge(self.kept, self.lost)
                self.sim.fault("drop", method="POST", path="/users/merge/", commit=commit)
                self.push()
                self.assertEqual(self.binding(self.kept).merge_ids, [str(self.other["id"])])
                self.work()
                self.check_joined()

    def test_user_com_is_down_for_a_while(self):
        self.merge(self.kept, self.lost)
        self.sim.fault("500", times=2)
        self.push()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.work()
        self.check_joined()

    def test_the_other_is_gone_there_already(self):
        self.sim.delete_contact(self.other["id"])
        self.merge(self.kept, self.lost)
        self.push()
        self.check_joined()
        self.assertFalse(self.sim.calls("POST"))

    def test_several(self):
        third = self.make_linked(name="Jan C", email="c@example.com")
        self.merge(self.kept, self.lost, third)
        self.push()
        self.check_joined()

    def test_merged_again_before_the_push(self):
        third = self.make_linked(name="Jan C", email="c@example.com")
        self.merge(self.lost, third)
        self.merge(self.kept, self.lost)
        self.push()
        self.check_joined()

    def test_the_other_was_just_being_created(self):
        """Of it only the User ID is known: the answer to the call got lost."""
        for commit in (True, False):
            with self.subTest(commit=commit):
                self.begin()
                late = self.make_partner(name="Jan L", email="late@example.com")
                self.sim.fault("drop", method="POST", commit=commit)
                self.push()
                self.assertEqual(len(self.sim.contacts()), 2 + commit)
                self.merge(self.kept, self.lost, late)
                self.work()
                self.check_joined()
                self.assertFalse(self.people("late@example.com"))

    def test_the_one_that_is_kept_was_never_there(self):
        kept = self.make_partner(name="Jan K", email="k@example.com")
        self.changes().unlink()
        self.env.cr.precommit.data.pop("usercom_connector.changes", None)
        self.merge(kept, self.lost)
        self.work()
        self.assertEqual(self.there(kept)["id"], self.other["id"])
        self.assertEqual(self.there(kept)["email"], "k@example.com")

    def test_entered_anew_before_the_push(self):
        self.merge(self.kept, self.lost)
        partner = self.make_partner(name="Jan C", email="b@example.com")
        self.work()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertNotIn(self.there(partner)["id"], (self.profile["id"], self.other["id"]))
        self.assertFalse(self.changes())

    def test_archived_survivor(self):
        self.kept.active = False
        self.merge(self.kept, self.lost)
        self.push()
        self.check_joined()

    def test_companies_are_not_joined(self):
        bindings = self.env["usercom.binding"]
        firms = self.env["res.partner"].create(
            [{"name": f"Firma {n}", "is_company": True} for n in range(2)]
        )
        ties = bindings.create([bindings._vals_new(self.account, firm) for firm in firms])
        for number, tie in enumerate(ties):
            tie.write({"usercom_id": str(90 + number), "state": "linked"})
        self.merge(firms[0], firms[1])
        self.assertEqual(ties[0].partner_id, firms[0])
        self.assertFalse(ties[0].merge_ids)
        self.assertFalse(ties[1].partner_id)

    def test_kinds_do_not_meet(self):
        """A contact may be tied as a person and as a company; a merge keeps one of each."""
        bindings = self.env["usercom.binding"]
        vals = bindings._vals_new(self.account, self.lost) | {"kind": "company"}
        firm = bindings.create(vals | {"usercom_id": self.binding(self.kept).usercom_id})
        self.merge(self.kept, self.lost)
        self.assertEqual(firm.partner_id, self.kept)
        self.assertEqual(len(self.binding(self.kept)), 2)

    def test_answers_move_along(self):
        verdicts = self.env["usercom.verdict"]
        verdicts._say(self.account, [(self.lost, 71), (self.lost, 72), (self.kept, 72)], "left")
        verdicts._say(self.account, [(self.lost, 73)], "same")
        verdicts._say(self.account, [(self.kept, 73)], "different")
        self.merge(self.kept, self.lost)
        said = verdicts.search([])
        self.assertEqual(said.partner_id, self.kept)
        self.assertEqual(sorted(said.mapped("usercom_id")), ["71", "72"])


class TestConsentOfTheMerged(MergeDeleteCase):
    def begin(self):
        super().begin()
        self.kept = self.make_linked()
        self.lost = self.make_linked(name="Jan B", email="b@example.com")
        self.profile, self.other = self.there(self.kept), self.there(self.lost)

    def give_there(self, contact, value, **vals):
        self.sim.edit_contact(contact["id"], attributes={"email_consent": value}, **vals)

    def read_both(self):
        self.ping(self.profile["id"])
        self.ping(self.other["id"])
        self.pull()

    def lowered_before(self):
        """Whether each profile said no before the merge was called."""
        calls = [(call["method"], call["path"]) for call in self.sim.calls()]
        merge = calls.index(("POST", "/users/merge/"))
        return [path for method, path in calls[:merge] if method == "PUT"]

    def test_every_pair(self):
        values = (None, True, False)
        for ours in values:
            for theirs in values:
                for known in (True, False):
                    with self.subTest(ours=ours, theirs=theirs, known=known):
                        self.begin()
                        if ours is not None:
                            self.give_there(self.profile, ours)
                        if theirs is not None:
                            self.give_there(self.other, theirs)
                        if known:
                            self.read_both()
                        self.merge(self.kept, self.lost)
                        self.work()
                        now = self.consent_there(self.profile)
                        if False in (ours, theirs):
                            self.assertIs(now, False)
                            self.assertNotEqual(self.kept.usercom_email_consent, "given")
                        elif (ours, theirs) == (None, None):
                            self.assertIsNone(now)
                        self.assertFalse(self.changes() or self.pings())

    def test_no_is_written_before_the_merge(self):
        self.give_there(self.profile, True)
        self.give_there(self.other, False)
        self.merge(self.kept, self.lost)
        self.sim.reset_calls()
        # The "no" that is recorded before has it tried a second time at once.
        self.sim.fault("500", method="POST", path="/users/merge/", times=2)
        self.push()
        self.assertIs(self.consent_there(self.profile), False)
        self.assertEqual(len(self.sim.contacts()), 2)
        self.work()
        self.assertIs(self.consent_there(self.profile), False)
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_no_that_only_odoo_knows(self):
        self.give_there(self.profile, True)
        self.give_there(self.other, True)
        self.read_both()
        self.kept.usercom_email_consent = "withdrawn"
        self.merge(self.kept, self.lost)
        self.push()
        self.assertIs(self.consent_there(self.profile), False)

    def test_unsubscribed_stays_unsubscribed(self):
        self.sim.edit_contact(self.other["id"], unsubscribed=True)
        self.merge(self.kept, self.lost)
        self.push()
        [left] = self.sim.contacts()
        self.assertTrue(left["unsubscribed"])


class TestDeletedInOdoo(MergeDeleteCase):
    def begin(self):
        super().begin()
        self.partner = self.make_linked(phone="+48600100200", city="Hel")
        self.profile = self.there(self.partner)

    def delete(self):
        self.partner.unlink()
        self.env.flush_all()

    def registers_anew(self):
        self.sim.delete_contact(self.profile["id"])
        contact = self.there_is("JAN@example.com")
        self.ping(contact["id"])
        self.pull()
        return contact

    def settle(self):
        [row] = self.pings()
        self.assertEqual((row.problem_code, row.due_at), ("deleted_here", False))
        action = row.with_user(self.manager).action_settle()
        return self.env[action["res_model"]].with_user(self.manager).browse(action["res_id"])

    def test_what_is_left(self):
        self.delete()
        self.push()
        [stone] = self.stones()
        left = str(stone.read())
        for word in ("jan@", "Testowy", "600100200", "Hel", self.profile["custom_id"]):
            self.assertNotIn(word, left)
        self.assertEqual(stone.usercom_id, str(self.profile["id"]))
        self.assertRegex(stone.address_hash, "^[0-9a-f]{64}$")
        self.assertFalse(stone.former_res_id)

    def test_hash_is_keyed(self):
        before = self.env["usercom.binding"]._hash_of("jan@example.com")
        self.env["ir.config_parameter"].set_param("database.secret", "another")
        self.assertNotEqual(self.env["usercom.binding"]._hash_of("jan@example.com"), before)

    def test_another_profile_with_the_address_is_asked_about(self):
        self.delete()
        contact = self.registers_anew()
        self.assertFalse(self.people())
        wizard = self.settle()
        self.assertIn("was deleted in Odoo", self.pings().problem)
        self.assertFalse(wizard.candidate_ids)
        wizard.action_leave()
        for _again in range(2):
            self.ping(contact["id"])
            self.work()
        self.assertFalse(self.people())
        self.assertFalse(self.pings())

    def test_another_profile_with_the_address_may_come(self):
        self.delete()
        contact = self.registers_anew()
        self.settle().action_different()
        self.work()
        [partner] = self.people()
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertFalse(self.stones().filtered("address_hash"))

    def test_by_phone_alone(self):
        partner = self.make_linked(email=False, phone="+48600100300")
        contact = self.there(partner)
        partner.unlink()
        self.push()
        self.sim.delete_contact(contact["id"])
        again = self.there_is(None, phone_number="+48 600 100 300")
        self.ping(again["id"])
        self.pull()
        self.assertEqual(self.pings().problem_code, "deleted_here")

    def test_namesake_in_odoo_goes_on(self):
        """Somebody else here has the address: what comes in is theirs."""
        other = self.make_partner(name="Ola Testowa")
        self.push()
        self.delete()
        self.changes().with_user(self.manager).action_retry()
        self.work()
        self.assertEqual(self.binding(other).usercom_id, str(self.profile["id"]))
        self.assertFalse(self.stones())

    def test_entered_anew(self):
        self.delete()
        partner = self.make_partner(city="Sopot")
        self.push()
        self.assertEqual(self.there(partner)["id"], self.profile["id"])
        self.assertEqual(self.there(partner)["city"], "Sopot")
        self.assertEqual(self.binding(partner).custom_id, self.profile["custom_id"])
        self.assertEqual(self.there(partner)["custom_id"], self.profile["custom_id"])
        self.assertFalse(self.stones())
        self.assertFalse(self.binding(partner).address_hash)

    def test_user_id_was_learned_late(self):
        """Deleted between a creation and its answer: the first look says which contact it was."""
        partner = self.make_partner(email="late@example.com")
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        [contact] = self.sim.contacts(email="late@example.com")
        partner.unlink()
        self.ping(contact["id"])
        self.work()
        self.assertFalse(self.people("late@example.com"))
        stone = self.stones().filtered(lambda one: one.usercom_id == str(contact["id"]))
        self.assertTrue(stone)
        self.assertNotEqual(stone.custom_id, contact["custom_id"])


class TestOnDelete(MergeDeleteCase):
    def begin(self):
        super().begin()
        self.partner = self.make_linked()
        self.profile = self.there(self.partner)
        self.sim.edit_contact(self.profile["id"], attributes={"email_consent": True})
        self.sim.reset_calls()

    def delete(self, wish):
        self.account.on_delete = wish
        self.partner.unlink()
        self.env.flush_all()

    def is_there(self):
        return bool(self.sim.contacts(id=self.profile["id"]))

    def check_over(self):
        self.assertFalse(self.changes())
        self.assertFalse(self.stones().filtered("farewell"))
        self.sim.reset_calls()
        self.work()
        self.assertFalse(self.sim.calls())

    def test_nothing(self):
        self.delete("nothing")
        self.push()
        self.assertFalse(self.sim.calls())
        self.assertTrue(self.is_there())
        self.check_over()

    def test_unsubscribe(self):
        self.delete("unsubscribe")
        self.assertFalse(self.sim.calls())
        self.push()
        now = self.sim.contact(self.profile["id"])
        self.assertIs(now["attributes"]["email_consent"], False)
        self.assertTrue(now["unsubscribed"])
        self.check_over()
        self.assertEqual(self.stones().state, "linked")

    def test_unsubscribe_without_the_attribute(self):
        for attribute in self.sim.attributes():
            self.sim.delete_attribute(attribute["id"])
        self.delete("unsubscribe")
        self.push()
        self.assertTrue(self.sim.contact(self.profile["id"])["unsubscribed"])
        self.check_over()

    def test_delete(self):
        self.delete("delete")
        self.assertFalse(self.sim.calls())
        self.assertTrue(self.is_there())
        self.push()
        self.assertFalse(self.is_there())
        self.assertEqual(len(self.sim.calls()), 1)
        self.check_over()
        self.assertEqual(self.stones().state, "gone")

    def test_deletion_is_rolled_back(self):
        self.account.on_delete = "delete"
        self.env.flush_all()
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            self.partner.unlink()
            self.env.flush_all()
            raise ZeroDivisionError
        self.env.invalidate_all()
        self.work()
        self.assertTrue(self.partner.exists())
        self.assertTrue(self.is_there())
        self.assertFalse(self.sim.calls("DELETE"))
        self.assertEqual(self.binding(self.partner).custom_id, self.profile["custom_id"])

    def test_user_com_is_down_for_a_while(self):
        for wish in ("unsubscribe", "delete"):
            for fault in ("500", "drop", "429"):
                with self.subTest(wish=wish, fault=fault):
                    self.begin()
                    self.delete(wish)
                    self.sim.fault(fault, retry_after=60)
                    self.push()
                    self.assertTrue(self.changes())
                    self.assertTrue(self.stones().filtered("farewell"))
                    self.work()
                    self.assertEqual(self.is_there(), wish == "unsubscribe")
                    self.check_over()
                    self.stones().unlink()

    def test_lost_answer(self):
        self.delete("delete")
        self.sim.fault("drop", method="DELETE", commit=True)
        self.push()
        self.assertFalse(self.is_there())
        self.work()
        self.check_over()

    def test_was_gone_there_already(self):
        for wish in ("unsubscribe", "delete"):
            with self.subTest(wish=wish):
                self.begin()
                self.sim.delete_contact(self.profile["id"])
                self.delete(wish)
                self.push()
                self.check_over()
                self.stones().unlink()

    def test_refused_is_shown(self):
        self.delete("delete")
        self.sim.fault("400", method="DELETE")
        self.push()
        [row] = self.changes()
        self.assertEqual((row.problem_code, row.due_at), ("refused", False))
        row.with_user(self.manager).action_retry()
        self.push()
        self.assertFalse(self.is_there())

    def test_account_was_archived(self):
        """Nothing is noted for an account that is archived; it catches up."""
        for wish in ("unsubscribe", "delete"):
            with self.subTest(wish=wish):
                self.begin()
                self.account.active = False
                self.delete(wish)
                self.work()
                self.account.active = True
                self.work()
                left = [contact["unsubscribed"] for contact in self.sim.contacts()]
                self.assertEqual(left, [True] if wish == "unsubscribe" else [])
                self.check_over()

    def test_given_up(self):
        self.delete("delete")
        self.sim.fault("400", method="DELETE")
        self.push()
        self.changes().with_user(self.manager).action_ignore()
        self.account.active = False
        self.account.active = True
        self.work()
        self.assertTrue(self.is_there())
        self.assertEqual(self.stones().state, "linked")
        self.check_over()

    def test_created_and_merged_when_it_was_deleted(self):
        late = self.make_partner(email="late@example.com")
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        self.env["base.partner.merge.automatic.wizard"]._merge(
            (self.partner | late).ids, self.partner
        )
        self.delete("delete")
        self.work()
        self.assertFalse(self.sim.contacts())
        self.check_over()

    def test_created_when_it_was_deleted(self):
        partner = self.make_partner(email="late@example.com")
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        self.account.on_delete = "delete"
        partner.unlink()
        self.work()
        self.assertFalse(self.sim.contacts(email="late@example.com"))
        self.assertFalse(self.changes())

    def test_joined_ones_go_along(self):
        lost = self.make_linked(name="Jan B", email="b@example.com")
        self.env["base.partner.merge.automatic.wizard"]._merge(
            (self.partner | lost).ids, self.partner
        )
        self.delete("delete")
        self.push()
        self.assertFalse(self.sim.contacts())

    def test_merging_deletes_nobody(self):
        self.account.on_delete = "delete"
        lost = self.make_linked(name="Jan B", email="b@example.com")
        self.env["base.partner.merge.automatic.wizard"]._merge(
            (self.partner | lost).ids, self.partner
        )
        self.work()
        self.assertFalse(self.sim.calls("DELETE"))
        self.assertTrue(self.is_there())

    def test_shared_address_keeps_the_profile(self):
        other = self.make_partner(name="Ola Testowa")
        self.push()
        self.delete("delete")
        self.push()
        self.assertTrue(self.is_there())
        self.changes().with_user(self.manager).action_retry()
        self.work()
        self.assertTrue(self.is_there())
        self.assertEqual(self.binding(other).usercom_id, str(self.profile["id"]))

    def test_entered_anew_before_the_push(self):
        self.delete("delete")
        partner = self.make_partner(city="Sopot")
        self.work()
        self.assertTrue(self.is_there())
        self.assertEqual(self.there(partner)["id"], self.profile["id"])
        self.check_over()

    def test_deleted_while_a_call_is_under_way(self):
        """The push that was under way ends, and the deletion follows it."""
        self.partner.city = "Sopot"
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.delete("delete")
        self.work()
        self.assertFalse(self.is_there())
        self.assertFalse(self.changes())

    def test_by_a_user_who_sees_no_bindings(self):
        user = new_test_user(
            self.env, "merge-deleter", groups="base.group_user,base.group_partner_manager"
        )
        self.account.on_delete = "delete"
        self.partner.with_user(user).unlink()
        self.push()
        self.assertFalse(self.is_there())


class TestDeletedThere(MergeDeleteCase):
    def test_marked_and_neither_created_nor_deleted(self):
        partner = self.make_linked()
        number = self.binding(partner).usercom_id
        self.sim.delete_contact(int(number))
        self.ping(number)
        self.pull()
        self.assertEqual(self.binding(partner).state, "gone")
        partner.write({"city": "Gdynia", "email": "new@example.com"})
        self.work()
        self.assertFalse(self.sim.contacts())
        self.assertTrue(partner.exists().active)
        self.assertIn("Deleted in User.com", partner.usercom_status)

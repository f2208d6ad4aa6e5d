"""The nightly comparison: what nothing captured is found, and what is unchanged costs nothing."""

from contextlib import ExitStack
from datetime import timedelta
from unittest.mock import patch

import odoo.sql_db
from odoo import SUPERUSER_ID, api, fields
from odoo.addons.usercom_connector.models import usercom_comparison
from odoo.addons.usercom_connector.models.res_partner import ResPartner
from odoo.addons.usercom_connector.sync.pacing import BULK
from odoo.tests.common import new_test_user

from .common import SyncCase


class ComparisonCase(SyncCase):
    def compare(self):
        """One run of the scheduled action "User.com: compare"."""
        self.env.cr.flush()
        self.env.invalidate_all()
        with self.registry.cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})["usercom.comparison"]._cron_compare()
            cr.commit()
        self.env.invalidate_all()

    def chunks_of(self, size):
        return patch.object(usercom_comparison, "COMPARED_TOGETHER", size)

    def time_is_up(self):
        """Let a run end after its first chunk."""
        return patch.object(usercom_comparison, "ROUND_SECONDS", 0.001)

    def by_sql(self, partners, **values):
        self.env.flush_all()
        for name, value in values.items():
            self.env.cr.execute(
                f"UPDATE res_partner SET {name} = %s WHERE id IN %s",
                [value, tuple(partners.ids)],
            )
        self.env.invalidate_all()

    def people(self, count, prefix="p"):
        partners = self.env["res.partner"].create(
            [{"name": f"P{n}", "email": f"{prefix}{n}@example.com"} for n in range(count)]
        )
        self.bring_in_step(partners)
        return partners

    def stream(self, account=None):
        return self.env["usercom.stream"]._of(account or self.account, "compare")

    def queued(self):
        return set(self.changes().mapped("partner_res_id"))


class TestFound(ComparisonCase):
    def test_change_by_sql(self):
        jan, ola = self.people(2)
        self.by_sql(jan, city="Gdynia")
        self.push()
        self.assertFalse(self.sim.calls())
        self.compare()
        [row] = self.changes()
        self.assertEqual((row.partner_res_id, row.priority), (jan.id, BULK))
        self.push()
        self.assertEqual(self.there(jan)["city"], "Gdynia")
        self.assertFalse(self.there(ola)["city"])
        self.assertEqual(self.methods(), ["PUT"])
        self.compare()
        self.assertFalse(self.changes())

    def test_change_of_a_related_record(self):
        self.sim.add_attribute("vat", "string")
        self.account.action_refresh_attributes()
        attribute = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "vat")]
        )
        self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "parent_id.vat",
                "attribute_id": attribute.id,
                "direction": "out",
            }
        )
        company = self.env["res.partner"].create({"name": "Acme", "is_company": True})
        jan = self.make_linked(parent_id=company.id)
        company.vat = "PL5260001246"
        self.push()
        self.assertFalse(self.sim.calls())
        self.compare()
        self.push()
        self.assertEqual(self.there(jan)["attributes"]["vat"], "PL5260001246")

    def test_consent_that_was_withdrawn_by_sql(self):
        jan = self.make_linked()
        jan.usercom_email_consent = "given"
        self.push()
        self.env.cr.execute("UPDATE usercom_consent_event SET state = 'withdrawn'")
        self.env.invalidate_all()
        self.compare()
        self.push()
        self.assertIs(self.there(jan)["attributes"]["email_consent"], False)

    def test_what_cannot_be_compared_is_parked_with_the_reason(self):
        people = self.people(3)
        bad, other = people[1], people[2]
        self.by_sql(other, city="Gdynia")
        real = ResPartner._usercom_raw

        def raw(partner, rule):
            if partner.id == bad.id:
                raise RuntimeError("unforeseen")
            return real(partner, rule)

        with patch.object(ResPartner, "_usercom_raw", raw):
            self.compare()
            self.assertEqual(self.queued(), {bad.id, other.id})
            with self.assertLogs("odoo", "ERROR"):
                self.push()
            [row] = self.changes()
            self.assertEqual((row.partner_res_id, row.problem_code), (bad.id, "unexpected"))
            self.assertEqual(self.there(other)["city"], "Gdynia")
            # It waits for a person; no night starts it again.
            self.compare()
            self.assertEqual(self.changes(), row)


class TestLeftAlone(ComparisonCase):
    def test_unchanged(self):
        self.people(7)
        with self.chunks_of(3):
            self.compare()
        self.assertFalse(self.changes())
        self.assertFalse(self.sim.calls())
        self.assertTrue(self.stream().last_success_at)

    def test_what_is_parked_waits_for_a_person(self):
        jan = self.make_linked()
        jan.city = "Gdynia"
        self.sim.fault("400", method="PUT")
        self.push()
        [row] = self.changes()
        self.assertFalse(row.due_at)
        self.compare()
        self.assertEqual(self.changes(), row)

    def test_who_does_not_take_part_is_gone_or_belongs_elsewhere(self):
        archived, gone, moved = self.people(3)
        self.account.company_id = self.env.company
        company = self.env["res.company"].create({"name": "Other"})
        self.by_sql(archived + gone + moved, city="Gdynia")
        self.by_sql(archived, active=False)
        self.by_sql(moved, company_id=company.id)
        self.binding(gone)._mark_gone()
        self.compare()
        self.assertFalse(self.queued() & {archived.id, gone.id, moved.id})

    def test_what_is_to_be_carried_waits_until_somebody_asks_for_it(self):
        self.sim.add_attribute("Job", "string")
        self.account.action_refresh_attributes()
        attribute = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "job")]
        )
        jan, ola = self.people(2)
        self.by_sql(jan + ola, function="Sales")
        line = self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "function",
                "attribute_id": attribute.id,
            }
        )
        self.assertTrue(line.to_carry)
        self.by_sql(ola, city="Gdynia")
        self.compare()
        self.assertEqual(self.queued(), {ola.id})
        self.push()
        line.to_carry = False
        self.compare()
        self.assertEqual(self.queued(), {jan.id})

    def test_what_a_hook_withholds(self):
        """Nor does what it adds to each call cost a call a night."""
        jan = self.make_linked()
        self.by_sql(jan, city="Gdynia")
        without = patch.object(
            ResPartner, "_usercom_payload", lambda partner, account, body: {"tier": "gold"}
        )
        with without:
            self.compare()
        self.assertFalse(self.changes())

    def test_deleted_contact(self):
        jan = self.make_linked()
        jan.unlink()
        self.push()
        self.compare()
        self.assertFalse(self.changes())

    def test_paused_account(self):
        jan = self.make_linked()
        self.by_sql(jan, city="Gdynia")
        self.account.action_pause()
        self.compare()
        self.assertFalse(self.changes())


class TestRounds(ComparisonCase):
    def setUp(self):
        super().setUp()
        self.night = self.env.ref(usercom_comparison.CRON)
        self.night.nextcall = fields.Datetime.now() - timedelta(minutes=1)

    def test_interrupted_and_resumed(self):
        people = self.people(5)
        self.by_sql(people, city="Gdynia")
        with self.chunks_of(2):
            with self.time_is_up():
                self.compare()
                self.assertEqual(self.queued(), set(people[3:].ids))
                self.compare()
                self.assertEqual(self.queued(), set(people[1:].ids))
                self.assertTrue(self.stream().cursor)
            self.compare()
        self.assertEqual(self.queued(), set(people.ids))
        self.assertEqual(len(self.changes()), 5)
        self.assertFalse(self.stream().cursor)

    def test_killed_between_two_chunks(self):
        people = self.people(5)
        self.by_sql(people, city="Gdynia")
        real = usercom_comparison.UsercomComparison._compare_chunk
        chunks = []

        def compare_chunk(this, stream):
            chunks.append(stream)
            if len(chunks) == 2:
                raise KeyboardInterrupt
            return real(this, stream)

        with self.chunks_of(2):
            with (
                patch.object(usercom_comparison.UsercomComparison, "_compare_chunk", compare_chunk),
                self.assertRaises(KeyboardInterrupt),
            ):
                self.compare()
            self.compare()
        self.assertEqual(self.queued(), set(people.ids))
        self.assertEqual(len(self.changes()), 5)

    def progress(self):
        """What the scheduled action tells Odoo: (done, remaining) of each commit."""
        cron = self.registry["ir.cron"]
        real, told = cron._commit_progress, []

        def commit_progress(this, processed=0, *, remaining=None, deactivate=False):
            told.append((processed, remaining))
            return real(this, processed, remaining=remaining, deactivate=deactivate)

        self.enterContext(patch.object(cron, "_commit_progress", commit_progress))
        return told

    def test_odoo_is_told_what_is_left(self):
        self.people(5)
        told = self.progress()
        with self.chunks_of(2), self.time_is_up():
            self.compare()
        self.assertEqual(told, [(0, 5), (2, None), (0, 3)])
        told.clear()
        with self.chunks_of(2):
            self.compare()
        self.assertEqual(told, [(0, 3), (2, None), (1, None), (0, 0)])

    def test_one_round_a_night(self):
        jan = self.make_linked()
        with self.chunks_of(1), self.time_is_up():
            self.compare()  # one binding: the next run sees that it was the last
        self.assertTrue(self.stream().cursor)
        self.compare()
        self.assertFalse(self.stream().cursor)
        self.by_sql(jan, city="Gdynia")
        self.compare()
        self.assertFalse(self.changes(), "the hour has been this night's already")
        self.night.nextcall = fields.Datetime.now() + timedelta(days=1)
        self.stream().began_at -= timedelta(days=1)
        self.night.nextcall = fields.Datetime.now()
        self.compare()
        self.assertEqual(self.queued(), {jan.id})

    def test_several_accounts(self):
        jan = self.make_linked()
        brand = self.env["usercom.account"].create({"name": "Brand", "subdomain": "brand"})
        self.connect(brand)
        jan._usercom_enqueue(brand)
        self.push()
        ola = self.make_linked(email="ola@example.com")
        tied = self.env["usercom.binding"].search([("account_id", "=", brand.id)])
        self.assertEqual(tied.partner_id, jan + ola)
        self.env["usercom.change"].search([]).unlink()
        self.by_sql(jan + ola, city="Gdynia")
        with self.chunks_of(1):
            self.compare()
        for account in (self.account, brand):
            rows = self.env["usercom.change"].search([("account_res_id", "=", account.id)])
            self.assertEqual(set(rows.mapped("partner_res_id")), set((jan + ola).ids))
            self.assertFalse(self.stream(account).cursor)

    def test_account_paused_on_the_way_stops_no_other_and_goes_on_later(self):
        people = self.people(3)
        self.by_sql(people, city="Gdynia")
        with self.chunks_of(1):
            with self.time_is_up():
                self.compare()
            self.account.action_pause()
            self.compare()
            self.assertEqual(len(self.changes()), 1)
            self.env["usercom.change"].search([]).unlink()
            self.account.state = "running"  # without the look at everything that starting brings
            self.compare()
        self.assertEqual(self.queued(), set(people[:2].ids))


class TestNow(ComparisonCase):
    def test_asked_for_by_a_manager(self):
        manager = new_test_user(
            self.env, "compare-manager", groups="usercom_connector.group_usercom_manager"
        )
        jan = self.make_linked()
        brand = self.env["usercom.account"].create({"name": "Brand", "subdomain": "brand"})
        self.connect(brand)
        self.by_sql(jan, city="Gdynia")
        with patch.object(usercom_comparison.wake, "after_commit") as woken:
            action = self.account.with_user(manager).action_compare()
        self.assertEqual(woken.call_args.args[1], "usercom_connector.ir_cron_compare")
        self.assertEqual(action["tag"], "display_notification")
        self.assertFalse(self.changes(), "nobody waits for it")
        self.compare()
        self.assertEqual(self.queued(), {jan.id})
        self.assertFalse(self.stream(brand).last_success_at, "only this account was meant")

    def test_run_by_hand(self):
        jan = self.make_linked()
        self.by_sql(jan, city="Gdynia")
        self.compare()
        self.assertEqual(self.queued(), {jan.id})


class TestCost(ComparisonCase):
    def queries_of(self, work):
        statements = []
        real = odoo.sql_db.Cursor.execute

        def execute(cursor, query, *args, **kwargs):
            statements.append(str(getattr(query, "code", query)).strip())
            return real(cursor, query, *args, **kwargs)

        self.env.cr.flush()
        with ExitStack() as stack:
            stack.enter_context(patch.object(odoo.sql_db.Cursor, "execute", execute))
            work()
        return statements

    def test_queries_do_not_grow_with_the_contacts_of_a_chunk(self):
        counts = []
        for number, count in enumerate((2, 5, 35)):
            self.by_sql(self.people(count, f"c{number}-"), city=f"City {number}")
            counts.append(len(self.queries_of(self.compare)))
            self.env["usercom.change"].search([]).unlink()
        self.assertLessEqual(counts[2], counts[1] + 2, counts)

    def test_nothing_is_kept_from_one_chunk_to_the_next(self):
        self.people(6)
        real = usercom_comparison.UsercomComparison._compare_chunk
        kept = []

        def compare_chunk(this, stream):
            kept.append(len(this.env["res.partner"]._fields["email"]._get_cache(this.env)))
            return real(this, stream)

        with (
            self.chunks_of(2),
            patch.object(usercom_comparison.UsercomComparison, "_compare_chunk", compare_chunk),
        ):
            self.compare()
        self.assertEqual(kept, [0] * len(kept))

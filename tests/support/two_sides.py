"""Odoo as its own process, the simulator as another, and an account that ties them together.

Everything an administrator does is done by calls as the web client makes them; what Odoo's
database holds is read past Odoo, so that looking costs Odoo nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg2
import requests
from _tooling.databases import Databases, connection_options
from _tooling.odoo_process import OdooClient, OdooFailed

from simulator.testing import ControlClient
from tests.support.logs import guard
from tests.support.odoo_server import OdooServer
from tests.support.simulator_process import SimulatorProcess

#: Nobody else's addresses end like this, so a log can be searched for it.
DOMAIN = "people.example"
QUEUES = ("usercom_change", "usercom_ping")
CRONS = ("ir_cron_push", "ir_cron_pull")

Record = dict[str, Any]


class TwoSides:
    """What the tests see of both sides; ``two_sides`` makes it and ends it."""

    def __init__(self, server: OdooServer, process: SimulatorProcess, databases: Databases) -> None:
        self.server = server
        self.process = process
        self.sim: ControlClient = process.control
        self.account_id = 0
        self.webhook: Record = {}
        options = connection_options(databases.runtime)
        self._database = psycopg2.connect(dbname=server.database, **options)
        self._database.autocommit = True
        # Odoo's workers listen on this database, whichever they work on.
        self._postgres = psycopg2.connect(dbname="postgres", **options)
        self._postgres.autocommit = True
        self._client: OdooClient | None = None
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Let go of the databases."""
        self._database.close()
        self._postgres.close()

    # Odoo, as an administrator

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method in a session that is kept."""
        if self._client is None:
            self._client = OdooClient(self.server.url, self.server.database)
        return self._client.call(model, method, *args, **kwargs)

    def call_that_may_die(self, model: str, method: str, *args: Any) -> None:
        """Call a method of a server that may be killed meanwhile."""
        with contextlib.suppress(requests.RequestException, OdooFailed):
            self.call(model, method, *args)

    def restart_odoo(self) -> None:
        """Start Odoo again; whatever had logged in has to log in again."""
        self._client = None
        self.server.restart()

    def connect(self) -> None:
        """Make an account and set it to work, as an administrator does step by step."""
        self._settle_daily_actions()
        [self.account_id] = self.call(
            "usercom.account",
            "create",
            [{"name": "Shop", "subdomain": "https://acme.user.com/", "creation_limit": 1000}],
        )
        self.call_account("write", {"rest_key_input": self.process.key})
        self.expect_notice(self.call_account("action_test_connection"), "Connection works")
        [account] = self.call_account("read", ["state", "consent_missing"])
        if account["consent_missing"]:
            notice = self.call_account("action_create_consents")
            self.expect_notice(notice, "Connection works")
        self.call_account("action_start")
        for side in ("usercom", "odoo"):
            values = {"account_id": self.account_id, "side": side}
            wizard = self.call("usercom.creation", "create", [values])
            self.call("usercom.creation", "action_switch_on", wizard)
        self.set_webhook()

    def _settle_daily_actions(self) -> None:
        """Let what runs once a day not run before the tests end.

        It would write to the account while somebody sets it up. Where one is at work, this waits
        for its end.
        """
        self.query(
            """
            UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' + interval '1 day'
             WHERE id IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron'
                             AND module = 'usercom_connector' AND name NOT IN %s)
            """,
            CRONS,
        )

    def call_account(self, method: str, *args: Any) -> Any:
        """Call a method of the account."""
        return self.call("usercom.account", method, [self.account_id], *args)

    def expect_notice(self, action: Record, title: str) -> None:
        """Check what the administrator is told."""
        assert action["params"]["title"] == title, action["params"]

    def set_webhook(self, **more: Any) -> None:
        """Paste the account's recipe into User.com's automation."""
        names = ["webhook_url", "webhook_headers", "webhook_secret"]
        [self.webhook] = self.call_account("read", names)
        lines = self.webhook["webhook_headers"].splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        if more.get("encoding") == "form":
            del headers["Content-Type"]
        assert self.webhook["webhook_url"].startswith(self.server.url)
        self.sim.set_webhook(self.webhook["webhook_url"], headers=headers, **more)

    # People

    def address(self, name: str) -> str:
        """Return an e-mail address that nobody has had before."""
        return f"{name}-{next(self._numbers)}@{DOMAIN}"

    def add_partner(self, name: str = "Jan Testowy", **values: Any) -> int:
        """Save a new contact in Odoo."""
        values.setdefault("email", self.address("odoo"))
        [partner_id] = self.call("res.partner", "create", [{"name": name, **values}])
        return int(partner_id)

    def edit_partner(self, partner_id: int, **values: Any) -> None:
        """Save a change of a contact in Odoo."""
        self.call("res.partner", "write", [partner_id], values)

    def add_contact(self, **values: Any) -> Record:
        """Let a contact appear in User.com."""
        values.setdefault("email", self.address("there"))
        names = {"first_name": "Ola", "last_name": "Nowa", "status": "user"}
        return self.sim.add_contact(**{**names, **values})

    def make_linked(self, *, consent: bool = False, **values: Any) -> int:
        """Return a contact of Odoo that is in step on both sides."""
        partner_id = self.add_partner(**values)
        if consent:
            self.edit_partner(partner_id, usercom_email_consent="given")
        self.wait_in_step(partner_id)
        return partner_id

    def partners(self, email: str) -> list[Record]:
        """Return all contacts of Odoo with this address, however it is written."""
        rows = self.query(
            """
            SELECT p.id, p.name, p.email_normalized, p.phone_sanitized, p.city, c.code
              FROM res_partner p LEFT JOIN res_country c ON c.id = p.country_id
             WHERE p.email_normalized = lower(%s) ORDER BY p.id
            """,
            email,
        )
        names = ("id", "name", "email", "phone", "city", "country")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def partner(self, partner_id: int) -> Record:
        """Return a contact of Odoo with the consent that holds."""
        [(email,)] = self.query("SELECT email_normalized FROM res_partner WHERE id=%s", partner_id)
        [found] = [one for one in self.partners(email) if one["id"] == partner_id]
        return found

    def consent(self, partner_id: int) -> str | None:
        """Return the latest word of a contact at its present address."""
        rows = self.query(
            """
            SELECT e.state FROM usercom_consent_event e
              JOIN res_partner p ON p.id = e.partner_id AND p.email_normalized = e.address
             WHERE p.id = %s
             ORDER BY e.happened_at DESC NULLS LAST, e.state DESC LIMIT 1
            """,
            partner_id,
        )
        return rows[0][0] if rows else None

    def binding(self, partner_id: int) -> Record | None:
        """Return how a contact is tied, if it is."""
        rows = self.query(
            """
            SELECT usercom_id, custom_id, state, send_custom_id FROM usercom_binding
             WHERE partner_id = %s
            """,
            partner_id,
        )
        assert len(rows) <= 1
        names = ("usercom_id", "custom_id", "state", "send_custom_id")
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def there(self, partner_id: int) -> Record | None:
        """Return the contact of User.com that a partner is tied to, if it is."""
        binding = self.binding(partner_id)
        if not binding or not binding["usercom_id"]:
            return None
        return self.sim.contact(int(binding["usercom_id"]))

    # Whether both sides agree

    def differences(self, partner_id: int) -> list[str]:
        """Say in what the two sides of a contact differ, and what of it is there twice."""
        here, binding = self.partner(partner_id), self.binding(partner_id)
        if not binding or binding["state"] != "linked":
            return [f"the binding is {binding}"]
        there = self.sim.contact(int(binding["usercom_id"]))
        found = []
        for name, ours, theirs in (
            ("name", folded(here["name"]), folded(there["name"])),
            ("email", folded(here["email"]), folded(there["email"])),
            ("phone", digits(here["phone"]), digits(there["phone_number"])),
            ("city", folded(here["city"]), folded(there["city"])),
            ("country", here["country"], {"Poland": "PL"}.get(there["country"], there["country"])),
            # A User ID that is still to be given goes along with the next write.
            (
                "custom_id",
                None if binding["send_custom_id"] else binding["custom_id"],
                there["custom_id"],
            ),
        ):
            if (ours or None) != (theirs or None):
                found.append(f"{name}: {ours!r} here, {theirs!r} there")
        consent = self.consent(partner_id)
        seen = there["attributes"].get("email_consent")
        if {"given": True, "withdrawn": False}.get(str(consent)) != seen:
            found.append(f"consent: {consent} here, {seen} there")
        partners = self.partners(here["email"])
        if len(partners) != 1:
            found.append(f"{len(partners)} partners")
        contacts = [c for c in self.sim.contacts() if folded(c["email"]) == folded(here["email"])]
        contacts += [c for c in self.sim.contacts() if c["custom_id"] == binding["custom_id"]]
        if len({contact["id"] for contact in contacts}) != 1:
            found.append(f"{len(contacts)} contacts")
        return found

    def queues(self) -> list[tuple[Any, ...]]:
        """Return all rows that wait or are parked."""
        return [
            (table, *row)
            for table in QUEUES
            for row in self.query(
                f"SELECT id, due_at, attempts, problem_code, problem_args FROM {table} ORDER BY id"
            )
        ]

    def wait_in_step(self, *partner_ids: int, timeout: float = 10) -> None:
        """Wait until both sides of these contacts agree and nothing is left to do."""

        def in_step() -> bool:
            return not self.queues() and not any(map(self.differences, partner_ids))

        def explain() -> str:
            return f"{[self.differences(one) for one in partner_ids]}, queues {self.queues()}"

        self.wait(in_step, timeout, explain)

    def expect_silence(self, seconds: float) -> None:
        """Check that nothing is sent any more, and that nothing is left to do."""
        self.sim.wait_webhooks()
        before = [call["number"] for call in self.writes()]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.1)
        new = [call for call in self.writes() if call["number"] not in before]
        assert not new, f"calls that nobody's edit asked for: {new}"
        assert not self.queues()

    def writes(self) -> list[Record]:
        """Return the calls that wrote something in User.com."""
        return [call for call in self.sim.calls() if call["method"] != "GET"]

    # Time

    @staticmethod
    def wait(
        condition: Callable[[], Any],
        timeout: float = 10,
        explain: Callable[[], str] = lambda: "it did not come true",
    ) -> float:
        """Wait until something is true; return how many seconds that took."""
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > timeout:
                raise AssertionError(f"after {timeout} s: {explain()}")
            time.sleep(0.03)
        return time.monotonic() - started

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read or change Odoo's database past Odoo."""
        with self._database.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def notify(self) -> None:
        """Have Odoo's workers look for scheduled actions, as they do by themselves each minute."""
        with self._postgres.cursor() as cursor:
            cursor.execute("SELECT pg_notify('cron_trigger', %s)", [self.server.database])

    def pass_interval(self) -> None:
        """Let the time pass until the scheduled actions' regular run."""
        self.query(
            """
            UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' - interval '1 second'
             WHERE id IN (SELECT res_id FROM ir_model_data WHERE name IN %s
                             AND module = 'usercom_connector')
            """,
            CRONS,
        )

    def pass_waiting(self) -> None:
        """Let the time pass that rows and accounts wait after a failure; parked rows stay so."""
        self.query("UPDATE usercom_stream SET rest_until = NULL")
        self.query("DELETE FROM usercom_limiter")
        for table in QUEUES:
            self.query(
                f"UPDATE {table} SET due_at = now() AT TIME ZONE 'UTC' WHERE due_at IS NOT NULL"
            )
        self.query(
            """
            INSERT INTO ir_cron_trigger (cron_id, call_at)
            SELECT res_id, now() AT TIME ZONE 'UTC' - interval '1 second' FROM ir_model_data
             WHERE name IN %s AND module = 'usercom_connector'
            """,
            CRONS,
        )
        self.notify()

    def log_text(self) -> str:
        """Return all that Odoo logged."""
        return self.server.log.read_text(errors="replace")

    def expect_discreet_log(self) -> None:
        """Check that the log holds no secret and nobody's address."""
        text = self.log_text()
        assert "starting" in text  # at level INFO, that is
        for what, secret in (
            ("the REST key", self.process.key),
            ("the webhook's secret", self.webhook["webhook_secret"]),
            ("somebody's address", DOMAIN),
        ):
            lines = [line for line in text.splitlines() if secret.lower() in line.lower()]
            assert not lines, f"Odoo's log holds {what}: {lines[:5]}"


def folded(text: str | None) -> str | None:
    """Return a text as it is compared: letter case and spaces are stored as each side likes."""
    return " ".join(text.split()).casefold() if text else None


def digits(number: str | None) -> str:
    """Return a phone number as it is compared."""
    return "".join(filter(str.isdigit, number or ""))


@contextlib.contextmanager
def two_sides(
    databases: Databases, folder: Path, *, arguments: list[str] | None = None, **environment: str
) -> Iterator[TwoSides]:
    """Provide both sides, connected and running; their log is judged by ``judge_log``."""
    with ExitStack() as ending:
        process = ending.enter_context(SimulatorProcess(folder))
        database = databases.copy()
        ending.callback(databases.drop, database)
        environment["USERCOM_BASE_URL"] = process.url
        log = folder / "odoo.log"
        server = OdooServer(databases.runtime, database, log, environment, arguments or [])
        ending.callback(server.stop)
        sides = TwoSides(server, process, databases)
        ending.callback(sides.close)
        sides.connect()
        yield sides


def judge_log(sides: TwoSides) -> None:
    """Let the running test fail for warnings and errors that it does not name."""
    for line in sides.server.new_complaints():
        guard.judge(line)

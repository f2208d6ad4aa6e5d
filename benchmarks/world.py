"""Both sides: Odoo in this process with real commits, the simulator as a process of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import odoo
import odoo.http
import odoo.modules.registry
import odoo.sql_db
import odoo.tools
from _tooling.databases import Databases
from _tooling.places import CHECKOUT
from _tooling.runtime import prepare
from werkzeug.serving import make_server

from tests.support.odoo_server import free_port
from tests.support.simulator_process import SimulatorProcess

ADDONS = CHECKOUT / "benchmarks" / "addons"
COMMON_WAY = "usercom_common_way"
#: The first person's number; it stands in all that is written about them, so that a copy of the
#: rows with another number is another person.
FIRST = 600_000_000
DOMAIN = "people.example"
#: Calls a second that an account begins with where not the finding of a limit is measured.
UNLIMITED = 1000.0
#: A queue that does not get empty within this time is broken.
PATIENCE_SECONDS = 1800

Record = dict[str, Any]


class World:
    """``with World(scale) as world:``; everything that it made is gone at the end."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._ending = ExitStack()

    def __enter__(self) -> World:
        odoo.tools.config.parse_config(
            [f"--addons-path={CHECKOUT},{ADDONS}", "--log-level=warn"], setup_logging=True
        )
        self.databases = Databases(prepare("test", durable=False))
        self._ending.callback(self.databases.close)
        folder = self._ending.enter_context(tempfile.TemporaryDirectory())
        self.folder = Path(folder)
        self.process = self._ending.enter_context(SimulatorProcess(self.folder, keeps=False))
        self.sim = self.process.control
        self.sim.timeout = 600
        os.environ["USERCOM_BASE_URL"] = self.process.url
        self.numbers = FIRST + 1  # the first is the template
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()

    def size(self, number: int, at_least: int = 20) -> int:
        """Return a number of contacts at this scale."""
        return max(round(number * self.scale), min(at_least, number))

    def seconds(self, length: float) -> float:
        """Return a length of time at this scale."""
        return max(length * self.scale, 1.0)

    def odoo(self) -> ConnectedOdoo:
        """Return an Odoo with the addon, its account running."""
        side = ConnectedOdoo(self, self.databases.copy())
        self._ending.callback(side.close)
        side.connect()
        return side

    def odoo_without(self) -> Odoo:
        """Return an Odoo with the modules that the addon depends on, and nothing of ours."""
        side = Odoo(self, self.databases.copy(with_addon=False))
        self._ending.callback(side.close)
        return side

    def common_way(self) -> CommonWay:
        """Return an Odoo with the connector of the baseline."""
        side = CommonWay(self, self.databases.copy(with_addon=False))
        self._ending.callback(side.close)
        side.connect()
        return side

    def take_numbers(self, count: int) -> range:
        """Return numbers of people who are nowhere yet."""
        first, self.numbers = self.numbers, self.numbers + count
        return range(first, first + count)

    # The simulator

    def add_contacts(self, template: Record, numbers: range, **more: str) -> list[int]:
        """Add people to User.com who are like the template but for the number.

        :return: User.com's numbers of them.
        """
        contacts = []
        for number in numbers:
            values = {
                name: _renumbered(template[name], number)
                for name in ("email", "first_name", "last_name", "phone_number", "city", "country")
            }
            values |= {name: _renumbered(value, number) for name, value in more.items()}
            contacts.append(values)
        return self.sim.add_contacts(contacts)

    def count_calls(self) -> int:
        """Return how many calls of the API there have been."""
        return int(self.sim.status()["calls"])

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[int]]:
        """Count the API calls of a block: the list has their number afterwards."""
        result: list[int] = []
        before = self.count_calls()
        yield result
        result.append(self.count_calls() - before)


def _renumbered(value: Any, number: int) -> Any:
    return value.replace(str(FIRST), str(number)) if isinstance(value, str) else value


class Odoo:
    """One database in this process."""

    def __init__(self, world: World, database: str) -> None:
        self.world = world
        self.database = database
        self.registry = odoo.modules.registry.Registry(database)

    def close(self) -> None:
        """Let go of the database and drop it."""
        odoo.sql_db.close_db(self.database)
        odoo.modules.registry.Registry.delete(self.database)
        self.world.databases.drop(self.database)

    @contextlib.contextmanager
    def env(self, user: int = odoo.SUPERUSER_ID, **context: Any) -> Iterator[Any]:
        """Provide an environment; its transaction is committed at the end of the block."""
        with self.registry.cursor() as cr:
            yield odoo.api.Environment(cr, user, context)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read or change the database past the ORM."""
        with self.registry.cursor() as cr:
            cr.execute(sql, values)
            return list(cr.fetchall()) if cr.description else []

    def make_template(self) -> int:
        """Make the person whom the others are copies of."""
        with self.env(tracking_disable=True) as env:
            partner = env["res.partner"].create(
                {
                    "name": f"Anna {FIRST}",
                    "email": f"p{FIRST}@{DOMAIN}",
                    "phone": f"+48{FIRST}",
                    "city": "Sopot",
                    "country_id": env.ref("base.pl").id,
                }
            )
            return int(partner.id)

    def copy_rows(self, table: str, origin: int, numbers: range, **columns: Sequence[Any]) -> list:
        """Copy a row for each of the numbers, with the number in place of the template's.

        :param columns: other values of some columns, one for each number.
        :return: the ids of the copies.
        """
        described = self.query(
            """
            SELECT column_name, data_type FROM information_schema.columns
             WHERE table_name = %s AND table_schema = 'public'
            """,
            table,
        )
        names, values = [], []
        for name, kind in described:
            value = f'row."{name}"'
            if name == "id":
                value = "item.new_id"
            elif name == "commercial_partner_id":
                value = "item.new_id"  # of a person without a company: itself
            elif name in columns:
                value = f'item."{name}"'
            elif kind in ("character varying", "text", "jsonb"):
                value = f"replace({value}::text, '{FIRST}', item.number::text)"
                value += "::jsonb" if kind == "jsonb" else ""
            names.append(f'"{name}"')
            values.append(value)
        kinds = dict(described)
        lists = ["%s::bigint[]", *(f"%s::{kinds[name]}[]" for name in columns)]
        found = self.query(
            f"""
            WITH item AS (
                SELECT nextval(pg_get_serial_sequence('{table}', 'id')) AS new_id, listed.*
                  FROM unnest({", ".join(lists)})
                       AS listed ({", ".join(["number", *columns])})
            )
            INSERT INTO {table} ({", ".join(names)})
            SELECT {", ".join(values)} FROM item JOIN {table} AS row ON row.id = %s
            RETURNING id
            """,
            list(numbers),
            *map(list, columns.values()),
            origin,
        )
        return [row[0] for row in found]

    def make_partners(self, numbers: range) -> list[int]:
        """Make people past the ORM, so that nothing of them is captured; the ids in their order."""
        if not hasattr(self, "template"):
            self.template = self.make_template()
        self.copy_rows("res_partner", self.template, numbers)
        return self.partners(numbers)

    def partners(self, numbers: range) -> list[int]:
        """Return the ids of these people, in their order."""
        rows = self.query(
            "SELECT id FROM res_partner WHERE phone_sanitized = ANY(%s) ORDER BY phone_sanitized",
            [f"+48{number}" for number in numbers],
        )
        assert len(rows) == len(numbers)
        return [row[0] for row in rows]

    def tidy(self) -> None:
        """Have PostgreSQL know its tables, as autovacuum does in time."""
        with odoo.sql_db.db_connect(self.database).cursor() as cr:
            cr.execute("ANALYZE")

    def set_city(self, ids: Sequence[int], city: str) -> None:
        """Save another city in each of these contacts: all different, in one transaction."""
        # What is measured comes after the save: no messages in the contacts' histories.
        with self.env(tracking_disable=True) as env:
            for partner in env["res.partner"].browse(ids):
                partner.city = f"{city} {partner.id}"


class ConnectedOdoo(Odoo):
    """An Odoo with the addon and an account; goes by the entry points that are to stay."""

    def connect(self) -> None:
        """Do what an administrator does."""
        if not any(one["name_std"] == "email_consent" for one in self.world.sim.attributes()):
            self.world.sim.add_attribute("email_consent", "boolean")
        with self.env() as env:
            account = env["usercom.account"].create(
                {
                    "name": "Shop",
                    "subdomain": "acme",
                    "creation_limit": 10_000_000,
                    "rate_start": UNLIMITED,
                    "poll_minutes": 0,
                }
            )
            account.rest_key_input = self.world.process.key
            account.action_test_connection()
            account.action_start()
            self.account_id = account.id
        self.switch_on("odoo")
        self.switch_on("usercom")
        # What Odoo's own contacts have to do with it is none of a benchmark's business.
        self.empty_queues()

    def forget_rate(self) -> None:
        """Know nothing of User.com's limit, as an account does that was just made."""
        with self.account() as account:
            [rate] = account.default_get(["rate_start"]).values()
            account.rate_start = rate
        self.query("DELETE FROM usercom_limiter")

    def switch_on(self, side: str, *, include_existing: bool = False) -> None:
        """Let contacts be created, by the dialog."""
        with self.env() as env:
            values = {"account_id": self.account_id, "side": side}
            wizard = env["usercom.creation"].create(values | {"include_existing": include_existing})
            wizard.action_switch_on()

    @contextlib.contextmanager
    def account(self) -> Iterator[Any]:
        """Provide the account."""
        with self.env() as env:
            yield env["usercom.account"].browse(self.account_id)

    def empty_queues(self) -> None:
        """Forget what waits."""
        self.query("DELETE FROM usercom_change")
        self.query("DELETE FROM usercom_ping")

    def look_again(self, ids: Sequence[int]) -> None:
        """Have the push look at these contacts, whether or not they were edited."""
        with self.env() as env:
            env["res.partner"].browse(ids)._usercom_enqueue()

    def run(self, model: str) -> None:
        """One run of a scheduled action."""
        with self.env() as env:
            env[model]._cron_drain()

    def push(self) -> None:
        """One run of the scheduled action "User.com: push"."""
        self.run("usercom.change")

    def pull(self) -> None:
        """One run of the scheduled action "User.com: pull"."""
        self.run("usercom.ping")

    def waiting(self, model: str) -> int:
        """Return how many rows are not parked."""
        table = model.replace(".", "_")
        [(count,)] = self.query(f"SELECT count(*) FROM {table} WHERE due_at IS NOT NULL")
        return int(count)

    def parked(self) -> list[tuple[Any, ...]]:
        """Return why rows are parked, and how many for each reason."""
        return self.query(
            """
            SELECT problem_code, count(*) FROM (
                   SELECT problem_code FROM usercom_change WHERE due_at IS NULL
                   UNION ALL SELECT problem_code FROM usercom_ping WHERE due_at IS NULL) AS row
             GROUP BY problem_code
            """
        )

    def drain(self, model: str) -> None:
        """Run one scheduled action until no row of it waits, as Odoo's own retriggering does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while before := self.waiting(model):
            self.run(model)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{model} still has {before} rows after {PATIENCE_SECONDS} s.")
            if self.waiting(model) == before:
                time.sleep(0.05)

    def settle(self) -> None:
        """Run both scheduled actions until nothing waits and a further run calls nobody."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            before = self.world.count_calls()
            self.push()
            self.pull()
            waiting = self.waiting("usercom.change") + self.waiting("usercom.ping")
            if not waiting and self.world.count_calls() == before:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"Both sides are not in step after {PATIENCE_SECONDS} s.")

    def link_template(self) -> Record:
        """Have the template's contact on both sides, in step; return it as User.com has it."""
        if hasattr(self, "linked"):
            return self.linked
        self.template = self.make_template()
        self.drain("usercom.change")
        [(usercom_id,)] = self.query(
            "SELECT usercom_id FROM usercom_binding WHERE partner_id = %s", self.template
        )
        with self.env() as env:
            env["usercom.ping"]._append([(self.account_id, "id", usercom_id)])
        self.settle()
        # Its copies were not all made today: what was counts against a day's ceiling.
        self.query("UPDATE usercom_binding SET create_date = create_date - interval '30 days'")
        self.linked = self.world.sim.contact(int(usercom_id))
        return self.linked

    def make_linked(self, numbers: range, *, there: bool = True) -> list[int]:
        """Make people who are in step on both sides, past the ORM and the API.

        :param there: whether User.com really has them; otherwise they may not be pushed.
        :return: the partners' ids; ``usercom_ids`` has User.com's.
        """
        template = self.link_template()
        partners = self.make_partners(numbers)
        [(binding,)] = self.query(
            "SELECT id FROM usercom_binding WHERE partner_id = %s", self.template
        )
        custom_ids = [f"{self.database}-{number}" for number in numbers]
        if there:
            mark = f"{self.database}-{FIRST}"
            usercom_ids = self.world.add_contacts(template, numbers, custom_id=mark)
        else:
            usercom_ids = [number * 1000 for number in numbers]
        self.copy_rows(
            "usercom_binding",
            binding,
            numbers,
            partner_id=partners,
            custom_id=custom_ids,
            custom_id_there=custom_ids,
            usercom_id=[str(number) for number in usercom_ids],
        )
        self.usercom_ids = usercom_ids
        return partners

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Have User.com call our webhook for all that changes."""
        with served(self.database) as url, self.account() as account:
            account.env["ir.config_parameter"].set_param("web.base.url", url)
            account.env.flush_all()
            account.invalidate_recordset()
            address = account.webhook_url
            lines = account.webhook_headers.splitlines()
            account.env.cr.commit()
            self.world.sim.set_webhook(address, headers=dict(one.split(": ", 1) for one in lines))
            try:
                yield
            finally:
                self.world.sim.remove_webhook()

    def wait_webhooks(self) -> list[Record]:
        """Wait until User.com's calls have been answered, all with 200."""
        deliveries = self.world.sim.wait_webhooks(PATIENCE_SECONDS / 2)
        failed = [one for one in deliveries if one["status"] != 200]
        if failed:
            raise RuntimeError(f"webhook calls failed, as {failed[0]['error'] or failed[0]}")
        return deliveries


class CommonWay(Odoo):
    """An Odoo with the connector of the baseline."""

    def connect(self) -> None:
        """Install it and give it the key."""
        odoo.modules.registry.Registry.delete(self.database)
        self.registry = odoo.modules.registry.Registry.new(
            self.database, update_module=True, install_modules=[COMMON_WAY]
        )
        with self.env() as env:
            env["ir.config_parameter"].set_param(f"{COMMON_WAY}.key", self.world.process.key)
        self.query("UPDATE res_partner SET common_dirty = false")

    def push(self) -> None:
        """Send all that was saved."""
        with self.env() as env:
            env["res.partner"]._common_cron_push()

    def make_linked(self, numbers: range) -> list[int]:
        """Make people who are on both sides."""
        partners = self.make_partners(numbers)
        self.query("UPDATE res_partner SET common_dirty = false")
        return partners

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        """Serve the webhook; gives its address."""
        with served(self.database) as url:
            yield f"{url}/{COMMON_WAY}/webhook"


@contextlib.contextmanager
def served(database: str) -> Iterator[str]:
    """Serve this process's Odoo over HTTP; gives its address."""
    odoo.tools.config["db_name"] = [database]
    odoo.tools.config["dbfilter"] = f"^{database}$"
    port = free_port()
    server = make_server("127.0.0.1", port, odoo.http.root, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_turn(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Cut a sequence into pieces."""
    return (items[start : start + size] for start in range(0, len(items), size))

"""What the widget adds to a page: the same portal pages in databases with the widget and without,
asked of this process's Odoo past the network."""

from __future__ import annotations

import odoo.http
import odoo.sql_db
import odoo.tools
from _tooling.say import say
from odoo.service import security
from werkzeug.test import Client

from .blocks import Compared, compare, timed
from .figures import Outcome
from .world import Odoo, World

PAIRS = 200
#: Pages in a block.
PAGES = 5
SIGNED_IN, ANONYMOUS = "/my", "/web/login"
KEY = "abc123"


class Pages:
    """One database's pages, for somebody who is signed in and for nobody."""

    def __init__(self, side: Odoo, *, has_widget: bool) -> None:
        self.side = side
        self.has_widget = has_widget
        with side.env() as env:
            uuid = env["ir.config_parameter"].get_param("database.uuid")
            env["usercom.account"].create(
                {
                    "name": "Shop",
                    "subdomain": "acme",
                    "state": "running",
                    "database_uuid": uuid,
                    "widget_on": has_widget,
                    "widget_key": KEY,
                    "widget_consent": "given",
                    "widget_not_pages": False,
                }
            )
            user = env["res.users"].create(
                {
                    "name": "Anna",
                    "login": "anna@people.example",
                    "group_ids": [odoo.Command.set(env.ref("base.group_portal").ids)],
                }
            )
            env.cr.flush()
            self.cookies = {
                SIGNED_IN: self._session(env(user=user.id), user),
                ANONYMOUS: self._session(env(user=env.ref("base.public_user").id)),
            }
        self.client = Client(odoo.http.root, use_cookies=False)

    def _session(self, env: odoo.api.Environment, user: odoo.models.BaseModel | None = None) -> str:
        store = odoo.http.root.session_store
        session = store.new()
        session.update(odoo.http.get_default_session(), db=self.side.database)
        session["_trace_disable"] = True
        session.context["lang"] = "en_US"
        if user:
            session.uid, session.login = user.id, user.login
            session.session_token = security.compute_session_token(session, env)
        store.save(session)
        return f"session_id={session.sid}"

    def page(self, path: str) -> str:
        """Ask for one page, as a browser does."""
        answer = self.client.get(path, headers={"Cookie": self.cookies[path]})
        assert answer.status_code == 200, answer.status
        return answer.get_data(as_text=True)

    def check(self, path: str) -> None:
        """Be sure that the right thing is measured; all is warm afterwards."""
        for _ in range(3):
            text = self.page(path)
        assert (KEY in text) == self.has_widget, path

    def block(self, path: str) -> float:
        """Ask for some pages; seconds for each."""

        def work() -> None:
            for _ in range(PAGES):
                self.page(path)

        return timed(work, PAGES)

    def queries(self, path: str) -> int:
        """Return the number of queries that a page makes."""
        before = odoo.sql_db.sql_counter
        self.page(path)
        return odoo.sql_db.sql_counter - before


def run(world: World) -> Outcome:
    """Measure."""
    outcome = Outcome()
    sides = [Odoo(world, world.databases.copy()) for _ in range(3)]
    try:
        odoo.tools.config["db_name"] = [side.database for side in sides]
        odoo.tools.config["dbfilter"] = ""
        widget, plain, control = (
            Pages(side, has_widget=number == 0) for number, side in enumerate(sides)
        )
        pairs = world.size(PAIRS, at_least=2)
        found: dict[str, Compared] = {}
        for path in (SIGNED_IN, ANONYMOUS):
            for pages in (widget, plain, control):
                pages.check(path)
            say(f"page: pairs of {PAGES} times {path}")
            found[path] = compare(
                lambda path=path: widget.block(path),
                lambda path=path: plain.block(path),
                pairs if path == SIGNED_IN else max(pairs // 4, 2),
                control=lambda path=path: control.block(path),
            )
        outcome.put("ratio", found[SIGNED_IN].ratio, _told(found[SIGNED_IN]))
        counts = [pages.queries(ANONYMOUS) for pages in (widget, plain)]
        outcome.put("queries", counts[0] - counts[1], f"{counts[0]} instead of {counts[1]}")
        counts = [pages.queries(SIGNED_IN) for pages in (widget, plain)]
        outcome.lines += [
            f"anonymous ({ANONYMOUS}): {found[ANONYMOUS].ratio:.3f} times; "
            + _told(found[ANONYMOUS]),
            f"signed in ({SIGNED_IN}): {counts[0] - counts[1]} queries more than {counts[1]}",
        ]
    finally:
        for side in sides:
            side.close()
    return outcome


def _told(found: Compared) -> str:
    return f"{found.a * 1000:.2f} ms instead of {found.b * 1000:.2f}; {found.remark()}"

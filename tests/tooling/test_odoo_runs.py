"""The ways in which tests get an Odoo."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from _tooling.odoo_process import OdooFailed
from odoo.tests import HttpCase, TransactionCase, tagged

from tests.support.odoo_server import OdooServer


@tagged("post_install", "-at_install")
class TestRegistry(TransactionCase):
    def test_the_addon_is_installed(self) -> None:
        module = self.env["ir.module.module"].search([("name", "=", "usercom_connector")])
        self.assertEqual(module.state, "installed")


@tagged("post_install", "-at_install")
class TestHttp(HttpCase):
    def test_a_page_is_served(self) -> None:
        self.assertEqual(self.url_open("/web/login").status_code, 200)

    def test_a_browser_shows_it(self) -> None:
        ready = "document.querySelector('input[name=password]') !== null"
        self.browser_js("/web/login", "console.log('test successful')", ready)


def test_a_server_of_its_own(odoo_server: Callable[..., OdooServer]) -> None:
    server = odoo_server()
    partner = server.call("res.partner", "create", [{"name": "Ada"}])
    server.kill()
    assert server.query("SELECT name FROM res_partner WHERE id = %s", partner[0]) == [("Ada",)]
    server.restart()
    assert server.call("res.partner", "read", partner, ["name"])[0]["name"] == "Ada"


@pytest.mark.expected_log("ERROR odoo.*")
def test_what_a_server_logs_is_judged(odoo_server: Callable[..., OdooServer]) -> None:
    server = odoo_server()
    with pytest.raises(OdooFailed):
        server.call("res.partner", "no_such_method", [])

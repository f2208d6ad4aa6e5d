"""What the browser tests share: a User.com to talk to, and a visible reason where they skip."""

import os
import unittest
from contextlib import ExitStack
from unittest.mock import patch

import requests
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tests.common import HttpCase, _find_executable, get_db_name, tagged

from simulator.testing import running_simulator

#: What the web client loads in a test.
BUNDLES = (
    "web.assets_web",
    "web.assets_web_print",
    "web.assets_tests",
    "web.__assets_tests_call__",
)
KEY = "k" * 64

_with_bundles = set()
_real_send = requests.Session.send


@tagged("post_install", "-at_install")
class BrowserCase(HttpCase):
    """Screens in a headless Chromium; the server's calls go to a simulator of User.com."""

    bundles = BUNDLES

    @classmethod
    def setUpClass(cls):
        try:
            _find_executable()
        except unittest.SkipTest:
            raise unittest.SkipTest(
                "no Chromium: install the package chromium to run the browser tests"
            ) from None
        cls._make_bundles()
        super().setUpClass()
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        cls.sim = stack.enter_context(running_simulator(key=KEY))
        stack.enter_context(patch.dict(os.environ, {"USERCOM_BASE_URL": cls.sim.url}))

    @classmethod
    def _make_bundles(cls):
        """Make the scripts and styles once, and commit: each test would make its own otherwise."""
        database = get_db_name()
        missing = [bundle for bundle in cls.bundles if (database, bundle) not in _with_bundles]
        if missing:
            with Registry(database).cursor() as cr:
                qweb = api.Environment(cr, SUPERUSER_ID, {})["ir.qweb"]
                for bundle in missing:
                    qweb._get_asset_bundle(bundle, css=False, js=True).js()
                    qweb._get_asset_bundle(bundle, css=True, js=False).css()
            _with_bundles.update((database, bundle) for bundle in missing)

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        # Odoo's own handler cannot read a time-out that is a pair.
        if request.url.startswith(("http://127.0.0.1:", "http://localhost:")):
            return _real_send(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)

    def browser_js(self, *args, **kwargs):
        """Run JavaScript in the browser; a Chromium that does not start is a failure."""
        try:
            return super().browser_js(*args, **kwargs)
        except unittest.SkipTest as reason:
            self.fail(f"Chromium is installed, but: {reason}")

    def make_account(self, **vals):
        """An account that has been tested with success, and not been started."""
        vals = {"name": "Acme live", "subdomain": "acme", "rest_key_input": KEY} | vals
        account = self.env["usercom.account"].create(vals)
        account.write({"state": "connected", "database_uuid": account._database_uuid()})
        return account

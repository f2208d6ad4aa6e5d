"""An account whose widget is on web pages, and people whom User.com knows."""

from __future__ import annotations

from typing import Any


def make_widget(env: Any, **vals: Any) -> Any:
    """Create an account that runs, with the widget on."""
    vals = {
        "name": "Test",
        "subdomain": "acme",
        "widget_on": True,
        "widget_key": "abc123",
        "widget_consent": "given",
        **vals,
    }
    account = env["usercom.account"].create(vals)
    account.write({"state": "running", "database_uuid": account._database_uuid()})
    return account


def link(account: Any, partner: Any, **vals: Any) -> Any:
    """Tie a contact to one in User.com that has our User ID."""
    vals = {
        "account_id": account.id,
        "partner_id": partner.id,
        "kind": partner._usercom_kind(),
        "usercom_id": str(partner.id),
        "custom_id": f"id-{partner.id}",
        "custom_id_there": f"id-{partner.id}",
        "state": "linked",
        "origin": "odoo",
        **vals,
    }
    return account.env["usercom.binding"].create(vals)

"""The demo's account and its three contacts, made through the same calls as a browser's.

Every step looks first whether it was done before, so an interrupted set-up is completed by the
next start. Needs requests, so it is imported only by code that runs in the virtual environment.
"""

from __future__ import annotations

from typing import Any

from simulator.testing import ControlClient

from .odoo_process import OdooClient

ACCOUNT = "Demo shop"
# Made in Odoo, to arrive in User.com.
FROM_ODOO = (
    {"name": "Ada Lindqvist", "email": "ada.lindqvist@example.com", "city": "Uppsala"},
    {"name": "Bruno Carvalho", "email": "bruno.carvalho@example.com", "city": "Porto"},
)
# Made in User.com, to arrive in Odoo.
FROM_USERCOM = (
    {"first_name": "Celina", "last_name": "Nowak", "email": "celina.nowak@example.com"},
)


def demo_setup(odoo: OdooClient, odoo_url: str, simulator_url: str, key: str) -> None:
    """Leave a running account, joined to the simulator, and three contacts on their way."""
    simulator = ControlClient(simulator_url)
    if not any(attribute["name_std"] == "email_consent" for attribute in simulator.attributes()):
        simulator.add_attribute("email_consent", "boolean")
    # The webhook's address is made of it.
    odoo.call("ir.config_parameter", "set_param", "web.base.url", odoo_url)
    account = _account(odoo, key)
    _set_webhook(odoo, simulator, account)
    for values in FROM_ODOO:
        if not odoo.call("res.partner", "search", [("email", "=", values["email"])]):
            odoo.call("res.partner", "create", [values])
    known = {contact["email"] for contact in simulator.contacts()}
    for values in FROM_USERCOM:
        if values["email"] not in known:
            simulator.add_contact(**values)


def out_of_step(odoo: OdooClient, simulator_url: str) -> list[str]:
    """Return the e-mails of the demo's contacts that are not equal on both sides yet."""
    there = {contact["email"]: contact for contact in ControlClient(simulator_url).contacts()}
    missing = []
    for values in (*FROM_ODOO, *FROM_USERCOM):
        email = values["email"]
        domain = [("email", "=", email)]
        here = odoo.call("res.partner", "search_read", domain, ["name", "usercom_id"])
        other = there.get(email)
        if not (
            len(here) == 1
            and other
            and str(here[0]["usercom_id"]) == str(other["id"])
            and here[0]["name"] == _full_name(other)
        ):
            missing.append(email)
    return missing


def _account(odoo: OdooClient, key: str) -> int:
    found = odoo.call("usercom.account", "search", [("name", "=", ACCOUNT)])
    if not found:
        values = {"name": ACCOUNT, "subdomain": "demo", "rest_key_input": key}
        found = odoo.call("usercom.account", "create", [values])
    (account,) = found
    fields = ["state", "create_in_odoo", "create_in_usercom"]
    now = odoo.call("usercom.account", "read", [account], fields)[0]
    if now["state"] == "draft":
        odoo.call("usercom.account", "action_test_connection", [account])
    if now["state"] != "running":
        odoo.call("usercom.account", "action_start", [account])
    for side in ("odoo", "usercom"):
        if not now[f"create_in_{side}"]:
            values = {"account_id": account, "side": side}
            (dialog,) = odoo.call("usercom.creation", "create", [values])
            odoo.call("usercom.creation", "action_switch_on", [dialog])
    return int(account)


def _set_webhook(odoo: OdooClient, simulator: ControlClient, account: int) -> None:
    """Do what an administrator does in User.com's automation editor."""
    fields = ["webhook_url", "webhook_headers"]
    recipe = odoo.call("usercom.account", "read", [account], fields)[0]
    headers = dict(line.split(": ", 1) for line in recipe["webhook_headers"].splitlines())
    simulator.set_webhook(recipe["webhook_url"], headers=headers)


def _full_name(contact: dict[str, Any]) -> str:
    return " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))

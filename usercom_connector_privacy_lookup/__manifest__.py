{
    "name": "User.com Connector: Privacy Lookup",
    "summary": "Odoo's privacy lookup takes people out of the ledger of consents",
    "version": "19.0.1.0.0",
    "category": "Marketing",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector", "privacy_lookup"],
    "auto_install": True,
}

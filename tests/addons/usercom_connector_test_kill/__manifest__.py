{
    "name": "User.com Connector: test of a killed server",
    "summary": "Kills its own process at a named point; loaded by the tests alone",
    "version": "19.0.1.0.0",
    "category": "Hidden",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector"],
    # Never installed: `odoo --load` imports it, and with it come the points.
    "installable": True,
}

{
    "name": "User.com Connector: example of the hooks",
    "summary": "Shows every hook in a few lines; installed by the tests alone",
    "version": "19.0.1.0.0",
    "category": "Hidden",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector"],
    "installable": True,
}

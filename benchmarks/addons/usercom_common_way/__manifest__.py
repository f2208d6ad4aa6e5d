{
    "name": "User.com, the common way",
    "summary": "What most connectors do, to be measured against; installed by bin/bench alone",
    "version": "19.0.1.0.0",
    "category": "Hidden",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["contacts", "phone_validation"],
    "installable": True,
}

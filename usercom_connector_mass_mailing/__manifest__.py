{
    "name": "User.com Connector: Email Marketing",
    "summary": "Unsubscribing from mailings and mailing lists withdraws consents, and vice versa",
    "version": "19.0.1.0.0",
    "category": "Marketing",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector", "mass_mailing"],
    "data": ["views/mailing_list_views.xml"],
    "auto_install": True,
}

{
    "name": "User.com Connector: Website",
    "summary": "User.com's widget per website, after the cookies bar; consents in website forms",
    "version": "19.0.1.0.0",
    "category": "Marketing",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector", "website"],
    "data": [
        "views/usercom_account_views.xml",
        "views/res_config_settings_views.xml",
        "views/usercom_consent_templates.xml",
    ],
    "auto_install": True,
}

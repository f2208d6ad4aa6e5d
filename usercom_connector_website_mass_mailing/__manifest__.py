{
    "name": "User.com Connector: Newsletter Block",
    "summary": "Who subscribes by the newsletter block agrees to what stands there",
    "version": "19.0.1.0.0",
    "category": "Marketing",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["usercom_connector_website", "website_mass_mailing"],
    "data": ["views/res_config_settings_views.xml"],
    "assets": {
        "web.assets_frontend": ["usercom_connector_website_mass_mailing/static/src/*.js"],
    },
    "auto_install": True,
}

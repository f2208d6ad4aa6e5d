{
    "name": "User.com Connector",
    "summary": "Keeps contacts and marketing consents in step with User.com, both ways",
    "version": "19.0.1.0.0",
    "category": "Marketing",
    "license": "LGPL-3",
    "author": "usercom_connector maintainers",
    "depends": ["contacts", "phone_validation", "portal"],
    "external_dependencies": {"python": ["phonenumbers", "requests"]},
    "data": [],
    "application": True,
    "installable": True,
}

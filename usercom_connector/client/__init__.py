"""Talks to User.com: requests in, typed results and errors out.

Knows nothing of Odoo. Each fact about the API names the section of `usercom-api.md` it rests on.
"""

from .address import base_url, overridden, subdomain_of
from .api import MASS_STANDARD, ContactPage, Limiter, Page, Upsert, UserCom
from .contact import COMPANY_FIELDS, CONTACT_FIELDS, Attribute, Company, Contact
from .errors import (
    NON_FIELD,
    AccountRefused,
    AgainLater,
    Gone,
    Kind,
    NotSent,
    RecordRefused,
    Throttled,
    UserComError,
)
from .probe import CODES, ProbeResult

__all__ = [
    "CODES",
    "COMPANY_FIELDS",
    "CONTACT_FIELDS",
    "MASS_STANDARD",
    "NON_FIELD",
    "AccountRefused",
    "AgainLater",
    "Attribute",
    "Company",
    "Contact",
    "ContactPage",
    "Gone",
    "Kind",
    "Limiter",
    "NotSent",
    "Page",
    "ProbeResult",
    "RecordRefused",
    "Throttled",
    "Upsert",
    "UserCom",
    "UserComError",
    "base_url",
    "overridden",
    "subdomain_of",
]

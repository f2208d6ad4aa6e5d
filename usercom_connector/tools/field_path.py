"""Which Odoo fields a mapping may lead to: a path of field names from the contact, checked.

No contact is read here: a path is judged by what the models say of their fields, and by who may
read the records it leads to.
"""

import re
from dataclasses import dataclass

#: What a contact is about for Odoo itself: written by a mapping, the contact would be another one.
STRUCTURE = frozenset(
    {
        *("id", "active", "company_id", "parent_id", "is_company", "company_type", "type"),
        *("commercial_partner_id", "partner_share"),
    }
)

#: Of a user these go out, and nothing else: they stand on every business card.
OF_A_USER = frozenset({"name", "display_name", "email", "phone", "function"})

#: A field that only these may see is for every employee who works with contacts.
ORDINARY_GROUPS = frozenset({"base.group_user", "base.group_partner_manager"})

#: The relations that User.com's values can be written through: by name or by code.
WRITABLE_RELATIONS = frozenset({"res.country", "res.country.state", "res.partner.category"})

_RIGHTS = re.compile(r"res\.(groups|users|company)\b")
_ACCOUNTING = re.compile(r"account|payment(_|$)")
_ACCOUNTING_NAME = re.compile(r"property_account|property_payment|(credit|debit)(_|$)")
_ACCOUNTING_MODEL = re.compile(r"(account|payment)\.")
_BANK = re.compile(r"res\.(partner\.)?bank\b")
_TECHNICAL_MODEL = re.compile(r"ir\.")
_SECRET = re.compile(
    r"passw|secret|token|totp|credential|signup|(^|_)(api|private)_?key|(^|_)(pin|otp)(_|$)"
)
_CONSENT = re.compile(r"blacklist|consent|opt_?(out|in)(_|$)")


class FieldPathError(Exception):
    """This path cannot be mapped. ``code`` and ``facts`` are for ``usercom.sentence``."""

    def __init__(self, code, **facts):
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True)
class FieldPath:
    """A path that may be mapped: its fields, from the contact's own to the one whose value goes."""

    fields: tuple

    @property
    def last(self):
        """The field whose value travels."""
        return self.fields[-1]

    def label(self, env):
        """The path in the reader's words."""
        return " / ".join(field._description_string(env) for field in self.fields)


def resolve(env, path):
    """Find the fields of a path from ``res.partner`` and check that they may be mapped at all.

    :raises FieldPathError: when there is no such field, or it is one that never travels.
    """
    model, found = "res.partner", []
    names = (path or "").split(".")
    for position, name in enumerate(names):
        field = env[model]._fields.get(name) if model else None
        if field is None:
            raise FieldPathError("map_unknown_field", path=path)
        _check(field, is_last=position == len(names) - 1, path=path)
        if field.relational and not _is_for_employees(env, field.comodel_name):
            raise FieldPathError("map_restricted", path=path)
        found.append(field)
        model = field.comodel_name if field.relational else None
    of_users = [field.comodel_name == "res.users" for field in found]
    # Through a user, only one step further.
    if any(of_users) and (of_users.index(True) != len(found) - 2 or names[-1] not in OF_A_USER):
        raise FieldPathError("map_rights", path=path)
    return FieldPath(tuple(found))


def _is_for_employees(env, model):
    """Whether every employee who works with contacts may read the records of a model."""
    # sudo: a manager of this connector need not be allowed to see the access rights.
    env = env(su=True)
    groups = [env.ref(name).all_implied_ids.ids for name in ORDINARY_GROUPS]
    domain = [
        ("model_id.model", "=", model),
        ("perm_read", "=", True),
        ("group_id", "in", [False, *groups[0], *groups[1]]),
    ]
    return bool(env["ir.model.access"].search_count(domain, limit=1))


def _check(field, is_last, path):
    """Refuse a field that never travels, or that no path can lead through."""
    name, comodel = field.name, field.comodel_name or ""
    if field.type in ("binary", "image") or _SECRET.search(name) or _TECHNICAL_MODEL.match(comodel):
        raise FieldPathError("map_technical", path=path)
    if _RIGHTS.match(comodel) and comodel != "res.users":
        raise FieldPathError("map_rights", path=path)
    if name == "bank_ids" or _BANK.match(comodel):
        raise FieldPathError("map_bank", path=path)
    if (
        _ACCOUNTING.match((field._modules or ("",))[0])
        or _ACCOUNTING_NAME.match(name)
        or _ACCOUNTING_MODEL.match(comodel)
    ):
        raise FieldPathError("map_accounting", path=path)
    if name.startswith("usercom_") or comodel.startswith("usercom."):
        raise FieldPathError("map_own", path=path)
    if _CONSENT.search(name) or comodel.endswith(".blacklist"):
        raise FieldPathError("map_consent", path=path)
    if field.groups and not ORDINARY_GROUPS & {g.strip() for g in field.groups.split(",")}:
        raise FieldPathError("map_restricted", path=path)
    if is_last and field.model_name == "res.partner" and name in STRUCTURE:
        raise FieldPathError("map_structure", path=path)
    if not is_last and field.type in ("one2many", "many2many"):
        raise FieldPathError("map_many", path=path)


def check_writable(found, path):
    """Check that a value from User.com can be written there.

    :param found: the :class:`FieldPath` of the path.
    :raises FieldPathError: when it cannot.
    """
    if len(found.fields) > 1:
        raise FieldPathError("map_into_path", path=path)
    field = found.last
    if field.relational and field.comodel_name not in WRITABLE_RELATIONS:
        raise FieldPathError("map_into_relation", path=path)
    if field.readonly or not field.store:
        raise FieldPathError("map_into_computed", path=path)

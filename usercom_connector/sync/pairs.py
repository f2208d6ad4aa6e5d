"""Which type of Odoo field can meet which type of attribute, and by which converter.

The rule behind the table (it stands in docs/mapping.md): what one side holds must survive the way
to the other side and back; what does not goes out only, and what would lose or invent something
on the way out is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Types of attributes: User.com's own (usercom-api.md, 1.7), then those of ``sync.attributes``.
VALUE_TYPES = (
    *("boolean", "date", "datetime", "fixed", "float", "integer", "json", "string"),
    *("name", "email", "phone", "phones", "country", "region", "gender", "list"),
)

ODOO_TYPES = (
    *("char", "text", "html", "boolean", "integer", "float", "monetary", "date", "datetime"),
    *("selection", "many2one", "many2many", "one2many", "binary", "json", "properties"),
    *("properties_definition", "reference", "many2one_reference"),
)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a pair: its converter, or ``None`` where it is refused.

    ``into`` says whether values may come into Odoo. ``reason`` is a code that says why they may
    not, or why the pair is refused; it is empty where values travel both ways.
    """

    converter: str | None
    into: bool
    reason: str = ""


_NUMBERS = {"float": "float", "string": "float"}
_LISTS = {"fixed": "list", "list": "list", "json": "list", "string": "joined"}
_CONVERTERS: dict[str, dict[str, str]] = {
    "char": {
        **{"string": "text", "country": "text", "region": "text", "name": "name"},
        **{"email": "email", "phone": "phone", "phones": "phone"},
        **{"fixed": "choice", "gender": "choice"},
    },
    "text": {"string": "lines"},
    "html": {"string": "html_text"},
    "boolean": {"boolean": "boolean", "string": "yes_no", "fixed": "yes_no"},
    "integer": {"integer": "integer", "float": "integer", "string": "integer"},
    "float": _NUMBERS,
    "monetary": _NUMBERS,
    "date": {"date": "date", "datetime": "date_in_timezone", "string": "date"},
    "datetime": {"datetime": "datetime", "date": "date_in_timezone", "string": "datetime"},
    "selection": {"fixed": "choice", "gender": "choice", "string": "choice"},
    "many2many": _LISTS,
    "one2many": _LISTS,
}
_RELATIONS = {
    "res.country": {"country": "country", "string": "country"},
    "res.country.state": {"region": "state", "string": "state"},
}
#: Converters whose result does not lead back to the value.
_ONE_WAY = frozenset({"html_text", "joined"})


def judge(
    odoo_type: str, value_type: str, *, multiple: bool = False, comodel: str | None = None
) -> Verdict:
    """Whether an Odoo field and an attribute can be mapped, and by which converter.

    :param odoo_type: ``type`` of the field at the end of the path.
    :param value_type: of the attribute, one of :data:`VALUE_TYPES`.
    :param multiple: whether the attribute takes several of its choices.
    :param comodel: what a many2one leads to.
    """
    converters = _CONVERTERS.get(odoo_type, {})
    if odoo_type == "many2one":
        converters = _RELATIONS.get(comodel or "", {})
    converter = converters.get(value_type)
    if converter == "list" and value_type == "fixed" and not multiple:
        converter = None
    if converter is None:
        return Verdict(None, False, _refusal(odoo_type, value_type))
    if converter in _ONE_WAY or (odoo_type, value_type) == ("datetime", "date"):
        return Verdict(converter, False, "pair_one_way")
    if odoo_type == "one2many":
        return Verdict(converter, False, "pair_owned")
    return Verdict(converter, True)


def _refusal(odoo_type: str, value_type: str) -> str:
    if odoo_type == "many2one":
        return "pair_needs_path"
    if odoo_type not in _CONVERTERS or value_type not in VALUE_TYPES:
        return "pair_no_value"
    if value_type == "json":
        return "pair_json"
    if odoo_type in ("many2many", "one2many"):
        return "pair_one_of_many"
    if value_type in ("list", "phones"):
        return "pair_many_of_one"
    if odoo_type in ("float", "monetary") and value_type == "integer":
        return "pair_lossy"
    if odoo_type in ("char", "text", "html"):
        return "pair_any_text"
    return "pair_no_match"

"""Which Odoo field can meet which attribute, and the table of it in the docs."""

from pathlib import Path

import pytest
from odoo.addons.usercom_connector.sync import mapping
from odoo.addons.usercom_connector.sync.attributes import GENDERS, STANDARD
from odoo.addons.usercom_connector.sync.converters import CONVERTERS
from odoo.addons.usercom_connector.sync.pairs import ODOO_TYPES, VALUE_TYPES, judge

DOCS = Path(__file__).parents[2] / "docs" / "mapping.md"
RELATIONS = {"many2one": (None, "res.country", "res.country.state")}


def pairs():
    """Each pair that there is: Odoo's type, what it leads to, the attribute's type, several."""
    return [
        (odoo_type, comodel, value_type, multiple)
        for odoo_type in ODOO_TYPES
        for comodel in RELATIONS.get(odoo_type, (None,))
        for value_type in VALUE_TYPES
        for multiple in ((False, True) if value_type == "fixed" else (False,))
    ]


def docs_table():
    """The table of docs/mapping.md: a row for an Odoo type, a column for an attribute's."""
    columns = [(value_type, False) for value_type in VALUE_TYPES]
    columns.insert(columns.index(("fixed", False)) + 1, ("fixed", True))
    heads = [f"{value_type}, several" if several else value_type for value_type, several in columns]
    lines = [["Odoo", *heads], ["---"] * (len(heads) + 1)]
    for odoo_type in ODOO_TYPES:
        for comodel in RELATIONS.get(odoo_type, (None,)):
            cells = [f"{odoo_type}, {comodel}" if comodel else odoo_type]
            for value_type, several in columns:
                verdict = judge(odoo_type, value_type, multiple=several, comodel=comodel)
                arrow = "" if verdict.into or not verdict.converter else " →"
                cells.append(f"`{verdict.converter}`{arrow}" if verdict.converter else "-")
            lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def test_the_docs_show_the_table_as_it_is():
    assert docs_table() in DOCS.read_text(), f"Put this into {DOCS}:\n{docs_table()}"


def test_the_docs_say_each_converter_and_each_reason():
    text = DOCS.read_text()
    verdicts = [judge(o, v, multiple=m, comodel=c) for o, c, v, m in pairs()]
    for word in {verdict.reason for verdict in verdicts if verdict.reason} | CONVERTERS.keys():
        assert f"| `{word}` |" in text, word


@pytest.mark.parametrize(("odoo_type", "comodel", "value_type", "multiple"), pairs())
def test_a_pair_has_a_converter_or_a_reason(odoo_type, comodel, value_type, multiple):
    verdict = judge(odoo_type, value_type, multiple=multiple, comodel=comodel)
    assert verdict.converter is None or verdict.converter in CONVERTERS
    assert bool(verdict.reason) == (not verdict.into)
    assert not (verdict.into and verdict.converter is None)


@pytest.mark.parametrize(
    ("odoo_type", "value_type", "converter", "into", "reason"),
    [
        ("char", "string", "text", True, ""),
        ("char", "boolean", None, False, "pair_any_text"),
        ("char", "integer", None, False, "pair_any_text"),
        ("char", "list", None, False, "pair_many_of_one"),
        ("text", "email", None, False, "pair_any_text"),
        ("html", "string", "html_text", False, "pair_one_way"),
        ("boolean", "string", "yes_no", True, ""),
        ("boolean", "integer", None, False, "pair_no_match"),
        ("integer", "float", "integer", True, ""),
        ("float", "integer", None, False, "pair_lossy"),
        ("monetary", "integer", None, False, "pair_lossy"),
        ("date", "datetime", "date_in_timezone", True, ""),
        ("datetime", "date", "date_in_timezone", False, "pair_one_way"),
        ("selection", "fixed", "choice", True, ""),
        ("selection", "boolean", None, False, "pair_no_match"),
        ("many2one", "string", None, False, "pair_needs_path"),
        ("many2many", "string", "joined", False, "pair_one_way"),
        ("many2many", "fixed", None, False, "pair_one_of_many"),
        ("many2many", "list", "list", True, ""),
        ("one2many", "list", "list", False, "pair_owned"),
        ("binary", "string", None, False, "pair_no_value"),
        ("json", "json", None, False, "pair_no_value"),
        ("char", "json", None, False, "pair_json"),
        ("a type of tomorrow", "string", None, False, "pair_no_value"),
        ("char", "a type of tomorrow", None, False, "pair_no_value"),
    ],
)
def test_judge(odoo_type, value_type, converter, into, reason):
    verdict = judge(odoo_type, value_type)
    assert (verdict.converter, verdict.into, verdict.reason) == (converter, into, reason)


def test_several_choices_take_a_list():
    assert judge("many2many", "fixed", multiple=True).converter == "list"


def test_places_need_no_path():
    assert judge("many2one", "country", comodel="res.country").converter == "country"
    assert judge("many2one", "region", comodel="res.country.state").converter == "state"
    assert judge("many2one", "region", comodel="res.country").reason == "pair_needs_path"


@pytest.mark.parametrize("kind", [mapping.CONTACT, mapping.COMPANY])
def test_standard_attributes_are_of_known_types_and_can_be_mapped(kind):
    names = [attribute.name for attribute in STANDARD[kind]]
    assert len(names) == len(set(names))
    for attribute in STANDARD[kind]:
        assert attribute.value_type in VALUE_TYPES
        assert any(
            judge(odoo_type, attribute.value_type, multiple=attribute.multiple).converter
            for odoo_type in ODOO_TYPES
        )


@pytest.mark.parametrize("kind", [mapping.CONTACT, mapping.COMPANY])
@pytest.mark.parametrize(
    "name",
    [
        *("unsubscribed", "notifications", "custom_id", "user_id", "company_custom_id", "status"),
        *("company_id", "id", "user_key", "lists", "assigned_to"),
    ],
)
def test_consents_and_identities_cannot_be_mapped(kind, name):
    assert name not in {attribute.name for attribute in STANDARD[kind]}


def test_the_ready_mapping_is_about_standard_attributes():
    standard = {attribute.name: attribute for attribute in STANDARD[mapping.CONTACT]}
    for rule in mapping.FIXED_MAPPING:
        attribute = standard[rule.attribute]
        comodel = "res.country" if rule.odoo_type == "many2one" else None
        verdict = judge(rule.odoo_type, attribute.value_type, comodel=comodel)
        assert verdict.converter == rule.converter
        assert rule.limit in (None, attribute.limit)


def test_genders_have_words_and_numbers():
    assert GENDERS == {"unknown": 1, "male": 2, "female": 3}

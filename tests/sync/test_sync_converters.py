"""Values between Odoo, the canonical form and User.com."""

import json
from datetime import date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import converters, mapping, values
from odoo.addons.usercom_connector.sync.converters import CannotTravel, Context
from odoo.addons.usercom_connector.sync.mapping import CUT, KEEP, PARK, FieldRule
from odoo.addons.usercom_connector.sync.pairs import judge

from simulator.state import Attribute
from simulator.switches import Switches
from simulator.validation import Validator

from .test_sync_pairs import pairs

COUNTRIES = {"PL": "Poland", "US": "United States", "ES": "Spain"}
STATES = {"PL-14": "Mazowieckie", "US-CA": "California", "US-NY": "New York"}


def _phone(number, country):
    digits = "".join(char for char in number if char.isdigit())
    if number.startswith("+"):
        return f"+{digits}" if digits else None
    code = {"PL": "48", "US": "1"}.get(country)
    return f"+{code}{digits}" if code and len(digits) == 9 else None


CONTEXT = Context(
    email=lambda text: text.lower() if text.count("@") == 1 and " " not in text else None,
    phone=_phone,
    country_codes={name.casefold(): code for code, name in COUNTRIES.items()}
    | {code.casefold(): code for code in COUNTRIES},
    country_names=COUNTRIES,
    states={(key[:2], word.casefold()): key for key in STATES for word in (key[3:], STATES[key])},
    state_names=STATES,
    country="PL",
    timezone="Europe/Warsaw",
)
CHOICES = (("a", "Choice A"), ("b", "Choice B"), ("bb", "Choice B"), ("aa", "Choice AA"))

# Dates far enough from the first and the last day for every time zone.
days = st.dates(date(1, 1, 3), date(9999, 12, 29))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))
texts = st.text(st.characters(exclude_categories=()))
numbers = st.floats(allow_nan=False, allow_infinity=False)
wholes = st.integers(-(2**31) + 1, 2**31 - 1)
places = st.sampled_from([False, "PL", "US"])

#: What Odoo may hold in a field of a type, by the converter where that says more.
RAW = {
    "char": st.just(False) | texts,
    "text": st.just(False) | texts,
    "html": st.just(False) | texts.map("<p>{}</p>".format),
    "boolean": st.booleans(),
    "integer": wholes,
    "float": numbers,
    "monetary": numbers,
    "date": st.just(False) | days,
    "datetime": st.just(False) | moments,
    "selection": st.sampled_from([False, "a", "b", "bb", "aa"]),
    "many2many": st.lists(texts),
    "one2many": st.lists(texts),
    "email": st.sampled_from([False, "", "jan@example.com", "JAN@Example.com"]),
    "phone": st.sampled_from([False, "", "600100200", "+48 600 100 200"]),
    "choice": st.sampled_from([False, "a", "b", "bb", "aa"]),
    "list": st.lists(st.sampled_from(["a", "b", "bb", "aa"])),
    "country": places,
    "state": st.sampled_from([False, "PL-14"]),
    "name": st.just(False) | st.text().filter(lambda text: "@" not in text),
}
MAPPABLE = [
    (odoo_type, comodel, value_type, several)
    for odoo_type, comodel, value_type, several in pairs()
    if judge(odoo_type, value_type, multiple=several, comodel=comodel).converter
]


def rule_of(odoo_type, comodel, value_type, multiple, **fixed):
    verdict = judge(odoo_type, value_type, multiple=multiple, comodel=comodel)
    has_table = verdict.converter in ("choice", "list") and value_type != "gender"
    facts = {
        "choices": CHOICES if has_table else (),
        "converter": verdict.converter,
        "into": verdict.into,
    }
    if value_type == "gender":
        facts["choices"] = (("a", "male"), ("b", "female"), ("bb", "female"), ("aa", "unknown"))
    return FieldRule(
        "f",
        "f",
        odoo_type=odoo_type,
        value_type=value_type,
        multiple=multiple,
        **facts | fixed,
    )


def raw_values(rule):
    return RAW[rule.converter if rule.converter in RAW else rule.odoo_type]


def wire_of(rule, value):
    """What a read shows after a canonical value was written."""
    body = converters.payload([rule], {"f": value}, CONTEXT)
    if rule.converter == "name":
        assert body.keys() == {"first_name", "last_name"}
        return " ".join(filter(None, body.values()))
    assert body.keys() == {"f"}
    if rule.value_type == "gender":
        return {1: "unknown", 2: "male", 3: "female"}[body["f"]]
    return json.loads(json.dumps(body["f"], allow_nan=False))


def canonical(rule, raw, context=CONTEXT):
    return converters.canonical(rule, raw, context)


def read(rule, value, context=CONTEXT):
    return converters.from_wire(rule, value, context)


def code_of(function, *args):
    with pytest.raises(CannotTravel) as caught:
        function(*args)
    assert json.dumps(caught.value.args_)
    return caught.value.code


# Every pair


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_what_was_written_reads_back_as_the_value(pair, data):
    rule = rule_of(*pair)
    value = canonical(rule, data.draw(raw_values(rule)))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    if rule.into:
        assert read(rule, wire_of(rule, value)) == value


@pytest.mark.parametrize("pair", [p for p in MAPPABLE if rule_of(*p).into], ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_what_came_into_odoo_is_the_value(pair, data):
    rule = rule_of(*pair)
    value = canonical(rule, data.draw(raw_values(rule)))
    assert canonical(rule, converters.to_odoo(rule, value, CONTEXT)) == value


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_the_simulator_takes_what_is_written(pair, data):
    rule = rule_of(*pair)
    assert_accepted(rule, canonical(rule, data.draw(raw_values(rule))))


def assert_accepted(rule, value):
    custom = ("boolean", "date", "datetime", "fixed", "float", "integer", "json", "string")
    if rule.value_type not in custom:
        return
    attribute = Attribute(
        1,
        "f",
        "f",
        rule.value_type,
        "clientuser",
        choices=[*dict.fromkeys(word for _key, word in rule.choices), "yes", "no"],
        allow_multiple_choices=rule.multiple,
    )
    wire = converters.payload([rule], {"f": value}, CONTEXT)["f"]
    if len(str(wire)) <= 255:
        Validator(SimpleNamespace(), Switches()).custom(attribute, wire)


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@pytest.mark.parametrize("blank", [None, "", [], "  "], ids=repr)
def test_nothing_there_is_nothing(pair, blank):
    rule = rule_of(*pair)
    assert read(rule, blank) is None
    assert converters.to_odoo(rule, None, CONTEXT) in (False, 0, [])


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@pytest.mark.parametrize("blank", [False, "", 0, []], ids=repr)
def test_nothing_here_is_nothing(pair, blank):
    """As Odoo says it, by type; a box and a number have a value, which nobody need have entered."""
    rule = rule_of(*pair)
    values_of = {"boolean": (False,), "integer": (0, False), "float": (0, False)}
    values_of["monetary"] = values_of["float"]
    own = values_of.get(rule.odoo_type, (False, [], "") if "2many" in rule.odoo_type else (False,))
    if rule.odoo_type in ("char", "text", "html", "selection"):
        own = (False, "")
    if not any(blank is value or blank == value != 0 for value in own):
        return
    value = canonical(rule, blank)
    assert converters.is_blank(rule, value)
    assert (value is None) == (rule.odoo_type not in values_of)
    assert read(rule, wire_of(rule, value)) in (value, None)
    assert_accepted(rule, value)


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
def test_one_value_in_a_list_is_that_value(pair):
    """usercom-api.md, 1.7: a choice may be shown as "v" or as ["v"]."""
    rule = rule_of(*pair)
    raw = {
        **{"boolean": True, "integer": 7, "float": 2.5, "monetary": 2.5},
        **{"date": date(2024, 2, 29), "datetime": datetime(2024, 2, 29, 23, 30)},
        **{"selection": "a", "many2one": (pair[1] == "res.country" and "PL") or "PL-14"},
        **{"many2many": ["a"], "one2many": ["a"], "html": "<b>a</b>"},
    }.get(rule.odoo_type, "a")
    raw = {"email": "a@b.pl", "phone": "600100200"}.get(rule.converter, raw)
    value = canonical(rule, raw)
    assert value is not None
    wire = wire_of(rule, value)
    single = wire[0] if isinstance(wire, list) else wire
    assert read(rule, single) == read(rule, [single]) == read(rule, wire)
    if rule.converter == "list":
        return
    assert code_of(read, rule, [single, single]) == "several_values_there"


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@pytest.mark.parametrize("too_long", [CUT, PARK])
def test_the_longest_value(pair, too_long):
    rule = rule_of(*pair, limit=40, too_long=too_long, choices=())
    long = {
        **{"many2many": ["x" * 100], "one2many": ["x" * 100], "selection": "x" * 100},
        **{"integer": 2**31 - 1, "float": -1.7976931348623157e308, "boolean": True},
        **{"monetary": 5e-324, "date": date(9999, 12, 31), "many2one": "PL-14"},
        **{"datetime": datetime(9999, 12, 31, 23, 59, 59)},
    }.get(rule.odoo_type, "x" * 100)
    if pair[1] == "res.country":
        long = "PL"
    long = {"email": "x" * 100 + "@example.com", "phone": "+" + "1" * 100}.get(rule.converter, long)
    is_text = rule.odoo_type in ("char", "text", "html", "selection", "many2many", "one2many")
    may_cut = rule.converter in ("text", "lines", "html_text", "joined", "name")
    if is_text and not (may_cut and too_long == CUT):
        code = "name_too_long" if rule.converter == "name" else "too_long"
        assert code_of(canonical, rule, long) == code
        return
    value = canonical(rule, long)
    wire = wire_of(rule, value)
    if is_text:
        assert value == "x" * 100
        assert wire == "x" * 39 + "…"
        assert values.alike(value, wire)
    else:
        assert_accepted(rule, value)
        assert not rule.into or read(rule, wire) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | texts
    | st.sampled_from(["True", "1", "2024-02-29", "2024-02-29T23:30:00Z", 10**400, "9" * 5000])
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1e999", "-"])
    | st.sampled_from(["Choice A", "male", "unknown", "Poland", "California", "a@b.pl", {"id": 1}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)


@pytest.mark.parametrize("pair", MAPPABLE, ids=str)
@settings(max_examples=40)
@given(value=JSON, unknown=st.sampled_from(["skip", "keep"]))
def test_whatever_is_read_is_a_value_or_cannot_travel(pair, value, unknown):
    rule = rule_of(*pair, unknown=unknown)
    try:
        found = read(rule, value)
    except CannotTravel as error:
        json.dumps(error.args_, ensure_ascii=False).encode()
        assert "\x00" not in str(error.args_)
        return
    stored = json.dumps(found, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in stored
    stored.encode()
    if rule.into:
        converters.to_odoo(rule, found, CONTEXT)
        if unknown == "skip":
            assert read(rule, wire_of(rule, found)) == found


# One by one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("True", True),
        ("1", True),
        (1, True),
        ("false", False),
        (0, False),
        (["0"], False),
    ],
)
def test_boolean(value, expected):
    assert read(FieldRule("f", "f", "boolean", "boolean", "boolean"), value) is expected


@pytest.mark.parametrize("value", ["maybe", 2, {}, [[True]], "TAK"])
def test_no_boolean(value):
    assert code_of(read, FieldRule("f", "f", "boolean", "boolean", "boolean"), value) == (
        "wrong_type_there"
    )


def test_yes_and_no_have_words():
    rule = rule_of("boolean", None, "fixed", False, choices=(("yes", "Tak"), ("no", "Nie")))
    assert wire_of(rule, True) == "Tak"
    assert wire_of(rule, False) == "Nie"
    assert read(rule, " tak ") is True
    assert read(rule, "Nie") is False
    assert wire_of(rule_of("boolean", None, "string", False), False) == "no"


@pytest.mark.parametrize(
    ("value", "expected"), [(3, 3), (3.0, 3), ("3", 3), (" -3.0 ", -3), ("+1e3", 1000), (-0.0, 0)]
)
def test_integer(value, expected):
    rule = rule_of("integer", None, "integer", False)
    assert read(rule, value) == expected
    assert isinstance(read(rule, value), int)


@pytest.mark.parametrize(
    "value", [2.5, "2.5", True, 2**31, 10**400, float("nan"), "1_000", "٣", "1,5", {}, "e"]
)
def test_no_integer(value):
    assert code_of(read, rule_of("integer", None, "float", False), value) == "wrong_type_there"


@pytest.mark.parametrize(("value", "expected"), [(12, "12"), (-2.5, "-2.5"), (0, "0")])
def test_a_number_shown_for_a_text_is_its_digits(value, expected):
    assert read(mapping.CITY, value) == expected


def test_no_text():
    for value in (float("nan"), float("inf"), 10**5000, True, False, {}, [[1]]):
        assert code_of(read, mapping.CITY, value) == "wrong_type_there"


def test_an_attribute_that_takes_several_is_written_as_a_list():
    several = rule_of("selection", None, "fixed", True)
    assert wire_of(several, "Choice A") == ["Choice A"]
    assert wire_of(rule_of("char", None, "phones", False), "+48600100200") == ["+48600100200"]
    assert wire_of(rule_of("boolean", None, "fixed", True), True) == ["yes"]


def test_numbers_as_text():
    rule = rule_of("float", None, "string", False)
    assert wire_of(rule, 12.0) == "12"
    assert wire_of(rule, 0.1) == "0.1"
    assert wire_of(rule, 0.0) == "0"
    assert wire_of(rule_of("integer", None, "string", False), -5) == "-5"
    assert code_of(canonical, rule, float("inf")) == "not_a_number"


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Warsaw", datetime(2024, 2, 29, 23, 30), "2024-03-01"),
        ("America/New_York", datetime(2024, 3, 1, 3, 0), "2024-02-29"),
        ("UTC", datetime(2024, 2, 29, 23, 30), "2024-02-29"),
        ("No/Where", datetime(2024, 2, 29, 23, 30), "2024-02-29"),
        ("Europe", datetime(2024, 2, 29, 23, 30), "2024-02-29"),  # a folder of zones
    ],
)
def test_the_date_of_a_moment_is_the_one_in_the_time_zone(zone, moment, day):
    context = converters.replace(CONTEXT, timezone=zone)
    rule = rule_of("datetime", None, "date", False)
    assert canonical(rule, moment, context) == day
    back = rule_of("date", None, "datetime", False)
    assert read(back, moment.isoformat() + "Z", context) == day


@given(day=days, zone=st.sampled_from(["America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "UTC"]))
def test_a_date_stays_where_midnight_does_not_exist(day, zone):
    context = converters.replace(CONTEXT, timezone=zone)
    rule = rule_of("date", None, "datetime", False)
    wire = converters.payload([rule], {"f": day.isoformat()}, context)["f"]
    assert wire.endswith("+00:00")
    if (zone, day) != ("Pacific/Apia", date(2011, 12, 30)):  # a day that Samoa left out
        assert read(rule, wire, context) == day.isoformat()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2016-08-03T12:00:00+00:00", "2016-08-03T12:00:00+00:00"),
        ("2016-08-03T12:00:00Z", "2016-08-03T12:00:00+00:00"),
        ("2016-08-03T14:00:00.123456789+02:00", "2016-08-03T12:00:00+00:00"),
        ("2016-08-03 12:00:00", "2016-08-03T12:00:00+00:00"),
        ("2016-08-03", "2016-08-03T00:00:00+00:00"),
    ],
)
def test_datetime(value, expected):
    rule = rule_of("datetime", None, "datetime", False)
    assert read(rule, value) == expected
    moment = converters.to_odoo(rule, expected, CONTEXT)
    assert moment.tzinfo is None
    assert canonical(rule, moment) == expected


def test_date_of_an_attribute_is_the_one_it_shows():
    rule = rule_of("date", None, "date", False)
    assert read(rule, "2016-08-03T23:30:00-05:00") == "2016-08-03"
    assert code_of(read, rule, "03.08.2016") == "wrong_type_there"
    assert code_of(read, rule, 20160803) == "wrong_type_there"


def test_html_goes_out_as_text():
    rule = rule_of("html", None, "string", False)
    raw = "<style>p {}</style><p>Tom &amp; <b>Ola</b></p><!-- > --><div>1 &lt; 2<br/>end</div>"
    assert canonical(rule, raw) == "Tom & Ola\n 1 < 2\nend"
    assert canonical(rule, "<p><br></p>") is None


def test_phones_are_read_as_those_of_the_contacts_country():
    rule = mapping.PHONE
    assert canonical(rule, "600 100 200") == "+48600100200"
    assert code_of(canonical, rule, "12") == "not_a_phone"
    assert code_of(read, rule, "12") == "not_a_phone_there"
    assert read(rule_of("char", None, "phones", False), ["600 100 200"]) == "+48600100200"


def test_emails():
    assert canonical(mapping.EMAIL, " Jan@Example.com ") == "jan@example.com"
    assert code_of(canonical, mapping.EMAIL, "jan") == "not_an_email"
    assert code_of(read, mapping.EMAIL, "jan") == "not_an_email_there"
    cut = converters.replace(mapping.EMAIL, too_long=CUT, limit=5)
    assert code_of(canonical, cut, "jan@example.com") == "too_long"


@pytest.mark.parametrize("shown", ["Poland", "poland", " PL ", "pl"])
def test_country(shown):
    assert read(mapping.COUNTRY, shown) == "PL"
    assert wire_country("PL") == "Poland"
    assert wire_country("XK") == "XK"
    assert wire_country(None) == ""
    assert code_of(read, mapping.COUNTRY, "Ruritania") == "unknown_country"


def wire_country(code):
    return converters.payload([mapping.COUNTRY], {"country": code}, CONTEXT)["country"]


def test_states_belong_to_their_country():
    rule = rule_of("many2one", "res.country.state", "region", False)
    assert read(rule, "mazowieckie") == "PL-14"
    assert code_of(read, rule, "California") == "unknown_region"
    assert wire_of(rule, "US-CA") == "California"
    assert wire_of(rule, "XX-1") == "1"


def test_two_values_may_share_a_word_and_two_words_a_value():
    rule = rule_of("selection", None, "fixed", False)
    assert canonical(rule, "bb") == read(rule, "Choice B") == "Choice B"
    assert converters.to_odoo(rule, "Choice B", CONTEXT) == "b"
    twice = rule_of("selection", None, "fixed", False, choices=(("a", "X"), ("a", "Y"), ("b", "Z")))
    assert canonical(twice, "a") == read(twice, "X") == read(twice, "Y") == "X"
    assert converters.to_odoo(twice, read(twice, "Y"), CONTEXT) == "a"


def test_unknown_choices():
    rule = rule_of("char", None, "fixed", False)
    assert code_of(canonical, rule, "other") == "unknown_choice"
    assert code_of(read, rule, "other") == "unknown_choice_there"
    kept = rule_of("char", None, "fixed", False, unknown=KEEP)
    assert canonical(kept, "other") == read(kept, "other") == "other"
    # It would come back as "a".
    assert code_of(canonical, kept, "Choice A") == "unknown_choice"
    several = rule_of("many2many", None, "fixed", True)
    assert code_of(canonical, several, ["a", "other"]) == "unknown_choice"


@pytest.mark.parametrize("unknown", ["skip", "keep"])
def test_a_value_without_a_word_does_not_travel(unknown):
    for table in ((("a", ""),), (("a", ""), ("b", "B"))):
        rule = rule_of("selection", None, "fixed", False, choices=table, unknown=unknown)
        assert code_of(canonical, rule, "a") == "unknown_choice"
        assert read(rule, "") is None
    several = rule_of("many2many", None, "fixed", True, choices=(("a", ""),), unknown=unknown)
    assert code_of(canonical, several, ["a"]) == "unknown_choice"
    box = rule_of("boolean", None, "fixed", False, choices=(("yes", ""), ("no", "Nie")))
    assert code_of(canonical, box, True) == "unknown_choice"
    assert canonical(box, False) is read(box, "Nie") is False
    assert read(box, "") is None


def test_of_a_list_in_user_com_what_is_known_comes_in():
    table = rule_of("many2many", None, "fixed", True)
    taking = rule_of("many2many", None, "fixed", True, choices=())
    context = converters.replace(CONTEXT, selections={"f": {"Choice A": 7}})
    for rule, knowing, shown, part, value in (
        (table, CONTEXT, ["Choice A", "other", "more"], ["Choice A"], "more, other"),
        (table, CONTEXT, ["other"], None, "other"),
        (taking, context, ["Choice A", "Choice B"], ["Choice A"], "Choice B"),
    ):
        theirs, notices = contact([rule], knowing, **{rule.attribute: shown})
        assert theirs == {rule.attribute: part}
        assert notices == [("unknown_choice_there", {"attribute": rule.attribute, "value": value})]
    theirs, _notices = contact([table], **{table.attribute: ["other", {"a": 1}]})
    assert theirs == {}


def test_without_a_table_values_are_the_same_on_both_sides():
    rule = rule_of("selection", None, "string", False, choices=())
    assert canonical(rule, "Europe/Warsaw") == read(rule, "Europe/Warsaw") == "Europe/Warsaw"


def test_a_selection_takes_only_its_own_values():
    context = converters.replace(CONTEXT, selections={"f": {"a": "a"}})
    rule = rule_of("selection", None, "string", False, choices=(), unknown=KEEP)
    assert read(rule, "a", context) == "a"
    assert code_of(read, rule, "zz", context) == "unknown_choice_there"


def test_genders_are_numbers_when_written():
    rule = rule_of("selection", None, "gender", False, choices=(("f", "female"), ("m", "male")))
    assert converters.payload([rule], {"f": "female"}, CONTEXT) == {"f": 3}
    assert converters.payload([rule], {"f": None}, CONTEXT) == {"f": 1}
    assert read(rule, "unknown") is None
    other = rule_of("char", None, "gender", False, choices=(("x", "unknown"),))
    assert canonical(other, "x") is read(other, "unknown") is None
    assert converters.to_odoo(rule, read(rule, "male"), CONTEXT) == "m"


def test_lists_are_sorted_and_each_name_is_once_in_them():
    rule = rule_of("many2many", None, "list", False, choices=())
    assert canonical(rule, ["b", " a", "b", ""]) == ["a", "b"]
    assert read(rule, [{"id": 9, "name": "vip"}, "a", None]) == ["a", "vip"]
    assert wire_of(rule, None) == []
    joined = rule_of("many2many", None, "string", False)
    assert canonical(joined, ["b", "a"]) == "a, b"


@pytest.mark.parametrize(
    ("value", "blank"),
    [(None, True), (False, True), (0, True), (0.0, True), (True, False), ("0", False), (1, False)],
)
def test_is_blank(value, blank):
    assert converters.is_blank(mapping.CITY, value) is blank


@pytest.mark.parametrize(
    ("rule", "blank"),
    [
        (rule_of("char", None, "string", False), ""),
        (rule_of("char", None, "fixed", False), None),
        (rule_of("char", None, "fixed", True), []),
        (rule_of("date", None, "date", False), None),
        (rule_of("date", None, "string", False), ""),
        (rule_of("many2many", None, "list", False), []),
        (rule_of("char", None, "phones", False), []),
        (rule_of("integer", None, "integer", False), None),
    ],
)
def test_nothing_is_written_as_the_type_needs_it(rule, blank):
    assert converters.payload([rule], {"f": None}, CONTEXT) == {"f": blank}


def test_nothing_is_written_that_is_not_mapped():
    assert converters.payload([mapping.CITY], {"city": "Łódź", "secret": 1}, CONTEXT) == {
        "city": "Łódź"
    }


# Names and whole reads


def test_names_are_written_in_two_parts():
    assert converters.payload([mapping.NAME], {"name": "Jan Kowalski"}, CONTEXT) == {
        "first_name": "Jan",
        "last_name": "Kowalski",
    }
    assert converters.payload([mapping.NAME], {"name": None}, CONTEXT) == {
        "first_name": "",
        "last_name": "",
    }
    cut = converters.replace(mapping.NAME, too_long=CUT)
    body = converters.payload([cut], {"name": "x" * 50 + " " + "y" * 50}, CONTEXT)
    assert body == {"first_name": "x" * 39 + "…", "last_name": "y" * 39 + "…"}


def test_an_address_is_no_name():
    assert canonical(mapping.NAME, "jan@example.com") is None
    assert read(mapping.NAME, "jan@example.com") is None


def contact(rules, context=CONTEXT, **shown):
    return converters.canonical_of_contact(rules, shown.get, shown.__contains__, context)


def test_a_read_in_canonical_form():
    theirs, notices = contact(
        mapping.FIXED_MAPPING,
        name="Jan  Kowalski",
        email="JAN@example.com",
        phone_number="600100200",
        country="United States",
        other="never mapped",
    )
    assert theirs == {
        "name": "Jan Kowalski",
        "email": "jan@example.com",
        "phone_number": "+1600100200",  # as one of the country that the read shows
        "country": "US",
    }
    assert notices == []


def test_the_reads_country_counts_even_if_it_is_not_mapped():
    theirs, _notices = contact([mapping.PHONE], phone_number="600100200", country="US")
    assert theirs == {"phone_number": "+1600100200"}
    theirs, _notices = contact([mapping.PHONE], phone_number="600100200", country="Ruritania")
    assert theirs == {"phone_number": "+48600100200"}


def test_an_address_in_place_of_a_name_is_no_name():
    theirs, _notices = contact([mapping.NAME], name="Jan@Localhost", email="jan@localhost")
    assert theirs == {"name": None}
    theirs, _notices = contact([mapping.NAME], name="jan", email="jan")
    assert theirs == {"name": None}


def test_what_cannot_be_read_is_left_out_and_said():
    theirs, notices = contact(mapping.FIXED_MAPPING, email="jan", country="Ruritania", city=None)
    assert theirs == {"city": None}
    assert notices == [("not_an_email_there", {}), ("unknown_country", {"value": "Ruritania"})]


def test_what_would_not_come_in_is_not_said():
    rule = converters.replace(mapping.COUNTRY, into=False)
    assert contact([rule], country="Ruritania") == ({}, [])


@given(
    shown=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("name", "email", "phone_number", "city", "country"), JSON)
    )
)
def test_no_read_does_harm(shown):
    theirs, notices = contact(mapping.FIXED_MAPPING, **shown)
    json.dumps([theirs, notices], allow_nan=False, ensure_ascii=False).encode()

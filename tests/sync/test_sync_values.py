"""The canonical form of values and what is written for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import mapping, values

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
# Lone surrogates too: JSON can hold one where a text was cut within an emoji.
any_text = st.text(st.characters(exclude_categories=()))


@given(any_text)
def test_text_is_one_clean_line_that_postgresql_takes(raw):
    clean = values.text(raw)
    assert clean is None or (clean == clean.strip() and clean)
    assert not any(ord(char) < 32 or ord(char) == 127 for char in clean or "")
    (clean or "").encode()  # as the database driver does


@given(any_text)
def test_text_of_text_is_itself(raw):
    assert values.text(values.text(raw)) == values.text(raw)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (None, None),
        (False, None),
        ("", None),
        (" \t\n ", None),
        ("\x00", None),
        ("Jan\x00 Testowy", "Jan Testowy"),
        ("Jan\r\nTestowy", "Jan Testowy"),
        ("  Jan \u00a0 Testowy ", "Jan Testowy"),
        ("Ola 🎉👩‍👧", "Ola 🎉👩‍👧"),
        ("cut within an emoji \ud83d", "cut within an emoji"),
        (0, "0"),
        (12, "12"),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_text(raw, clean):
    assert values.text(raw) == clean


@given(anything)
def test_boolean_gives_a_yes_a_no_or_nothing(raw):
    assert values.boolean(raw) in (True, False, None)


@pytest.mark.parametrize("raw", [True, 1, 1.0, "true", "True", " TRUE ", "1"])
def test_boolean_yes(raw):
    assert values.boolean(raw) is True


@pytest.mark.parametrize("raw", [False, 0, 0.0, "false", "False", "0"])
def test_boolean_no(raw):
    assert values.boolean(raw) is False


@pytest.mark.parametrize("raw", [None, "", "yes", "None", "null", 2, -1, [], {}, float("nan"), "²"])
def test_boolean_says_nothing(raw):
    assert values.boolean(raw) is None


@given(st.text().map(values.text).filter(bool))
def test_a_name_survives_being_split(name):
    first, last = values.split_name(name)
    assert values.text(f"{first} {last}") == name
    assert first


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Jan Kowalski", "Jan", "Kowalski"),
        ("Żaneta Brzęczyszczykiewicz-Źdźbło", "Żaneta", "Brzęczyszczykiewicz-Źdźbło"),
        ("María de los Ángeles García Lorca", "María", "de los Ángeles García Lorca"),
        (
            "Juan Carlos Alfonso Víctor María de Borbón y Borbón-Dos Sicilias",
            "Juan Carlos Alfonso Víctor",
            "María de Borbón y Borbón-Dos Sicilias",
        ),
        ("Nguyễn Thị Minh Khai", "Nguyễn", "Thị Minh Khai"),
        ("dr Anna Nowak", "dr", "Anna Nowak"),
        ("Kowalski, Jan", "Kowalski,", "Jan"),
        ("Pelé", "Pelé", ""),
        (
            "Przedsiębiorstwo Handlowo-Usługowe Kowalski i Synowie Sp. z o.o.",
            "Przedsiębiorstwo Handlowo-Usługowe",
            "Kowalski i Synowie Sp. z o.o.",
        ),
        ("x" * 50, "x" * 50, ""),
        ("x" * 50 + " y", "x" * 50, "y"),
        ("x " + "y" * 50, "x", "y" * 50),
        ("", "", ""),
    ],
)
def test_split_name(name, first, last):
    assert values.split_name(name) == (first, last)


@given(st.lists(st.text("ab", min_size=1, max_size=30), min_size=1, max_size=8).map(" ".join))
def test_a_name_fits_wherever_it_is_divided_if_there_is_a_place_where_it_does(name):
    words = name.split(" ")
    divided = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words) + 1)]
    fits = any(len(first) <= 40 and len(last) <= 40 for first, last in divided)
    assert fits == all(len(part) <= 40 for part in values.split_name(name))


@given(any_text)
def test_lines_of_lines_are_themselves(raw):
    clean = values.lines(raw)
    assert clean is None or (clean == clean.strip() and clean)
    assert not any(ord(char) < 32 and char != "\n" for char in clean or "")
    (clean or "").encode()
    assert values.lines(clean) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (False, None),
        (" \r\n\t ", None),
        ("ul. Długa 1 \r\n  piętro  2\x00\n", "ul. Długa 1\n  piętro  2"),
        ("a\rb\n\nc", "a\nb\n\nc"),
    ],
)
def test_lines(raw, clean):
    assert values.lines(raw) == clean


@pytest.mark.parametrize(
    ("name", "email", "expected"),
    [
        ("Jan Testowy", "jan@example.com", "Jan Testowy"),
        (" Jan\x00 ", None, "Jan"),
        ("JAN@example.com", "jan@example.com", None),
        ("old@example.com", "new@example.com", None),  # the stand-in of an address it had
        ("jan@example.com", None, None),
        ("jan", "jan", None),
        ("Jan @ home", "jan@example.com", "Jan @ home"),
        (None, "jan@example.com", None),
        (False, False, None),
        ("", "", None),
    ],
)
def test_person_name(name, email, expected):
    assert values.person_name(name, email) == expected


@pytest.mark.parametrize(
    ("rule", "value", "refused"),
    [
        (mapping.NAME, "a" * 40 + " " + "b" * 40, False),
        (mapping.NAME, "a" * 41, True),
        (mapping.NAME, "a " + "b" * 41, True),
        (mapping.NAME, "a " + "b " * 20 + "b", False),  # some of it goes to the first name
        (mapping.NAME, "a " + "b " * 40 + "b", True),
        (mapping.CITY, "c" * 64, False),
        (mapping.CITY, "c" * 65, True),
        (mapping.PHONE, "1" * 65, True),
        (mapping.EMAIL, "e" * 255, True),
        (mapping.COUNTRY, "PL", False),
    ],
)
def test_too_long(rule, value, refused):
    assert values.too_long(rule, value) is refused


attribute_values = st.dictionaries(
    st.sampled_from([rule.attribute for rule in mapping.FIXED_MAPPING]),
    st.none() | st.text().map(values.text),
)


@given(attribute_values)
def test_each_written_key_leads_back_to_its_attribute(outgoing):
    body = values.payload(outgoing, {"PL": "Poland"})
    assert {values.attribute_of(key) for key in body} == set(outgoing)


@given(attribute_values)
def test_what_is_written_reads_back_as_the_value(outgoing):
    body = values.payload(outgoing, {})
    assert None not in body.values()
    read = {key: values.text(value) for key, value in body.items()}
    if "name" in outgoing:
        read["name"] = values.text(f"{read.pop('first_name') or ''} {read.pop('last_name') or ''}")
    assert read == outgoing


def test_payload_names_the_country():
    names = {"PL": "Poland"}
    assert values.payload({"country": "PL"}, names) == {"country": "Poland"}
    assert values.payload({"country": "XK"}, names) == {"country": "XK"}
    assert values.payload({"country": None}, names) == {"country": ""}


def test_a_removed_name_empties_both_parts():
    assert values.payload({"name": None}, {}) == {"first_name": "", "last_name": ""}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Jan", "JAN"),
        ("Straße", "STRASSE"),
        ("Jan", " jan "),
        ("x" * 80, "x" * 64),
        ("x" * 80, "X" * 61 + "..."),
        ("x" * 80, "x" * 63 + "…"),
        ("Aleksandra Kowalska-Nowak", "Aleksandra Kowalska"),
        ("x" * 50 + " " + "y" * 50, "x" * 39 + "… " + "y" * 39 + "…"),
        ("x" * 50 + " Nowak", "x" * 39 + "… Nowak"),
        ("+48600100200", "48 600-100-200"),
        ("+48600100200", "(48) 600100200"),
        (None, None),
        (None, ""),
    ],
)
def test_alike(sent, read):
    assert values.alike(sent, read)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Jan", "Ola"),
        ("Jan", None),
        (None, "Jan"),
        ("Jan", "Ja"),  # too short to be the work of a limit
        ("Jan Testowy", "Jan"),
        ("+48600100200", "+48600100201"),
        ("+48600100200", "600100200"),
        ("Street 1", "Street 2"),
        ("12a", "12b"),
        ("...", "…"),
        ("-", "+"),
        ("x" * 50 + " Nowak", "x" * 39 + "… Kowalska"),
        ("x" * 50 + " Nowak", "z" * 39 + "… Nowak"),
        ("Jan Nowak", "J… N…"),
    ],
)
def test_not_alike(sent, read):
    assert not values.alike(sent, read)


@given(st.text())
def test_everything_is_like_itself(value):
    assert values.alike(value, value)
